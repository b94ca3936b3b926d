"""What a textual app shows, as plain lines of text.

Read from textual's own screenshot, so that it is what a person sees and not what widgets hold.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from typing import Any

from textual.app import App

_CELL = 12.2
"""Width of a cell in the screenshot's units."""


def text_of(app: App[Any]) -> str:
    """The screen's lines, without blanks at their ends."""
    width, height = app.size
    cells = [[" "] * width for _ in range(height)]
    for element in ElementTree.fromstring(app.export_screenshot()).iter():
        line = re.search(r"line-(\d+)\)$", element.get("clip-path", ""))
        if line is None or not element.tag.endswith("text"):
            continue
        start = round(float(element.get("x", "0")) / _CELL)
        # Each line ends with a newline beyond the last cell.
        text = (element.text or "").rstrip("\n").replace("\xa0", " ")
        for offset, character in enumerate(text):
            cells[int(line[1])][start + offset] = character
    return "\n".join("".join(line).rstrip() for line in cells) + "\n"
