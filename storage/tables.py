"""The tables as the program uses them; `migrations/` makes them, and a test holds both equal.

Defaults live in the database, since a bot adds a position with a six-column INSERT.
"""

from __future__ import annotations

import sqlalchemy as sa

from storage.columns import BIG, Exact, Flag, Instant, Json, Words

HEAD = "0004"
"""The schema version that this program reads and writes."""

metadata = sa.MetaData()

positions = sa.Table(
    "positions",
    metadata,
    sa.Column("id", BIG, primary_key=True),
    sa.Column("account", Words, nullable=False),
    sa.Column("symbol", Words, nullable=False),
    sa.Column("side", Words, nullable=False),
    sa.Column("quantity", Exact),
    sa.Column("entry_price", Exact),
    sa.Column("opened_at", Instant),
    sa.Column("status", Words, nullable=False, server_default="active"),
    sa.Column("stop_price", Exact),
    sa.Column("trailing_active", Flag, nullable=False, server_default=sa.false()),
    sa.Column("held", Flag, nullable=False, server_default=sa.false()),
    sa.Column("exit_price", Exact),
    sa.Column("exit_source", Words),
    sa.Column("exit_reason", Words),
    sa.Column("realized_pnl", Exact),
    sa.Column("closed_at", Instant),
    sa.Column("updated_at", Instant, nullable=False),
    # Tells our writes from a bot's: triggers stamp what leaves it at zero or as it was.
    sa.Column("revision", sa.Integer, nullable=False, server_default="0"),
    sa.Column("closing_event", Words),
    sa.Column("request_id", Words, unique=True),
    sa.CheckConstraint("status IN ('active', 'closed')", name="positions_status"),
    sa.Index("positions_account_status", "account", "status"),
    sa.Index("positions_symbol", "symbol"),
    sqlite_autoincrement=True,
)
sa.Index(
    "positions_closed",
    positions.c.account,
    positions.c.updated_at,
    sqlite_where=positions.c.status == sa.literal_column("'closed'"),
    postgresql_where=positions.c.status == sa.literal_column("'closed'"),
)

last_seen = sa.Table(
    "last_seen",
    metadata,
    sa.Column("account", Words, primary_key=True),
    sa.Column("symbol", Words, primary_key=True),
    sa.Column("side", Words, primary_key=True),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("finished_at", Instant, nullable=False),
    sa.Column("quantity", Exact, nullable=False),
    sa.Column("entry_price", Exact),
    sa.Column("changed_at", Instant),
)

# Its leg is the one that was judged, in ccxt's unified symbol; a row's symbol is the bot's.
booked_fills = sa.Table(
    "booked_fills",
    metadata,
    sa.Column("account", Words, primary_key=True),
    sa.Column("symbol", Words, primary_key=True),
    sa.Column("fill_id", Words, primary_key=True),
    sa.Column("row_id", BIG, primary_key=True, autoincrement=False),
    sa.Column("side", Words, nullable=False),
    sa.Column("order_id", Words, nullable=False),
    sa.Column("quantity", Exact, nullable=False),
    sa.Column("closed_at", Instant, nullable=False),
    sa.Column("booked_at", Instant, nullable=False),
    sa.Index("booked_fills_leg", "account", "symbol", "side", "booked_at"),
)

