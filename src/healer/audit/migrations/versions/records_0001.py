"""The table of records, and what keeps it append-only."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, String, Text

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLE = "healer_audit"
HASH = String(64)
NUMBER = BigInteger().with_variant(Integer, "sqlite")  # SQLite's own row number: it has no other

# REPLACE deletes what it collides with and does not run the trigger on DELETE, so an insert may
# only ever add the next record.
SQLITE = f"""
CREATE TRIGGER {TABLE}_next BEFORE INSERT ON {TABLE}
WHEN NEW.sequence <> (SELECT coalesce(max(sequence), 0) + 1 FROM {TABLE})
OR EXISTS (SELECT 1 FROM {TABLE} WHERE hash = NEW.hash OR previous = NEW.previous)
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER {TABLE}_no_update BEFORE UPDATE ON {TABLE}
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER {TABLE}_no_delete BEFORE DELETE ON {TABLE}
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
"""  # noqa: S608 - our own name
POSTGRESQL = f"""
CREATE FUNCTION {TABLE}_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$;
CREATE TRIGGER {TABLE}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {TABLE}
FOR EACH STATEMENT EXECUTE FUNCTION {TABLE}_append_only();
ALTER TABLE {TABLE} ENABLE ALWAYS TRIGGER {TABLE}_append_only;
"""


def upgrade() -> None:
    op.create_table(
        TABLE,
        Column("sequence", NUMBER, primary_key=True, autoincrement=False),
        Column("previous", HASH, nullable=False, unique=True),
        Column("hash", HASH, nullable=False, unique=True),
        Column("kind", String(16), nullable=False),
        Column("request_id", String(64), index=True),
        Column("file_sha256", HASH, index=True),
        Column("pixels_sha256", HASH, index=True),
        Column("body", Text, nullable=False),
    )
    if op.get_bind().dialect.name == "sqlite":
        for trigger in SQLITE.split("END;")[:-1]:
            op.execute(f"{trigger}END")
    else:
        op.execute(POSTGRESQL)
