# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection as it may be one release later, for upgrades."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from tests.integration.hosts.estate import Host

PACKAGE = "ansible_collections/redfleet/events/roles/event_listener/files/event_listener/src/event_listener"

# As a step that only adds has to be: programs of the release before know the one it follows.
STEP = '''"""What the next release adds."""
import sqlalchemy as sa
from alembic import op

revision = "{number:04d}_{before}"
down_revision = "{down}"


def upgrade() -> None:
    op.add_column("event", sa.Column("of_the_next_release", sa.Text))
'''


def next_release(collections: Path, directory: Path) -> Path:
    """The collection as it may be one release later: another version, one more step of the schema."""
    shutil.copytree(collections, directory)
    package = directory / PACKAGE
    init = package / "__init__.py"
    init.write_text(re.sub(r'__version__ = ".*"', '__version__ = "99.0.0"', init.read_text()))
    versions = package / "store" / "migrations" / "versions"
    newest = max(versions.glob("v[0-9]*.py"))
    down = re.search(r'^revision = "(.*)"', newest.read_text(), re.MULTILINE)[1]
    before = down.partition("_")[0]
    step = STEP.format(number=int(before) + 1, before=before, down=down)
    (versions / f"v{int(before) + 1:04d}_next.py").write_text(step)
    return directory


def running(host: Host) -> str:
    """The release that the services were started from."""
    return host.ssh("readlink /opt/event-listener/current").strip()
