# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults on request."""

from __future__ import annotations

import datetime

import pytest
from redfish_simulator.faults import KINDS, Cut, Fault


def have(bmc, *faults):
    bmc.bmc.faults.replace([Fault.from_json(fault) for fault in faults])


@pytest.mark.parametrize(
    ("fault", "method", "status"),
    [
        ({"kind": "status", "status": 500}, "GET", 500),
        ({"kind": "status", "status": 503}, "GET", 503),
        ({"kind": "unauthorized"}, "GET", 401),
        ({"kind": "forbidden"}, "POST", 403),
        ({"kind": "subscription_limit"}, "POST", 503),
        ({"kind": "html"}, "GET", 200),
        ({"kind": "html_error"}, "POST", 502),
    ],
)
def test_answers_in_place_of_the_service(desk, fault, method, status):
    bmc = desk("plain")
    have(bmc, fault)
    body = {"Destination": "https://h/", "Protocol": "Redfish"} if method == "POST" else None
    answer = bmc(method, bmc.subscriptions, body)
    assert answer.status == status
    assert len(bmc.bmc.subscriptions) == 0
    if "html" in fault["kind"]:
        assert answer.content_type == "text/html"
        assert b"<title>" in answer.body


def test_retry_after(desk):
    bmc = desk("plain")
    have(bmc, {"kind": "status", "status": 503, "retry_after": 7})
    assert bmc("GET", bmc.subscriptions).headers["Retry-After"] == "7"


def test_a_fault_heals_after_some_times(desk):
    bmc = desk("plain")
    have(bmc, {"kind": "status", "times": 2})
    assert [bmc("GET", "/redfish/v1").status for _number in range(3)] == [503, 503, 200]


def test_a_fault_keeps_to_its_path_and_methods(desk):
    bmc = desk("plain")
    have(bmc, {"kind": "status", "path": "/redfish/v1/EventService$", "methods": ["PATCH"]})
    assert bmc("GET", "/redfish/v1/EventService").status == 200
    assert bmc("PATCH", "/redfish/v1/EventService", {}).status == 503


def test_the_collection_can_be_broken(desk):
    """No Members, half a JSON, members that can't be read: none of these is an empty list."""
    bmc = desk("plain")
    bmc.subscribe()
    have(bmc, {"kind": "missing_members"})
    assert not any(name.startswith("Members") for name in bmc("GET", bmc.subscriptions).body)
    have(bmc, {"kind": "not_json"})
    assert isinstance(bmc("GET", bmc.subscriptions).body, bytes)
    have(bmc, {"kind": "unreadable_members"})
    assert bmc("GET", f"{bmc.subscriptions}/1").status == 500
    have(bmc, {"kind": "unreadable_members", "member": "2"})
    assert bmc("GET", f"{bmc.subscriptions}/1").status == 200


def test_a_create_whose_answer_never_arrives_has_happened(desk):
    bmc = desk("plain")
    have(bmc, {"kind": "create_reset"})
    with pytest.raises(Cut):
        bmc.subscribe()
    assert len(bmc.bmc.subscriptions) == 1


def test_missing_location(desk):
    bmc = desk("plain")
    have(bmc, {"kind": "missing_location"})
    answer = bmc.subscribe()
    assert (answer.status, answer.headers.get("Location")) == (201, None)


def test_wrong_clock(desk):
    bmc = desk("plain")
    have(bmc, {"kind": "wrong_clock", "seconds": -86400})
    shown = datetime.datetime.fromisoformat(bmc.bmc.now())
    behind = datetime.datetime.now(datetime.UTC) - shown
    assert datetime.timedelta(hours=23) < behind < datetime.timedelta(hours=25)


def test_a_forgetful_reset_loses_subscriptions_and_sessions(desk):
    bmc = desk("plain")
    bmc.subscribe()
    bmc.bmc.sessions.create("admin")
    bmc.bmc.reset()
    assert (len(bmc.bmc.subscriptions), bmc.bmc.sessions.all()) == (1, [])
    have(bmc, {"kind": "forgetful_reset"})
    bmc("POST", "/redfish/v1/Managers/1/Actions/Manager.Reset", {"ResetType": "ForceRestart"})
    assert len(bmc.bmc.subscriptions) == 0


def test_an_unknown_fault_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="hanging"):
        Fault.from_json({"kind": "gremlins"})


@pytest.mark.parametrize("kind", KINDS)
def test_every_fault_shows_as_it_was_given(kind):
    assert Fault.from_json({"kind": kind, "times": 3}).as_json()["times"] == 3
