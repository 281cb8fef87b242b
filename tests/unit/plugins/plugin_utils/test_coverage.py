# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventory, subscriptions and senders, compared."""

from __future__ import annotations

from ansible_collections.redfleet.events.plugins.plugin_utils import _coverage

URL = "https://listener.example.com/events/"
SECRET = "secret-" + "a" * 32


def held(*destinations, free=None):
    return {"changed": False, "subscriptions": [{"Destination": one} for one in destinations], "free_slots": free}


def source(name, last_seen="2026-11-22T12:00:00Z", state="active"):
    return {"name": name, "state": state, "last_seen": last_seen, "address": "192.0.2.1", "events": 1}


def test_each_finding_and_nothing_else():
    """Ours in any spelling, a secret path that the BMC's answer shows masked, others, strangers, the retired."""
    found = {
        "fine": held("https://LISTENER.example.com:443/events/fine"),
        "masked": held(f"{URL}masked/********"),
        "lost": held("https://other.example.com/x", free=2),
        "shared": held(f"{URL}shared", "https://other.example.com/x", free=3),
        "mute": held(f"{URL}mute"),
        "dead": {"failed": True, "reason": "unreachable", "msg": "no route"},
    }
    declared = {name: f"{URL}{name}" for name in found} | {"masked": f"{URL}masked/{SECRET}"}
    heard = [source(name) for name in ("fine", "masked", "lost", "shared", "dead", "stranger")]
    heard += [source("mute", last_seen=None), source("old", state="retired"), source("event-listener")]
    heard += [source("gone", last_seen="2026-11-01T00:00:00Z", state="retired")]
    report = _coverage.coverage(found, declared, {"sources": heard})
    assert report["findings"] == {
        "never_sent": ["mute"],
        "unknown_sender": ["stranger"],
        "retired_sends": ["old"],
        "not_subscribed": ["lost"],
        "foreign_destination": ["https://other.example.com/x"],
        "unread": ["dead"],
    }
    assert (report["asked"], report["free_slots"]) == (5, 5)
    verdicts = {row["host"]: row["verdict"] for row in report["rows"]}
    assert (verdicts["fine"], verdicts["masked"], verdicts["shared"]) == ("ok", "ok", "ok")
    assert report["bad"] == ["lost", "mute", "dead"]
    assert report["sections"][0]["rows"] == [["https://other.example.com/x", 2, "lost, shared"]]


def test_a_listener_that_heard_nobody():
    """Before the first event."""
    report = _coverage.coverage({"b1": held(f"{URL}b1")}, {"b1": f"{URL}b1"}, {"sources": []})
    assert report["findings"]["never_sent"] == ["b1"]
