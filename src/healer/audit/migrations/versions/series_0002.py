"""The ledger of `healer watch`: which series of an archive are read, stored and reported."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Float, Integer, String

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLE = "healer_watch"
UID = String(64)


def upgrade() -> None:
    op.create_table(
        TABLE,
        Column("archive", UID, primary_key=True),
        Column("model", UID, primary_key=True),
        Column("series", UID, primary_key=True),
        Column("study", UID, nullable=False),
        Column("state", String(16), nullable=False),
        Column("instances", Integer),
        Column("changed", Float, nullable=False),
        Column("due", Float, nullable=False),
        Column("attempts", Integer, nullable=False),
        Column("error", String(64)),
    )
    op.create_index(f"{TABLE}_due", TABLE, ["archive", "model", "state", "due"])
