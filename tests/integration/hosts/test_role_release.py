# SPDX-License-Identifier: GPL-3.0-or-later
"""From one release to the next and back on a booted host, with events coming all the time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.hosts.deployment import Deployment
from tests.integration.hosts.next_release import next_release, running
from tests.integration.hosts.on_host import Traffic, stored
from tests.integration.listener_process import wait_for

pytestmark = [pytest.mark.root, pytest.mark.slow]

ONE_RELEASE = pytest.mark.parametrize("estate", ["bookworm"], indirect=True)


def schema(host) -> str:
    """The step that the event log's tables are at."""
    ask = "sqlite3.connect('/var/lib/event-listener/log/events.db').execute('SELECT * FROM alembic_version')"
    return host.ssh(f'python3 -c "import sqlite3; print({ask}.fetchone()[0])"', root=True).strip()


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
