"""Bybit v5's error codes for what the market refuses.

Source: the v5 error code page of Bybit's documentation.
"""

from __future__ import annotations

from venues.simulator.state import Why

CODES: dict[Why, tuple[str, str]] = {
    Why.NO_POSITION: ("110017", "current position is zero, cannot fix reduce-only order qty"),
    Why.RESERVED: ("110017", "Reduce-only rule not satisfied"),
    Why.MARGIN: ("110007", "ab not enough for new order"),
    Why.STEP: ("10001", "Qty invalid"),
    Why.TOO_SMALL: ("10001", "The number of contracts is below minimum limit allowed"),
    Why.TOO_LARGE: ("10001", "The number of contracts exceeds maximum limit allowed"),
    Why.MIN_NOTIONAL: ("110094", "Order does not meet minimum order value 5USDT"),
    Why.PRICE_BAND: ("110003", "Order price exceeds the allowable range."),
    Why.PRICE_TICK: ("10001", "params error: Price invalid"),
    Why.DUPLICATE: ("110072", "OrderLinkedID is duplicate"),
    Why.NOT_TRADABLE: ("110074", "This contract is not live"),
    Why.UNKNOWN_SYMBOL: ("10001", "params error: symbol invalid"),
    Why.POSITION_SIDE: ("10001", "position idx not match position mode"),
    Why.WOULD_TAKE: ("110024", "post-only order would take"),
    Why.WOULD_TRIGGER: ("110092", "expect Rising, but trigger_price <= current"),
    Why.NO_SUCH_ORDER: ("110001", "order not exists or too late to cancel"),
    Why.MALFORMED: ("10001", "params error"),
}
