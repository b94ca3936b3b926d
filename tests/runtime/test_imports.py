"""Who imports whom, read from the source: late imports and those for the checker count as well."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
ROOMS = ("console", "actors", "simulator", "rules", "storage", "venues", "messages")
RUNTIME = "actors.runtime"
VOCABULARY = {"messages.base", "messages.values"}

Graph = dict[str, set[str]]


def modules() -> dict[str, Path]:
    """Every module of the rooms by its dotted name; a package's is its `__init__`."""
    found: dict[str, Path] = {}
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def graph() -> Graph:
    known = modules()
    return {name: set(_imports_of(path, known)) for name, path in known.items()}


def _imports_of(path: Path, known: dict[str, Path]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import, which this test cannot read"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                if inner in known:
                    yield inner
                elif node.module in known:
                    yield node.module or ""


def circles(graph: Graph) -> list[list[str]]:
    """Groups of modules that reach one another (Tarjan's strongly connected components)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in sorted(graph[name]):
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            group = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(group) > 1 or name in graph[name]:
                found.append(sorted(group))

    for name in sorted(graph):
        if name not in index:
            visit(name)
    return found


def test_no_module_reaches_itself_through_what_it_imports() -> None:
    assert circles(graph()) == []


def test_the_runtime_imports_nothing_of_the_guard_but_requests_and_secrets() -> None:
    allowed = VOCABULARY | {name for name in modules() if name.startswith(RUNTIME)}
    for name, imported in graph().items():
        if name.startswith(RUNTIME):
            assert imported <= allowed, f"{name} imports {sorted(imported - allowed)}"


@pytest.mark.parametrize(
    ("edges", "expected"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": set()}, []),
        ({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}, [["a", "b", "c"]]),
        ({"a": {"a"}}, [["a"]]),
        ({"a": {"b"}, "b": {"a"}, "c": {"d", "a"}, "d": {"c"}}, [["a", "b"], ["c", "d"]]),
    ],
)
def test_circles_are_found(edges: Graph, expected: list[list[str]]) -> None:
    assert circles(edges) == expected


def test_late_imports_and_those_for_the_checker_are_read(tmp_path: Path) -> None:
    source = tmp_path / "module.py"
    source.write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from rules.legs import Leg\n"
        "def late():\n    import messages.base\n    from rules import verdict\n"
    )
    assert set(_imports_of(source, modules())) == {"rules.legs", "messages.base", "rules.verdict"}
