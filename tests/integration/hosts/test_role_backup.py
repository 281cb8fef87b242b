# SPDX-License-Identifier: GPL-3.0-or-later
"""Backup and restore of a listener on a booted host: its data is destroyed, and events keep coming all the time."""

from __future__ import annotations

import pytest

from tests.integration.hosts.on_host import Traffic, api_events, post
from tests.integration.listener_process import wait_for

pytestmark = [pytest.mark.root, pytest.mark.slow]

ONE_RELEASE = pytest.mark.parametrize("estate", ["bookworm"], indirect=True)


@ONE_RELEASE
def test_a_destroyed_event_log_is_restored_while_events_arrive(deployed, tmp_path):
    """All that was acknowledged before the backup, and since the loss, is in the log again; nobody was refused."""
    host, play = deployed.host, deployed.deployment
    with play.estate.network():
        before = {f"before-backup-{number}" for number in range(20)}
        assert {post(host.address, marker) for marker in before} == {200}
    with Traffic(play.estate, host, "during-backup"):
        play.good("backup", backup_name="first", backup_fetch_to=str(tmp_path / "backups"))
    names = {path.name for path in (tmp_path / "backups" / host.name / "first").iterdir()}
    assert names == {"backup.json", "journal.db", "events.db"}
    assert host.ssh("stat -c '%a %U' /var/backups/event-listener/first", root=True).strip() == "700 event-listener"
    missing = play.play("restore")
    assert missing.returncode != 0
    assert "Name the backup" in missing.output
    assert missing.recap("changed") == 0

    host.ssh(
        "systemctl stop event-listener-relay event-listener-manage && "
        "rm -r /var/backups/event-listener /var/lib/event-listener/log /var/lib/event-listener/sinks && "
        "systemctl start event-listener-relay event-listener-manage",
        root=True,
    )
    with Traffic(play.estate, host, "since-loss") as traffic:
        wait_for(lambda: traffic.acknowledged & api_events(host), 60)
        play.good("restore", backup_name="first", backup_fetch_to=str(tmp_path / "backups"))
        wait_for(lambda: before <= api_events(host), 60)
        count = len(traffic.acknowledged)
        wait_for(lambda: len(traffic.acknowledged) > count, 60)
    assert traffic.refused == []
    # What was indexed between the loss and the restoration is in the log that was set aside.
    aside = host.ssh("ls -d /var/lib/event-listener/set-aside/*-events", root=True).split()
    assert len(aside) == 1
    script = "import sqlite3; print(*(row[0] for row in sqlite3.connect('PATH').execute('SELECT event_id FROM event')))"
    held = host.ssh(f'python3 -c "{script.replace("PATH", f"{aside[0]}/events.db")}"', root=True)
    wait_for(lambda: traffic.acknowledged <= api_events(host) | set(held.split()), 60)
    host.ssh("rm -r /var/backups/event-listener", root=True)
