"""What was last seen, fills by row, identities, commands, and the ledger's own id."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
EXACT = sa.Text().with_variant(sa.Numeric(), "postgresql")
INSTANT = sa.Text().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
JSON = sa.Text().with_variant(postgresql.JSONB(), "postgresql")

ID_BYTES = 16


def text(name: str, **kw: object) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False, **kw)  # type: ignore[arg-type]  # passed on


def leg(*, primary_key: bool = False) -> list[sa.Column[str]]:
    return [text(name, primary_key=primary_key) for name in ("account", "symbol", "side")]


def upgrade() -> None:
    op.create_table(
        "last_seen",
        *leg(primary_key=True),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("finished_at", INSTANT, nullable=False),
        sa.Column("quantity", EXACT, nullable=False),
        sa.Column("entry_price", EXACT),
        sa.Column("changed_at", INSTANT),
    )
    op.create_table(
        "booked_fills",
        text("account", primary_key=True),
        text("symbol", primary_key=True),
        text("fill_id", primary_key=True),
        sa.Column("row_id", BIG, primary_key=True, autoincrement=False),
        text("side"),
        text("order_id"),
        sa.Column("quantity", EXACT, nullable=False),
        sa.Column("closed_at", INSTANT, nullable=False),
        sa.Column("booked_at", INSTANT, nullable=False),
    )
    op.create_index("booked_fills_leg", "booked_fills", ["account", "symbol", "side", "booked_at"])
    is_closed = sa.text("status = 'closed'")
    op.create_index(
        "positions_closed",
        "positions",
        ["account", "updated_at"],
        sqlite_where=is_closed,
        postgresql_where=is_closed,
    )
    op.create_table(
        "identities",
        text("account", primary_key=True),
        text("exchange"),
        text("identity"),
        sa.Column("stored_at", INSTANT, nullable=False),
        sa.UniqueConstraint("exchange", "identity", name="identities_once"),
    )
    op.create_table(
        "commands",
        sa.Column("id", BIG, primary_key=True),
        text("kind"),
        *leg(),
        sa.Column("row_ids", JSON, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        text("given_by"),
        text("why"),
        sa.Column("request_id", sa.Text(), unique=True),
        sa.Column("given_at", INSTANT, nullable=False),
        text("state"),
        sa.Column("begun_at", INSTANT),
        sa.Column("ended_at", INSTANT),
        text("outcome"),
        sqlite_autoincrement=True,
    )
    op.create_index("commands_leg", "commands", ["account", "symbol", "side"])
    op.create_index("commands_state", "commands", ["state"])
    origin = op.create_table(
        "origin",
        sa.Column("one", sa.Integer(), primary_key=True, autoincrement=False),
        text("ledger_id"),
        sa.CheckConstraint("one = 1", name="origin_once"),
    )
    given = context.config.attributes.get("ledger_id")
    op.bulk_insert(origin, [{"one": 1, "ledger_id": given or secrets.token_hex(ID_BYTES)}])
