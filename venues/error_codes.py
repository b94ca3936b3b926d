"""The venues' own error codes and phrases, and what they mean (`venues.md` section 3).

For it: one place for each fact. Left to others: finding the code in a reply. Codes are upper
case. Phrases are lower case; those under `*` hold for every venue. What is listed here is known:
a code on `other` is a refusal too, only one that means nothing in particular to the guard.
"""

from __future__ import annotations

from collections.abc import Mapping

from messages.venue import VenueErrorKind as K


def _codes(**kinds: str) -> dict[str, K]:
    return {code: K(kind) for kind, codes in kinds.items() for code in codes.split()}


CODES: Mapping[str, Mapping[str, K]] = {
    "bybit": _codes(
        nothing_to_reduce="110017 110034",
        margin="110007 110012 110004 110045 110006 110044 110051 110052 110053",
        wrong_routing="170131",
        rate_limit="10006 10018 170005 170222",
        no_such_order="110001 170213",
        duplicate_id="110072 110030",
        key="10003 10004 33004",
        rights="10005 10010",
        clock="10002",
        maintenance="10016 170001 170032 170146",
        size="10001 110094 110020 110016",
        price_band="110003 30208 30209 110126 110093",
        not_tradable="110074 10029 110023 110092 110063 110066 110070",
        network="10000 170007",
        other="110009 110021 110032 110040 110035",
    ),
    "binanceusdm": _codes(
        nothing_to_reduce="-2022 -2024",
        reduce_only_reserved="-4118",
        margin="-2019 -2018 -2027 -2028",
        rate_limit="-1003 -1015",
        no_such_order="-2013 -2011",
        duplicate_id="-4116 -4111",
        key="-2014 -2015 -1022",
        clock="-1021",
        maintenance="-1008 -1001 -1000",
        size="-4164 -1111 -4003 -4004 -4005 -4023 -1013",
        price_band="-4016 -4024 -4131 -5022 -4184 -4183 -2021 -4001 -4002 -4013 -4014 -5021",
        not_tradable="-1121 -4140 -4108 -4141 -4144",
        network="-1007 -1006",
        other="-1014 -1102 -1106 -1116 -1130 -2010 -2020 -2025 -2026 -4045 -4061 -4120",
    ),
    "okx": _codes(
        nothing_to_reduce="51169 51023 51112",
        reduce_only_reserved="51115 51117 51134",
        margin="51008 51131 51119 51127",
        rate_limit="50011 50061 50013",
        no_such_order="51603 51400",
        duplicate_id="51016",
        key="50111 50113 50105 50119",
        rights="50110 50120 50114",
        clock="50102",
        maintenance="50001 50026",
        size="51020 51121 51005 51007 51100 51101 51105 51108 51118 51120 51185",
        price_band="51006 51137 51138 51046 51047 51031 51109 51116 51122 51135 51136 51250",
        not_tradable="51001 51027 51028 51087 51021 51022 51029 51030 51015",
        network="50004 51149 51054",
        other="51000 51004 51010 51025 51102 51103 51174 50014 50015 50016",
    ),
    "bitget": _codes(
        nothing_to_reduce="22002 25227",
        margin="40762 43012 40754 40711 40712 25202 25203",
        rate_limit="429 30007",
        no_such_order="40768 43001 40109 25204",
        duplicate_id="40786 40500",
        key="40006 40009 40012 40037",
        rights="40014 40018",
        clock="40008 40005",
        maintenance="40200 40725 45001 40015",
        size="45110 40808 45111 40108 43006 45113",
        price_band="40815 22047 22048 50067 40920 40706 43011 40917 45122",
        not_tradable="40309 40034 22036 40102",
        network="40010",
        other="33013 40774 400172 40017 40019 40020",
    ),
    "gate": _codes(
        nothing_to_reduce="INCREASE_POSITION POSITION_EMPTY POSITION_NOT_FOUND REDUCE_EXCEEDED",
        margin="""BALANCE_NOT_ENOUGH INSUFFICIENT_AVAILABLE MARGIN_BALANCE_NOT_ENOUGH
            FUTURES_BALANCE_NOT_ENOUGH""",
        rate_limit="TOO_MANY_REQUESTS TOO_FAST",
        no_such_order="ORDER_NOT_FOUND AUTO_ORDER_NOT_FOUND",
        duplicate_id="REPEATED_CREATION",
        key="INVALID_KEY INVALID_SIGNATURE INVALID_CREDENTIALS MISSING_REQUIRED_HEADER",
        rights="FORBIDDEN READ_ONLY IP_FORBIDDEN",
        clock="REQUEST_EXPIRED",
        maintenance="INTERNAL SERVER_ERROR TOO_BUSY",
        size="INVALID_PARAM_VALUE SIZE_TOO_LARGE SIZE_TOO_SMALL INVALID_PRECISION",
        price_band="""PRICE_TOO_DEVIATED POC_FILL_IMMEDIATELY ORDER_POC_IMMEDIATE
            PRICE_THRESHOLD_EXCEEDED PRICE_OVER_LIQUIDATION PRICE_OVER_BANKRUPT
            AUTO_TRIGGER_PRICE_LESS_LAST AUTO_TRIGGER_PRICE_GREATE_LAST""",
        not_tradable="CONTRACT_NOT_FOUND CONTRACT_IN_DELISTING",
        other="LIQUIDATE_IMMEDIATELY TOO_MANY_ORDERS POSITION_CROSS_MARGIN",
    ),
    "kucoinfutures": _codes(
        nothing_to_reduce="300009",
        margin="300003 200005 200004 330008",
        rate_limit="429000 1015",
        no_such_order="100001",
        duplicate_id="300018",
        key="400003 400004 400005 400006 400007 400001",
        clock="400002",
        maintenance="500000",
        size="300000",
        price_band="300007 300008 300011 300012",
        not_tradable="400000",
        other="330005 330012",
    ),
    "hyperliquid": {},
    "krakenfutures": _codes(
        nothing_to_reduce="WOULDNOTREDUCEPOSITION",
        margin="INSUFFICIENTAVAILABLEFUNDS INSUFFICIENTFUNDS",
        rate_limit="APILIMITEXCEEDED TOOMANYREQUESTS",
        no_such_order="NOTFOUND",
        duplicate_id="CLIENTORDERIDALREADYEXIST",
        key="AUTHENTICATIONERROR",
        clock="NONCEBELOWTHRESHOLD NONCEDUPLICATE",
        maintenance="UNAVAILABLE SERVER_ERROR",
        size="INVALIDSIZE",
        price_band="POSTWOULDEXECUTE INVALIDPRICE OUTSIDEPRICECOLLAR IOCWOULDNOTEXECUTE",
        not_tradable="MARKETSUSPENDED MARKETINACTIVE CONTRACTNOTFOUND MARKETUNAVAILABLE",
        other="""INVALIDORDERTYPE INVALIDSIDE SELFFILL TOOMANYSMALLORDERS MAXPOSITIONVIOLATION
            CLIENTORDERIDTOOLONG WOULDCAUSELIQUIDATION REQUIREDARGUMENTMISSING INVALIDARGUMENT""",
    ),
    "mexc": _codes(
        nothing_to_reduce="2009",
        margin="2005 2018",
        rate_limit="510",
        no_such_order="2040",
        key="401 402 602",
        rights="406 511 701 702 703 704",
        clock="513",
        maintenance="500 501 503 520",
        size="2011 2013 2014 2015",
        price_band="2007 2008 2003 2004",
        not_tradable="1001 1002",
        other="1003 2001 2002 2022",
    ),
    "bingx": _codes(
        nothing_to_reduce="101205 101290",
        margin="101204 100202 101253",
        rate_limit="100410 109429",
        no_such_order="80016 109414 109421",
        duplicate_id="101400 101481 109201",
        key="100001 100413 100412",
        rights="100004 100419",
        clock="100421",
        maintenance="80012 100500 100503 109500 110500",
        size="109400 110422 110425",
        price_band="100440",
        not_tradable="100490 109418 109425",
    ),
}

