"""The documents are true: their links lead somewhere, and their commands are commands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from console.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
COMMAND = re.compile(r"(?:^|[`\s/])python3? supervisor\.py ([^`\n#|]+)", re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")


def commands() -> list[tuple[str, str]]:
    return [
        (document.name, found.strip())
        for document in DOCUMENTS
        for found in COMMAND.findall(document.read_text(encoding="utf-8"))
        if not found.startswith(("…", "X", "COMMAND", "..."))
    ]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_of_a_document_leads_to_a_file(document: Path) -> None:
    for target in LINK.findall(document.read_text(encoding="utf-8")):
        assert (document.parent / target).exists(), f"{document.name} links to {target}"


@pytest.mark.parametrize(("document", "line"), commands())
def test_every_command_of_a_document_is_one_with_the_options_that_it_shows(
    document: str, line: str
) -> None:
    words = shlex.split(line)
    depth = 2 if words[0] == "position" else 1
    helped = CliRunner().invoke(app, [*words[:depth], "--help"], env={"COLUMNS": "200"})
    assert helped.exit_code == 0, f"{document}: {line}: {helped.output}"
    known = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", helped.output))
    for word in words[depth:]:
        if word.startswith("-"):
            assert word.split("=")[0] in known, f"{document}: {line} has {word}"


def test_documents_show_commands() -> None:
    assert len(commands()) >= 8
