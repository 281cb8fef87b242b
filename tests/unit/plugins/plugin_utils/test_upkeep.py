# SPDX-License-Identifier: GPL-3.0-or-later
"""What is due, and what a run did."""

from __future__ import annotations

import pytest
from ansible_collections.redfleet.events.plugins.plugin_utils import _upkeep

NOW = "2026-11-22T12:00:00Z"
CALM = {
    "registered": "2026-11-01T00:00:00Z",
    "complete": "2026-11-22T11:50:00Z",
    "checked": "2026-11-22T11:53:00Z",
    "verdict": "ok",
    "repaired": None,
    "last_proven": "2026-11-20T00:00:00Z",
    "last_asked": "2026-11-20T00:00:00Z",
}
OUTAGE = {"began": "2026-11-22T11:52:00Z", "ended": "2026-11-22T11:57:00Z", "seconds": 300.0, "listener": ""}


def plan(source=None, outages=(), hosts=("b1",), **settings):
    known = dict.fromkeys(hosts, CALM if source is None else source)
    return _upkeep.plan(list(hosts), {"now": NOW, "outages": list(outages), "known": known}, settings)


def test_a_calm_fleet_is_left_alone():
    """Nothing is asked of any BMC."""
    assert plan()["hosts"] == {}


@pytest.mark.parametrize(
    ("change", "gap"),
    [
        ({"checked": "2026-11-22T10:59:00Z"}, False),
        ({"checked": None}, False),
        ({"verdict": "unreachable"}, False),
        ({"verdict": "failed"}, False),
        ({"repaired": "2026-11-22T11:53:00Z"}, True),
    ],
)
def test_who_is_due(change, gap):
    """Its turn, trouble the last time, or a subscription restored after the time up to which all is known."""
    assert plan({**CALM, **change})["hosts"] == {
        "b1": {"start": "2026-11-22T11:49:00+00:00", "gap": gap, "prove": False}
    }


def test_after_an_outage_everybody_is_due_until_it_is_filled():
    """A short one is none; one that is complete is over."""
    assert plan(outages=[OUTAGE], hosts=("b1", "b2"))["hosts"].keys() == {"b1", "b2"}
    assert plan(outages=[OUTAGE])["hosts"]["b1"]["gap"]
    assert plan(outages=[{**OUTAGE, "seconds": 59.0}])["hosts"] == {}
    assert plan({**CALM, "complete": "2026-11-22T11:57:30Z"}, [OUTAGE])["hosts"] == {}


def test_refused_credentials_wait_for_their_turn():
    """Asked every few minutes with a wrong password, a BMC would lock the account."""
    refused = {**CALM, "verdict": "refused"}
    assert plan(refused, [OUTAGE])["hosts"] == {}
    assert "b1" in plan({**refused, "checked": "2026-11-22T10:00:00Z"})["hosts"]


def test_what_is_young_is_not_backfilled_and_what_is_old_neither():
    """BMCs may still deliver the one, and the other is too long ago."""
    found = plan({**CALM, "complete": "2026-01-01T00:00:00Z", "checked": None}, settle="5m", look_back="2d")
    assert found["until"] == "2026-11-22T11:55:00+00:00"
    assert found["hosts"]["b1"]["start"] == "2026-11-20T12:00:00+00:00"


def test_a_new_source_is_incomplete_from_its_registration():
    """What happened before was never ours."""
    new = {**dict.fromkeys(CALM), "registered": "2026-11-22T11:59:00Z"}
    assert plan(new)["hosts"]["b1"]["start"] == "2026-11-22T11:58:00+00:00"


def test_proofs_are_spread():
    """Those longest without come first, so many per run; who was asked within the turn is not asked again."""
    known = {
        "never": {**CALM, "last_proven": None, "last_asked": None},
        "old": {**CALM, "last_proven": "2026-10-01T00:00:00Z"},
        "older": {**CALM, "last_proven": "2026-09-01T00:00:00Z"},
        "silent": {**CALM, "last_proven": None, "last_asked": "2026-11-22T11:30:00Z"},
        "fresh": CALM,
    }
    found = _upkeep.plan(list(known), {"now": NOW, "outages": [], "known": known}, {"prove_at_most": 2})
    assert {name for name, one in found["hosts"].items() if one["prove"]} == {"never", "older"}
    assert set(found["hosts"]) == {"never", "older"}


@pytest.mark.parametrize("text", ["hourly", "", "1w", "-5m", "5 m"])
def test_what_is_no_age_is_refused(text):
    """With an example."""
    with pytest.raises(ValueError, match="such as 5m"):
        plan(every=text)


DUE = {"start": "2026-11-22T11:49:00+00:00", "gap": False, "prove": False}
PLAN = {
    "until": "2026-11-22T11:57:00+00:00",
    "hosts": {
        "ok": DUE,
        "lost": DUE,
        "gap": {**DUE, "gap": True},
        "dead": {**DUE, "gap": True},
        "turn": {**DUE, "prove": True},
    },
}
SUBSCRIPTIONS = {
    "ok": {"changed": False},
    "lost": {"changed": True, "action": "create"},
    "gap": {"changed": True, "action": "patch"},
    "dead": {"failed": True, "reason": "unreachable", "msg": "no route"},
    "turn": {"changed": False},
}


def test_only_gaps_are_read_and_only_the_restored_and_due_are_proven():
    """A BMC that can't be reached is asked for nothing more."""
    assert _upkeep.incomplete(PLAN, SUBSCRIPTIONS) == ["lost", "gap"]
    assert _upkeep.to_prove(PLAN, SUBSCRIPTIONS) == ["lost", "turn"]
    told = {one["name"]: (one["verdict"], one["repaired"]) for one in _upkeep.checked(PLAN, SUBSCRIPTIONS)}
    assert told["lost"] == ("changed", True)
    assert told["gap"] == ("changed", False)
    assert told["dead"] == ("unreachable", False)


def test_complete_is_only_what_was_looked_for():
    """A log that couldn't be read is read the next time; a BMC without a log can't be asked, ever."""
    logs = {"lost": {"failed": True, "reason": "unreachable"}, "gap": {"failed": True, "reason": "unsupported"}}
    assert [one["name"] for one in _upkeep.complete(PLAN, SUBSCRIPTIONS, logs)] == ["ok", "gap", "turn"]


def test_the_report_has_the_worst_of_each_host():
    """And says what else was done."""
    results = {
        "subscription": SUBSCRIPTIONS,
        "logs": {"lost": {"changed": False}, "gap": {"changed": False}, "ok": {"skipped": True}},
        "proof": {"lost": {"changed": False, "status": 204}, "turn": {"changed": False, "status": 204}, "ok": None},
    }
    backfill = {"sources": [{"source": "lost", "added": 3, "entries": 5}]}
    arrivals = {"found": [{"source": "lost", "event_id": "e", "received": None, "matched": "marker"}]}
    report = _upkeep.outcome(PLAN, results, backfill, arrivals)
    rows = {row["host"]: row for row in report["rows"]}
    assert {name: row["verdict"] for name, row in rows.items()} == {
        "ok": "ok",
        "lost": "changed",
        "gap": "changed",
        "dead": "unreachable",
        "turn": "not delivered",
    }
    assert rows["lost"]["detail"] == "create; 3 of 5 entries were missing; event e"
    assert report["bad"] == ["turn", "dead"]
