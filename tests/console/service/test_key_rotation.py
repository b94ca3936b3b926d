"""A key is replaced by `reload` or SIGHUP: the same login goes on, another one only reads."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from console.service.reload import RELOAD, Reload
from console.service.run import Running
from messages.ledger import Alert
from messages.values import Secret, Side
from simulator.instruments import Exchange
from tests.console.service.reload_kit import QUICK, XRP, Guard, account, guard, until

NAMES = {"bybit-main": Exchange.BYBIT, "binance-main": Exchange.BINANCE}
NEW = {"key": "rotated-key", "secret": "rotated-secret"}


async def rotate(g: Guard, name: str, how: str, **keys: str) -> None:
    """The file has another key, and the service is told by a command or by the signal."""
    text = QUICK + account(name, g.venue, **keys)
    if how == "reload":
        assert (await g.reload(text)).restarted == (f"accounts/{name}",)
        return
    g.write(text)
    # What the signal's handler does (`console.service.run`); no test signals its own process.
    await g.running.system.ask(RELOAD, Reload(by="SIGHUP"), timeout=60.0)


async def is_known(running: Running) -> bool:
    return bool(await running.ledger.identities())


async def suspected(g: Guard) -> tuple[Alert, ...]:
    alerts = await g.running.ledger.alerts(limit=100)
    return tuple(alert for alert in alerts if alert.type == "account_suspect")


@pytest.mark.parametrize("how", ["reload", "SIGHUP"])
@pytest.mark.parametrize("name", NAMES)
def test_another_key_of_the_same_login_goes_on(tmp_path: Path, name: str, how: str) -> None:
    async def scenario() -> None:
        async with guard(tmp_path, QUICK, name) as g:
            await until(lambda: is_known(g.running), "the venue has said whose login it is")
            market = g.venue.market
            market.logins.add(market.accounts[name], NEW["key"], Secret(NEW["secret"]))
            market.logins.revoke(f"demo-{name.partition('-')[0]}-key")
            await rotate(g, name, how, **NEW)
            await g.ready(name)
            row = await g.closed(await g.position(40, name))
            assert row.exit_source == "fill"
            assert await suspected(g) == ()

    asyncio.run(scenario())


@pytest.mark.parametrize("how", ["reload", "SIGHUP"])
@pytest.mark.parametrize("name", NAMES)
def test_a_key_of_another_login_is_barred_until_the_right_one_is_back(
    tmp_path: Path, name: str, how: str
) -> None:
    async def scenario() -> None:
        async with guard(tmp_path, QUICK, name) as g:
            await until(lambda: is_known(g.running), "the venue has said whose login it is")
            market = g.venue.market
            stranger = market.add_account(
                "stranger", NAMES[name], key=NEW["key"], secret=NEW["secret"]
            )
            await rotate(g, name, how, **NEW)
            # The stranger holds what the ledger has, as a second account of the same bot does.
            position = market.open_position
            row = await g.position(40, name)
            held = market.quantity(name, XRP, Side.LONG)
            position("stranger", XRP, Side.LONG, held)

            async def told() -> bool:
                return bool(await suspected(g))

            await until(told, "people are told")
            (alert,) = await suspected(g)
            assert alert.level == "critical"
            assert str(stranger.uid) in alert.seen or "another account" in alert.title
            leg = f"accounts/{name}/aged/XRPUSDT.long"
            await until(lambda: g.there(leg), "the leg is to be closed")
            await until(
                lambda: "not the ledger's account" in g.state(leg).get("status", ""), "it is barred"
            )
            assert g.venue.requests.orders("stranger") == []
            assert market.quantity("stranger", XRP, Side.LONG) == held
            found = await g.running.ledger.row(row.id)
            assert found is not None
            assert found.status == "active"
            await rotate(g, name, how)
            await g.closed(row)
            (alert,) = await suspected(g)
            assert alert.resolved_at is not None
            assert market.quantity("stranger", XRP, Side.LONG) == held

    asyncio.run(scenario())
