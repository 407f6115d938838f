"""The tables' version: Alembic's, in the package."""

from __future__ import annotations

from pathlib import Path

import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from healer.errors.audit import AuditOutdated

VERSION_TABLE = "healer_audit_version"
log = structlog.get_logger(__name__)


def upgrade_schema(connection: Connection) -> None:
    """Bring the tables to the newest version; raises AuditOutdated where they are newer still."""
    before = current_schema(connection)
    _known(before)
    if before == latest_schema():
        return
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    log.info("audit log upgraded", found=before or "none", version=latest_schema())


def require_current(connection: Connection) -> None:
    """Raises AuditOutdated."""
    if (version := current_schema(connection)) != latest_schema():
        raise AuditOutdated(version or "none", latest_schema())


def current_schema(connection: Connection) -> str | None:
    options = {"version_table": VERSION_TABLE}
    return MigrationContext.configure(connection, opts=options).get_current_revision()


def latest_schema() -> str:
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def _known(version: str | None) -> None:
    versions = {
        script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()
    }
    if version is not None and version not in versions:
        raise AuditOutdated(version, latest_schema())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("version_table", VERSION_TABLE)
    config.set_main_option("path_separator", "os")
    return config
