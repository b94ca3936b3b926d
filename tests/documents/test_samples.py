"""What the documents show after a command is what the command prints."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.documents.guard import Guard, guard
from tests.documents.samples import DOCUMENTS, Sample, comparable, rewritten, samples
from tests.documents.test_documents import commands

REWRITE = "a sample is out of date: `make docs` writes it anew; look at the difference then"


STAYS = re.compile(r"(run|demo|venue|top|repl(?! -c)|events --follow|--install-completion)( |$)")
"""Commands that stay until a person leaves, and one that writes into his home."""
EXPECTED = {"hold": 1, "init": 1, "accept": 6, "close": 6, "close BTCUSDT --yes --no-wait": 0}
"""No row to hold has the example's symbol, `init` writes over no file, observe closes nothing."""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """One guard for all that is asked here."""
    return asyncio.run(_look(tmp_path_factory.mktemp("documents")))


class Seen(NamedTuple):
    """`stale` samples with what is printed now; what came of each other command."""

    stale: list[str]
    ran: dict[str, tuple[int, str]]


async def _look(folder: Path) -> Seen:
    async with guard(folder) as running:
        stale = [
            f"{document.name}: $ {sample.command}\n{difference}"
            for document in DOCUMENTS
            for sample in samples(document)
            if (difference := await _differs(running, sample))
        ]
        # A few at a time: each is a process of its own.
        turn = asyncio.Semaphore(3)

        async def ran(command: str) -> tuple[int, str]:
            async with turn:
                return await running.ran(command.replace("-c var/demo/sexton.toml", ""))

        others = _others()
        answers = await asyncio.gather(*map(ran, others))
        return Seen(stale, dict(zip(others, answers, strict=True)))


def _others() -> list[str]:
    shown = {sample.command for document in DOCUMENTS for sample in samples(document)}
    ending = {line for _, line in commands() if not STAYS.match(line)}
    return sorted(ending - shown)


def test_every_sample_of_the_documents_is_what_its_command_prints(seen: Seen) -> None:
    assert not seen.stale, REWRITE + "\n\n" + "\n".join(seen.stale)


def test_every_other_command_of_the_documents_does_what_it_is_shown_for(seen: Seen) -> None:
    failed = {
        command: (code, text)
        for command, (code, text) in seen.ran.items()
        if code != EXPECTED.get(command, EXPECTED.get(command.split()[0], 0))
    }
    assert not failed
    assert len(seen.ran) >= 10


async def _differs(running: Guard, sample: Sample) -> str:
    """What is printed where it is not what is shown; a message on its way gets some time."""
    for _ in range(3):
        now = await running.said(sample.command)
        if comparable(now) == comparable(sample.shown):
            return ""
    return now


def test_the_documents_have_samples_of_what_people_look_at_most() -> None:
    shown = {sample.command.split()[0] for document in DOCUMENTS for sample in samples(document)}
    assert shown >= {"doctor", "tree", "positions", "alerts", "why", "top"}


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("raised 11-21 06:51:28 open", "raised 01-02 16:01:08 open"),
        ("ledger running 0 0 71 9s LedgerActor", "ledger   running   0  0  3 1m 05s LedgerActor"),
        ("a request takes 102 ms", "a request takes 9 ms"),
        ("76.9 GiB are free", "3 GiB are free"),
    ],
)
def test_ages_instants_and_counts_are_not_compared(was: str, now: str) -> None:
    assert comparable(was) == comparable(now)


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("5  bybit-main  ADAUSDT  4000", "5  bybit-main  ADAUSDT  2000"),
        ("ledger running 0 0 71 9s LedgerActor", "ledger stopped 0 0 71 9s LedgerActor"),
        ("ledger running 0 0 71 9s LedgerActor", "ledger running 0 0 71 9s Ledger"),
    ],
)
def test_what_matters_is_compared(was: str, now: str) -> None:
    assert comparable(was) != comparable(now)


def test_rewriting_replaces_what_is_stale_and_nothing_else() -> None:
    text = (
        "Before.\n\n```console\n$ python supervisor.py tree\nold\n\n"
        "$ python supervisor.py alerts\nup 3s\n```\n\n```\n$ python supervisor.py x\n```\n"
    )

    async def said(command: str) -> str:
        return {"tree": "new\n", "alerts": "up 9s\n"}[command]

    assert asyncio.run(rewritten(text, said)) == text.replace("old", "new")
