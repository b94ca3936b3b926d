"""Positions, intents, events, alerts, and what survives of aged legs and orphans."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
EXACT = sa.Text().with_variant(sa.Numeric(), "postgresql")
INSTANT = sa.Text().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
FLAG = sa.Integer().with_variant(sa.Boolean(), "postgresql")
JSON = sa.Text().with_variant(postgresql.JSONB(), "postgresql")

SQLITE_NOW = "strftime('%Y-%m-%d %H:%M:%f000+00:00', 'now')"

SQLITE_TRIGGERS = (
    # Nothing from outside is in this statement.
    f"""CREATE TRIGGER positions_touched AFTER UPDATE ON positions FOR EACH ROW
        WHEN NEW.revision = OLD.revision
        BEGIN
            UPDATE positions SET updated_at = {SQLITE_NOW}, revision = OLD.revision + 1
            WHERE id = NEW.id;
        END""",  # noqa: S608
    """CREATE TRIGGER events_append_only BEFORE UPDATE ON events
        BEGIN SELECT RAISE(ABORT, 'events are append-only'); END""",
)
POSTGRES_TRIGGERS = (
    """CREATE FUNCTION positions_touched() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.updated_at := clock_timestamp();
            NEW.revision := OLD.revision + 1;
            RETURN NEW;
        END $$""",
    """CREATE TRIGGER positions_touched BEFORE UPDATE ON positions FOR EACH ROW
        WHEN (NEW.revision = OLD.revision) EXECUTE FUNCTION positions_touched()""",
    """CREATE FUNCTION events_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'events are append-only'; END $$""",
    """CREATE TRIGGER events_append_only BEFORE UPDATE ON events
        FOR EACH ROW EXECUTE FUNCTION events_append_only()""",
)


def text(name: str, **kw: object) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False, **kw)  # type: ignore[arg-type]  # passed on


def leg(*, primary_key: bool = False) -> list[sa.Column[str]]:
    return [text(name, primary_key=primary_key) for name in ("account", "symbol", "side")]


def upgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    op.create_table(
        "positions",
        sa.Column("id", BIG, primary_key=True),
        *leg(),
        sa.Column("quantity", EXACT),
        sa.Column("entry_price", EXACT),
        sa.Column("opened_at", INSTANT),
        text("status", server_default="active"),
        sa.Column("stop_price", EXACT),
        sa.Column("trailing_active", FLAG, nullable=False, server_default=sa.false()),
        sa.Column("held", FLAG, nullable=False, server_default=sa.false()),
        sa.Column("exit_price", EXACT),
        sa.Column("exit_source", sa.Text()),
        sa.Column("exit_reason", sa.Text()),
        sa.Column("realized_pnl", EXACT),
        sa.Column("closed_at", INSTANT),
        sa.Column(
            "updated_at",
            INSTANT,
            nullable=False,
            server_default=sa.text(f"({SQLITE_NOW})" if sqlite else "clock_timestamp()"),
        ),
        sa.Column("revision", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("closing_event", sa.Text()),
        sa.Column("request_id", sa.Text(), unique=True),
        sa.CheckConstraint("status IN ('active', 'closed')", name="positions_status"),
        sqlite_autoincrement=True,
    )
    op.create_index("positions_account_status", "positions", ["account", "status"])
    op.create_index("positions_symbol", "positions", ["symbol"])
    op.create_table(
        "intents",
        sa.Column("seq", BIG, primary_key=True),
        text("client_order_id", unique=True),
        *leg(),
        text("purpose"),
        sa.Column("row_ids", JSON, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        text("type"),
        sa.Column("quantity", EXACT, nullable=False),
        sa.Column("seen_quantity", EXACT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("price", EXACT),
        sa.Column("trigger_price", EXACT),
        sa.Column("hedged", FLAG, nullable=False),
        text("phase"),
        text("state"),
        text("order_id"),
        sa.Column("filled", EXACT, nullable=False),
        sa.Column("average", EXACT),
        sa.Column("fee", EXACT, nullable=False),
        text("error"),
        sa.Column("settled_at", INSTANT),
        sa.Column("booked", FLAG, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("intents_leg", "intents", ["account", "symbol", "side"])
    op.create_index("intents_state", "intents", ["state"])
    op.create_table(
        "events",
        sa.Column("seq", BIG, primary_key=True),
        text("event_id", unique=True),
        sa.Column("at", INSTANT, nullable=False),
        text("kind"),
        *leg(),
        text("actor"),
        sa.Column("details", JSON, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("events_at", "events", ["at"])
    for name in ("account", "symbol", "kind"):
        op.create_index(f"events_{name}", "events", [name, "seq"])
    op.create_table(
        "alerts",
        sa.Column("id", BIG, primary_key=True),
        *(text(name) for name in ("type", "level", "dedup_key", "title")),
        *leg(),
        *(text(name) for name in ("seen", "done", "next_step")),
        sa.Column("details", JSON, nullable=False),
        sa.Column("lasting", FLAG, nullable=False),
        sa.Column("raised_at", INSTANT, nullable=False),
        sa.Column("last_seen_at", INSTANT, nullable=False),
        sa.Column("reminded_at", INSTANT),
        sa.Column("reminders", sa.Integer(), nullable=False),
        sa.Column("acked_at", INSTANT),
        text("acked_by"),
        sa.Column("resolved_at", INSTANT),
        text("resolution"),
        sqlite_autoincrement=True,
    )
    is_open = sa.text("resolved_at IS NULL")
    op.create_index(
        "alerts_open",
        "alerts",
        ["dedup_key"],
        unique=True,
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
    op.create_index("alerts_key", "alerts", ["dedup_key"])
    op.create_table(
        "aged",
        *leg(primary_key=True),
        sa.Column("row_ids", JSON, nullable=False),
        text("phase"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        text("operator_needed"),
        sa.Column("updated_at", INSTANT, nullable=False),
    )
    op.create_table(
        "orphans",
        *leg(primary_key=True),
        sa.Column("first_seen_at", INSTANT, nullable=False),
        text("action"),
        sa.Column("acted_at", INSTANT),
    )
    op.create_table(
        "orphan_actions",
        *leg(primary_key=True),
        sa.Column("acted_at", INSTANT, primary_key=True),
        text("action"),
    )
    op.create_table(
        "counters",
        text("account", primary_key=True),
        text("name", primary_key=True),
        sa.Column("value", BIG, nullable=False),
    )
    for statement in SQLITE_TRIGGERS if sqlite else POSTGRES_TRIGGERS:
        op.execute(statement)
