"""The live view's dialogs: a question, a page of help, an actor's dump.

What follows from an answer is in `console.top.app`.
"""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

HELP = """\
Keys

  ↑ ↓        move within a panel
  Tab        the next panel: actors, positions, alerts
  h          hold the marked position: the guard leaves it alone
  r          release it: the guard looks after it again
  c          close it at market now, reduce-only; asks first
  w          why: the marked position's story
  a          acknowledge the marked alert: no more reminders
  d          dump the marked actor's state
  s          scan for aged, orphaned and naked positions now
  ?          this page
  q, ^C      leave; the service goes on

Columns

  ↻          restarts
  mail       messages that wait
  target     the worst price at which the phase lets the leg go
  dist.      how far the price is beyond it; below 0: not yet"""


class Confirm(ModalScreen[bool]):
    """A question that is answered with y or n; anything else leaves it standing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("y", "answer(True)", "Yes"),
        ("n,escape", "answer(False)", "No"),
    ]

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog small"):
            yield Static(Text(self._question, style="bold"))
            yield Static(Text("y  yes      n  no", style="dim"))

    def action_answer(self, yes: bool) -> None:
        self.dismiss(yes)


class Page(ModalScreen[None]):
    """A text to read, scrolled by the arrow keys."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape,q,enter,question_mark", "leave", "Back")]

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title = title
        self._text = text

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog") as scroll:
            scroll.border_title = self._title
            scroll.border_subtitle = "Esc: back"
            yield Static(Text(self._text))

    def action_leave(self) -> None:
        self.dismiss(None)
