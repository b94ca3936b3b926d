"""`doctor` asks whose key each account has, and holds rows against positions (9.1, 9.16)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from console.doctor.checks import Level
from messages.ledger import NewPosition
from messages.values import Secret, Side
from simulator import Exchange
from simulator.faults import Fault, FaultKind
from storage import Ledger, open_ledger
from tests.console.doctor.test_doctor import EXCHANGES, Patient, asynchronous, now, patient

SYMBOLS = ("BTC", "ETH", "SOL", "XRP", "AVL")


async def ledger_of(folder: Path) -> Ledger:
    (folder / "var").mkdir(exist_ok=True)
    return await open_ledger(Secret(f"sqlite:///{folder}/var/sexton.db"), now=now)


async def five_rows(one: Patient, *, open_legs: int) -> None:
    """Five rows in the ledger; of so many of them the account has the position."""
    ledger = await ledger_of(one.folder)
    for number, base in enumerate(SYMBOLS):
        symbol = f"{base}/USDT:USDT"
        if number < open_legs:
            one.venue.market.open_position("main", symbol, Side.LONG, Decimal("1"))
        await ledger.add_position(
            NewPosition(
                account="main",
                symbol=symbol,
                side=Side.LONG,
                quantity=Decimal(1),
                entry_price=Decimal(1),
                opened_at=now() - timedelta(hours=1),
            )
        )
    await ledger.close()


@pytest.mark.parametrize("exchange", EXCHANGES)
@pytest.mark.parametrize(
    ("open_legs", "level", "said"),
    [
        (5, Level.OK, "5 rows, 5 legs of theirs are open"),
        (4, Level.WARNING, "5 rows, 4 legs of theirs are open, 1 not"),
        (0, Level.FAILURE, "5 rows, 0 legs: whose key is this?"),
    ],
)
def test_rows_are_held_against_the_accounts_legs(
    tmp_path: Path, exchange: Exchange, open_legs: int, level: Level, said: str
) -> None:
    @asynchronous
    async def examined() -> None:
        async with patient(tmp_path, exchange) as one:
            await five_rows(one, open_legs=open_legs)
            check = (await one.checks())["main rows"]
            assert (check.level, check.said) == (level, said)
            assert bool(check.cure) is (level is not Level.OK)

    examined()


@asynchronous
async def test_positions_that_cannot_be_read_say_nothing_of_the_rows(tmp_path: Path) -> None:
    async with patient(tmp_path) as one:
        await five_rows(one, open_legs=0)
        fault = Fault(kind=FaultKind.STATUS, endpoint="positions", status=503, count=None)
        one.venue.faults.order(fault)
        assert "main rows" not in await one.checks()


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_9_16_one_login_under_two_names_is_a_failure(tmp_path: Path, exchange: Exchange) -> None:
    @asynchronous
    async def examined() -> None:
        async with patient(tmp_path, exchange) as one:
            text = one.file.read_text(encoding="utf-8")
            second = text[text.index("[accounts.main]") :]
            for old, new in (("accounts.main", "accounts.two"), ("the-", "second-")):
                second = second.replace(old, new)
            one.file.write_text(text + second, encoding="utf-8")
            market = one.venue.market
            market.logins.add(market.accounts["main"], "second-key", Secret("second-secret"))
            checks = await one.checks()
            assert checks["main login"].level is Level.OK
            assert checks["two login"].level is Level.FAILURE
            assert "two and main are one login" in checks["two login"].said

    examined()


@asynchronous
async def test_another_login_than_the_ledger_knows_is_a_failure(tmp_path: Path) -> None:
    async with patient(tmp_path) as one:
        ledger = await ledger_of(tmp_path)
        await ledger.store_identity("main", "bybit", "4711")
        await ledger.close()
        check = (await one.checks())["main login"]
        assert check.level is Level.FAILURE
        assert "4711" in check.said
        assert "adopt-identity main" in check.cure
