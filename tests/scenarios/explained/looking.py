"""What the scenarios of this folder share: faults of reads, and what was sent and told."""

from __future__ import annotations

from collections.abc import Collection

from simulator.faults import FaultKind
from tests.scenarios.world import World, until

ACCOUNTS = ["bybit-main", "binance-main"]
STREAMS = {"stream": True}
MAY_CHANGE = {"order.create", "order.cancel", "algo.create", "algo.cancel"}


def sent(guard: World) -> list[str]:
    """Every request that could have changed something, of whichever account."""
    return [r.endpoint for r in guard.venue.requests.requests if r.endpoint in MAY_CHANGE]


def lists_lie(guard: World, account: str, count: int | None) -> int:
    """So many reads of positions, by list or by name, answer with a well-formed empty list."""
    return guard.fault(FaultKind.EMPTY_LIST, "positions", count=count, account=account)


async def scanned_until_alerted(guard: World, type_: str, account: str, monitor: str) -> None:
    """A monitor runs again and again until people are told."""

    async def told() -> bool:
        await guard.scan(monitor, account)
        return bool(await guard.alerts(type_))

    await until(told, f"an alert of type {type_}")


async def scanned_until_over(guard: World, type_: str, account: str, monitor: str) -> None:
    """A monitor runs again and again until nothing of this type stands."""

    async def over() -> bool:
        await guard.scan(monitor, account)
        return all(alert.resolved_at is not None for alert in await guard.alerts(type_))

    await until(over, f"no alert of type {type_} stands")


async def types_of_alerts(guard: World, but: Collection[str] = ()) -> list[str]:
    return sorted(str(alert.type) for alert in await guard.alerts() if alert.type not in but)


async def stream_stands(guard: World, account: str) -> None:
    path = f"accounts/{account}/stream"
    await until(lambda: guard.state(path).get("status") == "connected", "the stream is up")
