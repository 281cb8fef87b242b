# SPDX-License-Identifier: GPL-3.0-or-later
"""Alembic's folder: how the event log's tables came to be, step by step. Expand first, contract a version later.

Hosts that share a log are upgraded one by one, so a step that only adds is named `<number>_<oldest>`: programs that
know step `<oldest>` work with it. A step named by its number alone needs all programs to know it.
"""

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
    """Whether this version can work with the tables as they are. Raises NewerSchemaError where it never can."""
    script = ScriptDirectory.from_config(_config())
    current, head = MigrationContext.configure(connection).get_current_revision(), script.get_current_head()
    if current == head:
        return True
    known = {revision.revision for revision in script.walk_revisions()}
    if current is not None and current not in known:
        if head is not None and "" < current.partition("_")[2] <= head.partition("_")[0]:
            return True
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