intents = sa.Table(
    "intents",
    metadata,
    sa.Column("seq", BIG, primary_key=True),
    sa.Column("client_order_id", Words, nullable=False, unique=True),
    sa.Column("account", Words, nullable=False),
    sa.Column("symbol", Words, nullable=False),
    sa.Column("side", Words, nullable=False),
    sa.Column("purpose", Words, nullable=False),
    sa.Column("row_ids", Json, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("type", Words, nullable=False),
    sa.Column("quantity", Exact, nullable=False),
    sa.Column("seen_quantity", Exact, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("price", Exact),
    sa.Column("trigger_price", Exact),
    sa.Column("hedged", Flag, nullable=False),
    sa.Column("phase", Words, nullable=False),
    sa.Column("state", Words, nullable=False),
    sa.Column("order_id", Words, nullable=False),
    sa.Column("filled", Exact, nullable=False),
    sa.Column("average", Exact),
    sa.Column("fee", Exact, nullable=False),
    sa.Column("error", Words, nullable=False),
    sa.Column("settled_at", Instant),
    sa.Column("booked", Flag, nullable=False),
    sa.Index("intents_leg", "account", "symbol", "side"),
    sa.Index("intents_state", "state"),
    sqlite_autoincrement=True,
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("seq", BIG, primary_key=True),
    sa.Column("event_id", Words, nullable=False, unique=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("kind", Words, nullable=False),
    sa.Column("account", Words, nullable=False),
    sa.Column("symbol", Words, nullable=False),
    sa.Column("side", Words, nullable=False),
    sa.Column("actor", Words, nullable=False),
    sa.Column("details", Json, nullable=False),
    sa.Index("events_at", "at"),
    sa.Index("events_account", "account", "seq"),
    sa.Index("events_symbol", "symbol", "seq"),
    sa.Index("events_kind", "kind", "seq"),
    sqlite_autoincrement=True,
)

alerts = sa.Table(
    "alerts",
    metadata,
    sa.Column("id", BIG, primary_key=True),
    sa.Column("type", Words, nullable=False),
    sa.Column("level", Words, nullable=False),
    sa.Column("dedup_key", Words, nullable=False),
    sa.Column("title", Words, nullable=False),
    sa.Column("account", Words, nullable=False),
    sa.Column("symbol", Words, nullable=False),
    sa.Column("side", Words, nullable=False),
    sa.Column("seen", Words, nullable=False),
    sa.Column("done", Words, nullable=False),
    sa.Column("next_step", Words, nullable=False),
    sa.Column("details", Json, nullable=False),
    sa.Column("lasting", Flag, nullable=False),
    sa.Column("raised_at", Instant, nullable=False),
    sa.Column("last_seen_at", Instant, nullable=False),
    sa.Column("reminded_at", Instant),
    sa.Column("reminders", sa.Integer, nullable=False),
    sa.Column("acked_at", Instant),
    sa.Column("acked_by", Words, nullable=False),
    sa.Column("resolved_at", Instant),
    sa.Column("resolution", Words, nullable=False),
    sqlite_autoincrement=True,
)
sa.Index(
    "alerts_open",
    alerts.c.dedup_key,
    unique=True,
    sqlite_where=alerts.c.resolved_at.is_(None),
    postgresql_where=alerts.c.resolved_at.is_(None),
)
sa.Index("alerts_key", alerts.c.dedup_key)

aged = sa.Table(
    "aged",
    metadata,
    sa.Column("account", Words, primary_key=True),
    sa.Column("symbol", Words, primary_key=True),
    sa.Column("side", Words, primary_key=True),
    sa.Column("row_ids", Json, nullable=False),
    sa.Column("phase", Words, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("operator_needed", Words, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
)

orphans = sa.Table(
    "orphans",
    metadata,
    sa.Column("account", Words, primary_key=True),
    sa.Column("symbol", Words, primary_key=True),
    sa.Column("side", Words, primary_key=True),
    sa.Column("first_seen_at", Instant, nullable=False),
    sa.Column("action", Words, nullable=False),
    sa.Column("acted_at", Instant),
)

# What was done about orphans outlives the orphan, since the hourly cap counts it.
orphan_actions = sa.Table(
    "orphan_actions",
    metadata,
    sa.Column("account", Words, primary_key=True),
    sa.Column("symbol", Words, primary_key=True),
    sa.Column("side", Words, primary_key=True),
    sa.Column("acted_at", Instant, primary_key=True),
    sa.Column("action", Words, nullable=False),
)

counters = sa.Table(
    "counters",
    metadata,
    sa.Column("account", Words, primary_key=True),
    sa.Column("name", Words, primary_key=True),
    sa.Column("value", BIG, nullable=False),
)

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("account", Words, primary_key=True),
    sa.Column("holder", Words, nullable=False),
    sa.Column("token", BIG, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("id", BIG, primary_key=True),
    sa.Column("alert_id", BIG, sa.ForeignKey("alerts.id"), nullable=False),
    sa.Column("kind", Words, nullable=False),
    sa.Column("channel", Words, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("tried_at", Instant),
    sa.Column("last_error", Words, nullable=False, server_default=""),
    sa.Column("delivered_at", Instant),
    sqlite_autoincrement=True,
)
sa.Index(
    "deliveries_pending",
    deliveries.c.id,
    sqlite_where=deliveries.c.delivered_at.is_(None),
    postgresql_where=deliveries.c.delivered_at.is_(None),
)
sa.Index("deliveries_alert", deliveries.c.alert_id)

# Unique for all accounts of an exchange: one login under two names would judge the same legs twice.
identities = sa.Table(
    "identities",
    metadata,
    sa.Column("account", Words, primary_key=True),
    sa.Column("exchange", Words, nullable=False),
    sa.Column("identity", Words, nullable=False),
    sa.Column("stored_at", Instant, nullable=False),
    sa.UniqueConstraint("exchange", "identity", name="identities_once"),
)

commands = sa.Table(
    "commands",
    metadata,
    sa.Column("id", BIG, primary_key=True),
    sa.Column("kind", Words, nullable=False),
    sa.Column("account", Words, nullable=False),
    sa.Column("symbol", Words, nullable=False),
    sa.Column("side", Words, nullable=False),
    sa.Column("row_ids", Json, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("given_by", Words, nullable=False),
    sa.Column("why", Words, nullable=False),
    sa.Column("request_id", Words, unique=True),
    sa.Column("given_at", Instant, nullable=False),
    sa.Column("state", Words, nullable=False),
    sa.Column("begun_at", Instant),
    sa.Column("ended_at", Instant),
    sa.Column("outcome", Words, nullable=False),
    sa.Index("commands_leg", "account", "symbol", "side"),
    sa.Index("commands_state", "state"),
    sqlite_autoincrement=True,
)

# One row: the id that was made with the database.
origin = sa.Table(
    "origin",
    metadata,
    sa.Column("one", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("ledger_id", Words, nullable=False),
    sa.CheckConstraint("one = 1", name="origin_once"),
)
