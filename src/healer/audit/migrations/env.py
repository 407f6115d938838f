"""Run by Alembic, on the connection and in the transaction of `database.upgrade_schema`."""

from __future__ import annotations

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table=context.config.get_main_option("version_table"),
)
context.run_migrations()
