# SPDX-License-Identifier: GPL-3.0-or-later
"""What ingest knows of the registry follows the file, and a torn file doesn't forget the fleet."""

from __future__ import annotations

from pathlib import Path

import pytest
from event_listener import registry_snapshot
from event_listener.registry_snapshot import RegistryView, SourceEntry, snapshot_path, write_snapshot


@pytest.fixture(autouse=True)
def _look_every_time(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(registry_snapshot, "RECHECK_SECONDS", 0.0)


def test_by_name_and_by_address(tmp_path: Path):
    """An id in the path is never looked up as an address: it was chosen by the one who subscribed."""
    write_snapshot(tmp_path, [SourceEntry("bmc-1", "::ffff:10.0.0.1"), SourceEntry("bmc-2", response_status=204)])
    view = RegistryView(tmp_path)
    assert view.find("bmc-2", "10.0.0.9").response_status == 204
    assert view.find(None, "10.0.0.1").name == "bmc-1"
    assert view.find("10.0.0.1", "10.0.0.1") is None
    assert view.find(None, "10.0.0.9") is None


def test_changes_are_seen_and_damage_is_survived(tmp_path: Path):
    """The last good one stays in use, and there is a sentence about it."""
    view = RegistryView(tmp_path)
    assert view.find("bmc-1", "") is None
    write_snapshot(tmp_path, [SourceEntry("bmc-1")])
    assert view.find("bmc-1", "").state == "active"
    snapshot_path(tmp_path).write_text('{"sources": [{')
    assert view.find("bmc-1", "") is not None
    assert "can't be read" in view.problem
    write_snapshot(tmp_path, [SourceEntry("bmc-1", state="retired")])
    assert view.find("bmc-1", "").state == "retired"
    assert view.problem == ""
    snapshot_path(tmp_path).unlink()
    assert view.find("bmc-1", "") is None
