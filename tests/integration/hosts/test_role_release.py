# SPDX-License-Identifier: GPL-3.0-or-later
"""From one release to the next and back on a booted host, with events coming all the time."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.integration.hosts.deployment import Deployment
from tests.integration.hosts.on_host import Traffic, stored
from tests.integration.listener_process import wait_for

pytestmark = [pytest.mark.root, pytest.mark.slow]

ONE_RELEASE = pytest.mark.parametrize("estate", ["bookworm"], indirect=True)
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


def schema(host) -> str:
    """The step that the event log's tables are at."""
    ask = "sqlite3.connect('/var/lib/event-listener/log/events.db').execute('SELECT * FROM alembic_version')"
    return host.ssh(f'python3 -c "import sqlite3; print({ask}.fetchone()[0])"', root=True).strip()


def running(host) -> str:
    """The release that the services were started from."""
    return host.ssh("readlink /opt/event-listener/current").strip()


@ONE_RELEASE
def test_one_release_up_and_back_with_events_flowing(deployed, collections, tmp_path, progress):
    """Nobody is refused, nothing acknowledged is lost; the older program goes on with the newer schema."""
    host, play = deployed.host, deployed.deployment
    later = Deployment(
        play.estate,
        play.directory,
        next_release(collections, tmp_path / "next"),
        Path(play.variables["event_listener_wheels"]),
    )
    before, first = schema(host), running(host)
    with Traffic(play.estate, host, "flowing") as traffic:
        up = later.good("listener")
        assert running(host).startswith("releases/99.0.0+")
        wait_for(lambda: schema(host) != before, 60)
        back = play.good("listener")
        assert running(host) == first
        count = len(traffic.acknowledged)
        wait_for(lambda: len(traffic.acknowledged) > count + 5, 60)
    progress(
        f"{host.name}: upgrade {up.seconds:.1f} s, back {back.seconds:.1f} s, "
        f"{len(traffic.acknowledged)} events acknowledged, {traffic.again} told to come again"
    )
    assert traffic.refused == []
    assert stored(host, traffic.acknowledged, timeout=60) == traffic.acknowledged
    assert schema(host) != before
