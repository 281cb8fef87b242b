# SPDX-License-Identifier: GPL-3.0-or-later
"""Refused attempts by source: all workers together, bounded, written now and then."""

from __future__ import annotations

import os

from event_listener import refusals
from event_listener.refusals import Refusals, refused


def test_workers_are_added_up(tmp_path, monkeypatch):
    """By reason; one file and one write for many attempts; an earlier run is forgotten."""
    refusals.begin(tmp_path)
    waiting = []
    for worker, reasons in ((1, ["path", "path", "network"]), (2, ["path"])):
        monkeypatch.setattr(os, "getpid", lambda worker=worker: worker)
        table = Refusals(tmp_path, lambda _seconds, action: waiting.append(action))
        for reason in reasons:
            table.note("bmc1", reason)
    assert len(waiting) == 2
    assert refused(tmp_path) == {}
    for write in waiting:
        write()
    found = refused(tmp_path)["bmc1"]
    assert (found.reasons, found.count) == ({"path": 3, "network": 1}, 4)
    assert found.last_ns > 0
    refusals.begin(tmp_path)
    assert refused(tmp_path) == {}


def test_strangers_cannot_fill_the_memory(tmp_path, monkeypatch):
    """Who was refused longest ago goes first."""
    monkeypatch.setattr(refusals, "MOST", 3)
    refusals.begin(tmp_path)
    waiting = []
    table = Refusals(tmp_path, lambda _seconds, action: waiting.append(action))
    for name in "abacd":
        table.note(name, "path")
    waiting[0]()
    assert sorted(refused(tmp_path)) == ["a", "c", "d"]
