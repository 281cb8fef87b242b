# SPDX-License-Identifier: GPL-3.0-or-later
"""Alembic's folder: how the event log's tables came to be, step by step. Expand first, contract a version later."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

FOLDER = Path(__file__).parent


class NewerSchemaError(Exception):
    """The event log was written by a newer version of this program."""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def is_current(connection: Connection) -> bool:
    """Whether the tables are in this version's state. Raises NewerSchemaError."""
    script = ScriptDirectory.from_config(_config())
    current = MigrationContext.configure(connection).get_current_revision()
    if current == script.get_current_head():
        return True
    known = {revision.revision for revision in script.walk_revisions()}
    if current is not None and current not in known:
        raise NewerSchemaError(
            f"the event log has schema {current}, which this version doesn't know; "
            "use the version that wrote it, or restore a backup from before the upgrade"
        )
    return False


def upgrade(connection: Connection) -> None:
    """Bring the tables to this version's state, in the caller's transaction. Raises NewerSchemaError."""
    if is_current(connection):
        return
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
