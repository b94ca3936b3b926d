"""The table of cases in `docs/runtime.md` is whole, and each test that it names is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent.parent
RUNTIME_TESTS = ROOT / "tests" / "runtime"
CASES = 93
NAMED = re.compile(r"`((?:suite/)?test_\w+\.py)::(test_\w+)`")


def _rows() -> list[tuple[str, str]]:
    text = (ROOT / "docs" / "runtime.md").read_text()
    proved = text[text.index("## What is proved") : text.index("## Time and chance")]
    cells = [line.strip("|").split("|") for line in proved.splitlines() if line.startswith("| ")]
    rows = [(first.strip(), second.strip()) for first, second in cells]
    return [row for row in rows if row[0] != "case"]


def _docstring(file: str, name: str) -> str | None:
    tree = ast.parse((RUNTIME_TESTS / file).read_text())
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            return ast.get_docstring(node) or ""
    return None


def test_every_case_is_proved_by_a_test_that_exists_or_says_why_it_does_not_apply() -> None:
    for case, proof in _rows():
        named = NAMED.findall(proof)
        assert named or proof.startswith("not applicable: "), case
        for file, name in named:
            assert _docstring(file, name) is not None, f"{case}: {file} has no {name}"


def test_all_cases_of_otp_are_there_once_and_their_tests_name_them() -> None:
    otp = [(case, proof) for case, proof in _rows() if re.fullmatch(r"\w+", case)]
    assert len(otp) == len({case for case, _ in otp}) == CASES
    for case, proof in otp:
        for file, name in NAMED.findall(proof):
            words = re.findall(r"\w+", _docstring(file, name) or "")
            assert case in words, f"{name} does not name {case}"
