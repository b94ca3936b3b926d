"""Samples in the documents: what a `console` block shows after each of its commands.

    $ python supervisor.py positions
    id  account     symbol   side ...

Ages, instants, counts of messages and the like differ each time and are not compared. Leaves the
guard that is asked to `guard`.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
PROMPT = "$ python supervisor.py "

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_VARYING = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*(?:Z|\+00:00)"), "INSTANT"),
    (re.compile(r"\d\d-\d\d \d\d:\d\d:\d\d|\d\d:\d\d:\d\d"), "TIME"),
    (re.compile(r"\b(?:\d+d \d\dh|\d+h \d\dm|\d+m \d\ds|\d+s)\b"), "SPAN"),
    (re.compile(r"\b[\d.]+ (?:GiB|ms|s)\b"), "MEASURED"),
    (re.compile(r"(ahead of|behind) this machine"), "OFF"),
    # Between the name and the class of an actor there are only counts.
    (re.compile(r"(?<= running )[\s\d]+SPAN"), "COUNTS"),
    # A message that happens to wait; the scroll bar's thumb.
    (re.compile(r"(?<=running)\s+\d+ (?=│)|[▁▂▃▄▅▆▇█]"), " "),
    (re.compile(r"─+"), "─"),
    (re.compile(r" +"), " "),
)


class Sample(NamedTuple):
    """A command as a person types it after `supervisor.py`, and what the document shows."""

    command: str
    shown: str


def samples(document: Path) -> list[Sample]:
    """Those of one document."""
    return [
        sample
        for block in _BLOCK.findall(document.read_text(encoding="utf-8"))
        for sample in _samples_of(block)
    ]


def _samples_of(block: str) -> list[Sample]:
    """Each command with the lines up to the next one; a blank line before that is layout."""
    if not block.startswith(PROMPT):
        raise ValueError(f"a console block begins with a command: {block[:60]!r}")
    parts = re.split(rf"^{re.escape(PROMPT)}", block, flags=re.MULTILINE)[1:]
    found = []
    for part in parts:
        command, _, shown = part.partition("\n")
        found.append(Sample(command, shown.strip("\n") + "\n"))
    return found


def comparable(text: str) -> str:
    """The text without what differs from one time to the next."""
    for pattern, word in _VARYING:
        text = pattern.sub(word, text)
    return "\n".join(line.strip() for line in text.splitlines())


async def rewritten(text: str, said: Callable[[str], Awaitable[str]]) -> str:
    """A document's text with what its commands print now.

    A sample of which only ages and the like differ is left: no document changes for nothing.
    """
    after, end = "", 0
    for block in _BLOCK.finditer(text):
        parts = []
        for command, shown in _samples_of(block[1]):
            now = await said(command)
            same = comparable(now) == comparable(shown)
            parts.append(f"{PROMPT}{command}\n{shown if same else now}")
        after += text[end : block.start(1)] + "\n".join(parts)
        end = block.end(1)
    return after + text[end:]
