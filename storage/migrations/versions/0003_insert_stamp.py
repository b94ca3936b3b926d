"""A bot that names `updated_at` in its INSERT doesn't decide it: its clock or zone may be off.

A stamp in the future would make every read of the venue look older than the row.
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"

SQLITE = """CREATE TRIGGER positions_written AFTER INSERT ON positions FOR EACH ROW
    WHEN NEW.revision = 0
    BEGIN
        UPDATE positions
        SET updated_at = strftime('%Y-%m-%d %H:%M:%f000+00:00', 'now'), revision = 1
        WHERE id = NEW.id;
    END"""
POSTGRES = (
    """CREATE FUNCTION positions_written() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.updated_at := clock_timestamp();
            NEW.revision := 1;
            RETURN NEW;
        END $$""",
    """CREATE TRIGGER positions_written BEFORE INSERT ON positions FOR EACH ROW
        WHEN (NEW.revision = 0) EXECUTE FUNCTION positions_written()""",
)


def upgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in (SQLITE,) if sqlite else POSTGRES:
        op.execute(statement)
