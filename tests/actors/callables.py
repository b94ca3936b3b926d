"""Functions as an operator may name them in the configuration."""

from __future__ import annotations

heard: list[tuple[str, str, str, dict[str, object]]] = []


def note(alert_type: str, exchange: str, symbol: str, details: dict[str, object]) -> None:
    heard.append((alert_type, exchange, symbol, details))


async def note_later(
    alert_type: str, exchange: str, symbol: str, details: dict[str, object]
) -> None:
    heard.append((alert_type, exchange, symbol, details))


def fail(alert_type: str, exchange: str, symbol: str, details: dict[str, object]) -> None:
    raise LookupError("hidden-token in an operator's own error")
