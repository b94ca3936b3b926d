"""Column types: how exact decimals, instants, flags and JSON live in each database.

A bot writes rows with its own SQL, so reading is tolerant: what can't be understood is None (or
the safe flag), never an exception. What we write is always in one canonical form.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from messages.values import check_amounts, is_amount

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""Row ids: SQLite counts only a plain INTEGER primary key up by itself."""


def as_decimal(value: object) -> Decimal | None:
    """A number that can be an amount (`is_amount`) from what a database handed over, or None."""
    if isinstance(value, bytes | bool) or value is None:
        return None
    try:
        number = value if isinstance(value, Decimal) else Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return number if is_amount(number) else None


def as_instant(value: object) -> datetime | None:
    """An aware UTC instant from ISO text (naive means UTC) or a driver's datetime, or None.

    Bare digits are refused: nobody can tell epoch seconds from milliseconds or a compact date.
    """
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, date):
        moment = datetime(value.year, value.month, value.day, tzinfo=UTC)
    elif isinstance(value, str) and "-" in value[:5]:
        try:
            moment = datetime.fromisoformat(value.strip())
        except ValueError:
            return None
    else:
        return None
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return None


def as_flag(value: object) -> bool:
    """A flag from what a database handed over. What is unclear counts as set.

    The flags are `held` and `trailing_active`, and a row left alone is safer than one closed.
    """
    if isinstance(value, str):
        return value.strip().lower() not in ("", "0", "0.0", "f", "false", "n", "no", "off")
    return bool(value)


def as_words(value: object) -> str | None:
    """Text from what a database handed over; a blob that a bot may have put there as text."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return None if value is None else str(value)


def clean(text: str) -> str:
    """Text that every database can hold: PostgreSQL takes no NUL, UTF-8 no lone surrogate."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def exact_text(value: Decimal) -> str:
    """The canonical text of an amount. Raises ValueError for what is none."""
    check_amounts(value)
    return format(value, "f") if value else "0"


def instant_text(value: datetime) -> str:
    """The canonical, sortable text of an instant. Raises ValueError for one without a zone."""
    return _utc(value).isoformat(sep=" ", timespec="microseconds")


def _utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError(f"{value} has no time zone")
    return value.astimezone(UTC)


class Words(TypeDecorator[str]):
    """Text, cleaned when written; blobs that a bot may have put there are read as text."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else clean(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return as_words(value)


class Exact(TypeDecorator[Decimal]):
    """An exact decimal: NUMERIC in PostgreSQL, text in SQLite, which has no decimals."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(sa.Numeric(asdecimal=True))
        return dialect.type_descriptor(sa.Text())

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if dialect.name != "postgresql":
            return exact_text(value)
        check_amounts(value)
        # A zero may have any exponent, and PostgreSQL not any scale.
        return value or Decimal(0)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002
        return as_decimal(value)


class Instant(TypeDecorator[datetime]):
    """An aware UTC instant: TIMESTAMPTZ in PostgreSQL, sortable ISO text in SQLite."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.TIMESTAMP(timezone=True))
        return dialect.type_descriptor(sa.Text())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        return _utc(value) if dialect.name == "postgresql" else instant_text(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return as_instant(value)


class Flag(TypeDecorator[bool]):
    """A boolean; SQLite lets a bot write anything into it."""

    impl = sa.Boolean
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(sa.Boolean())
        return dialect.type_descriptor(sa.Integer())

    def process_bind_param(self, value: bool | None, dialect: Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return value
        return int(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> bool:  # noqa: ARG002
        return as_flag(value)


class Json(TypeDecorator[object]):
    """JSON written by msgspec, which knows decimals (as strings), instants and structs.

    What comes back are plain JSON values. A secret is refused with a TypeError.
    """

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.JSONB())
        return dialect.type_descriptor(sa.Text())

    def process_bind_param(self, value: object | None, dialect: Dialect) -> Any:
        plain = _cleaned(msgspec.to_builtins(value, str_keys=True))
        return plain if dialect.name == "postgresql" else msgspec.json.encode(plain).decode()

    def process_result_value(self, value: Any | None, dialect: Dialect) -> object:
        if dialect.name == "postgresql" or value is None:
            return value
        return msgspec.json.decode(value)


def _cleaned(plain: object) -> object:
    if isinstance(plain, str):
        return clean(plain)
    if isinstance(plain, dict):
        return {_cleaned(key): _cleaned(value) for key, value in plain.items()}
    if isinstance(plain, list | tuple):
        return [_cleaned(value) for value in plain]
    return plain