PHRASES_FIRST: Mapping[str, tuple[tuple[str, K], ...]] = {
    # Bybit has one code, 10001, for every bad parameter; these words tell it from a size.
    "bybit": (("position idx not match", K.OTHER), ("not supported symbols", K.NOT_TRADABLE)),
    # BingX wraps the codes of inner services, and has one code for many things.
    "bingx": (
        ("system is busy", K.MAINTENANCE),
        ("margin is not enough", K.MARGIN),
        ("minimum order amount", K.SIZE),
        ("position not exist", K.NOTHING_TO_REDUCE),
        ("position does not exist", K.NOTHING_TO_REDUCE),
        ("less than the available amount", K.REDUCE_ONLY_RESERVED),
    ),
}

PHRASES: Mapping[str, tuple[tuple[str, K], ...]] = {
    "kucoinfutures": (("position does not exist", K.NOTHING_TO_REDUCE),),
    "hyperliquid": (
        ("reduce only order would increase position", K.NOTHING_TO_REDUCE),
        ("insufficient margin to place order", K.MARGIN),
        ("never placed, already canceled, or filled", K.NO_SUCH_ORDER),
        ("unknownoid", K.NO_SUCH_ORDER),
        ("user or api wallet", K.KEY),
        ("minimum value of", K.SIZE),
        ("invalid size", K.SIZE),
        ("zero size", K.SIZE),
        ("divisible by tick size", K.PRICE_BAND),
        ("could not immediately match", K.PRICE_BAND),
        ("no liquidity available", K.PRICE_BAND),
        ("invalid tp/sl price", K.PRICE_BAND),
        ("post only order would have immediately matched", K.PRICE_BAND),
        ("away from the reference price", K.PRICE_BAND),
        ("too many cumulative requests", K.RATE_LIMIT),
    ),
    "*": (
        ("reduceonly order is rejected", K.NOTHING_TO_REDUCE),
        ("reduce-only order qty", K.NOTHING_TO_REDUCE),
        ("reduceonly order failed", K.REDUCE_ONLY_RESERVED),
        ("insufficient balance", K.MARGIN),
        ("margin is insufficient", K.MARGIN),
        ("too many requests", K.RATE_LIMIT),
    ),
}
