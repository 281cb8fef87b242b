# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbooks make of a fleet's results."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.redfleet.events.plugins.action import fleet_summary
from ansible_collections.redfleet.events.plugins.plugin_utils import _fleet


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (None, ("not reached", "the run ended before its turn")),
        ({"changed": False}, ("ok", "")),
        ({"changed": True, "action": "create"}, ("changed", "create")),
        (
            {"changed": False, "unsupported": ["SendHeartbeat"]},
            ("ok", "without SendHeartbeat, which the BMC does not know"),
        ),
        (
            {"changed": False, "unverified": ["Context"]},
            ("ok", "Context can't be compared, since the BMC does not show it"),
        ),
        (
            {"changed": True, "action": "replace", "gap": 0.5, "gap_began": "2026-03-01T12:00:00+00:00"},
            ("changed", "replace; 0.50 s without a subscription"),
        ),
        ({"failed": True, "msg": "no\n  route", "reason": "unreachable"}, ("unreachable", "no route")),
        ({"unreachable": True, "msg": "ssh"}, ("unreachable", "ssh")),
        ({"failed": True, "msg": "m", "reason": "tls"}, ("unreachable", "m")),
        ({"failed": True, "msg": "m", "reason": "credentials"}, ("refused", "m")),
        ({"failed": True, "msg": "m", "reason": "unsupported"}, ("unsupported", "m")),
        ({"failed": True, "msg": "m", "reason": "full"}, ("failed", "m")),
        ({"failed": True, "msg": "m"}, ("failed", "m")),
    ],
)
def test_verdict_names_each_outcome(result, expected):
    """The reason of a failure decides its verdict; a message is one line."""
    assert _fleet.verdict(result) == expected


def test_a_change_names_the_properties():
    """A modified subscription says which properties differ, in the audit too."""
    result = {
        "changed": True,
        "action": "patch",
        "diff": {"before": {"Context": "a", "Protocol": "Redfish"}, "after": {"Context": "b", "Protocol": "Redfish"}},
    }
    assert _fleet.verdict(result) == ("changed", "patch: Context")
    assert _fleet.verdict(result, audit=True) == ("drifted", "patch: Context")


def test_report_counts_and_puts_trouble_last():
    """The last line counts; the rows before it end with what needs attention."""
    report = _fleet.verdicts(
        {
            "b2": {"changed": True, "action": "create"},
            "b1": {"failed": True, "reason": "credentials", "msg": "401"},
            "b3": {"changed": False},
        }
    )
    assert report["lines"] == [
        "b3  ok",
        "b2  changed  create",
        "b1  refused  401",
        "1 ok, 1 changed, 1 refused",
    ]
    assert report["bad"] == ["b1"]
    assert report["refused"] == ["b1"]


def test_drift_is_bad_only_in_an_audit():
    """What a run repairs is as declared afterwards; what an audit finds is not."""
    results = {"b1": {"changed": True, "action": "delete"}}
    assert _fleet.verdicts(results)["bad"] == []
    assert _fleet.verdicts(results, audit=True)["bad"] == ["b1"]


def test_an_empty_fleet_has_an_empty_report():
    """No host is no crash."""
    assert _fleet.verdicts({})["lines"] == [""]


SENT = {
    "b1": {"changed": False, "status": 204, "sent_at": "2026-01-31T12:00:00.100+00:00"},
    "b2": {"changed": False, "status": 204},
    "b3": {"failed": True, "reason": "unsupported", "msg": "no test action"},
    "b4": None,
    "b5": {"failed": True, "reason": "bmc_error", "msg": "MessageId is not in the list"},
}


def test_only_accepted_test_events_are_waited_for():
    """A BMC that refused has nothing to wait for."""
    assert _fleet.accepted(SENT) == ["b1", "b2"]


def test_proof_tells_delivered_from_accepted_and_refused():
    """Each way to fail has its verdict and its reason, and delivery has its latency."""
    found = [{"source": "b1", "event_id": "e-1-0", "received": "2026-01-31T12:00:00.354000Z", "matched": "marker"}]
    report = _fleet.proof(SENT, {"found": found, "missing": ["b2"]})
    rows = {row["host"]: row for row in report["rows"]}
    assert (rows["b1"]["verdict"], rows["b1"]["latency_s"], rows["b1"]["event_id"]) == ("delivered", 0.254, "e-1-0")
    assert "0.25 s" in rows["b1"]["detail"]
    assert rows["b2"]["verdict"] == "not delivered"
    assert rows["b3"]["verdict"] == "unsupported"
    assert rows["b4"]["verdict"] == "not reached"
    assert (rows["b5"]["verdict"], rows["b5"]["detail"]) == ("not sent", "MessageId is not in the list")
    assert report["bad"] == ["b2", "b5", "b3", "b4"]


def test_in_check_mode_nobody_is_asked():
    """What was not sent can't be missing."""
    report = _fleet.proof({"b1": {"changed": False, "status": None}}, {"found": [], "missing": []})
    assert report["bad"] == []
    assert "would be" in report["rows"][0]["detail"]


def test_a_match_by_sequence_says_so():
    """A BMC that ignores the marker is proven by its sequence, and the reader is told."""
    found = [{"source": "b2", "event_id": "e", "received": None, "matched": "sequence"}]
    report = _fleet.proof({"b2": SENT["b2"]}, {"found": found})
    assert "matched by its sequence" in report["rows"][0]["detail"]


@pytest.mark.parametrize(
    ("asked", "theirs", "answered", "expected"),
    [
        ("12:00:00", "12:00:01", "12:00:02", 0.0),
        ("12:00:00", "12:00:32", "12:00:02", 30.0),
        ("12:00:00", "11:59:20", "12:00:02", -40.0),
    ],
)
def test_clocks_are_taken_for_equal_until_they_can_not_be(asked, theirs, answered, expected):
    """Their time between our two is no difference; outside, it is at least the distance."""
    times = [f"2026-01-31T{text}+00:00" for text in (asked, theirs, answered)]
    assert _fleet.clock_offset(_fleet.moment(times[0]), times[1], _fleet.moment(times[2])) == expected


def test_latency_is_by_the_listeners_clock():
    """A clock that is half a minute ahead adds nothing to the latency."""
    found = [{"source": "b1", "event_id": "e", "received": "2026-01-31T12:00:30.150Z", "matched": "marker"}]
    report = _fleet.proof({"b1": SENT["b1"]}, {"found": found, "clock_offset_s": 30.0})
    assert report["rows"][0]["latency_s"] == 0.05


@pytest.mark.parametrize(
    ("baseuri", "expected"),
    [
        ("192.0.2.1", ("192.0.2.1", None)),
        ("192.0.2.1:8443", ("192.0.2.1", 8443)),
        ("https://bmc.example/", ("bmc.example", None)),
        ("https://[2001:db8::1]:8443", ("2001:db8::1", 8443)),
        ("2001:DB8::1", ("2001:db8::1", None)),
        ("[2001:db8::1]", ("2001:db8::1", None)),
        ("", ("", None)),
    ],
)
def test_split_baseuri(baseuri, expected):
    """Every spelling that `baseuri` allows."""
    assert _fleet.split_baseuri(baseuri) == expected


def test_source_takes_what_is_known_and_nothing_else():
    """Unknown fields are left out, so that the listener keeps what it has; the inventory has the last word."""
    result = {"service": {"uuid": "u", "serial": None, "model": "m", "vendor": "v"}}
    variables = {"redfish_baseuri": "bmc1.example", "ansible_host": "192.0.2.1", "event_source": {"model": "other"}}
    assert _fleet.source("b1", variables, result) == {
        "name": "b1",
        "address": "192.0.2.1",
        "uuid": "u",
        "model": "other",
        "service": "v",
    }
    assert _fleet.source("b1", {"ansible_host": "bmc1.example"}, None) == {"name": "b1"}
    owned = {"event_domain": "/dc1/row2/", "event_account": "web"}
    assert _fleet.source("b1", owned, None) == {"name": "b1", "domain": "/dc1/row2/", "account": "web"}
    assert _fleet.source("b1", {**owned, "event_source": {"domain": "/x/"}}, None)["domain"] == "/x/"


def test_pins_are_kept_unless_replaced():
    """As with ssh's known hosts: a changed certificate is reported, never taken over in silence."""
    known = {"b1": "sha256:AA:BB", "b2": "sha256:cc", "b9": "sha256:99"}
    found = {"b1": "sha256:aabb", "b2": "sha256:dd", "b3": "sha256:ee"}
    merged = _fleet.merge_pins(known, found, {"b4": "timed out"})
    assert merged["pins"] == {"b1": "sha256:AA:BB", "b2": "sha256:cc", "b3": "sha256:ee", "b9": "sha256:99"}
    verdicts = {row["host"]: row["verdict"] for row in merged["report"]["rows"]}
    assert verdicts == {"b1": "ok", "b2": "failed", "b3": "changed", "b4": "unreachable"}
    assert merged["report"]["bad"] == ["b4", "b2"]
    assert _fleet.merge_pins(known, found, replace=True)["pins"]["b2"] == "sha256:dd"


@pytest.mark.parametrize(
    ("bind", "tokens", "expected"),
    [
        (None, None, {}),
        ("127.0.0.1:9440", [{"name": "a", "token": "t"}], {"url": "http://127.0.0.1:9440", "token": "t"}),
        ("[::]:9440", [], {"url": "http://[::1]:9440"}),
    ],
)
def test_listener_connection(bind, tokens, expected):
    """What the inventory doesn't tell is left to the modules' own defaults."""
    assert _fleet.listener_connection(bind, tokens) == expected


def test_waves_are_joined_each_counted_once():
    """The sum of a play (fleet_summary) is that of its waves; hosts that no wave came to are not reached."""
    waves = {
        "b1": _fleet.verdicts({"b1": {"changed": False}, "b2": {"failed": True, "reason": "tls", "msg": "m"}}),
        "b3": _fleet.verdicts({"b3": {"changed": True, "action": "replace", "gap_began": "2026-03-01T12:00:00+00:00"}}),
    }
    waves["b2"] = waves["b1"]
    joined = _fleet.joined(["b1", "b2", "b3", "b4"], waves.get)
    assert joined["counts"] == {"ok": 1, "changed": 1, "unreachable": 1, "not reached": 1}
    assert joined["bad"] == ["b2", "b4"]
    assert joined["gaps"] == {"b3": "2026-03-01T12:00:00+00:00"}
    assert [row["host"] for row in joined["rows"]] == ["b1", "b3", "b2", "b4"]


def test_source_has_the_heartbeat_that_the_bmc_shows():
    """Not what was asked for; a BMC that says nothing of heartbeats leaves what the listener knows."""

    def minutes(**result):
        return _fleet.source("b1", {}, result).get("heartbeat_minutes")

    assert minutes(subscription={"SendHeartbeat": True, "HeartbeatIntervalMinutes": 10}) == 10
    assert minutes(subscription={"SendHeartbeat": False, "HeartbeatIntervalMinutes": 10}) == 0
    assert minutes(subscription={"SendHeartbeat": True}) == 0
    assert minutes(subscription={"Context": "x"}) is None
    assert minutes(failed=True, subscription={"SendHeartbeat": True, "HeartbeatIntervalMinutes": 10}) is None


def test_readings_are_of_the_bmcs_that_could_be_read():
    """One without registries of its own was read, too, and isn't asked again."""
    results = {"b1": {"registries": [{"Id": "A"}]}, "b2": {"registries": []}, "b3": {"failed": True}, "b4": None}
    assert _fleet.readings(results) == [
        {"source": "b1", "registries": [{"Id": "A"}]},
        {"source": "b2", "registries": []},
    ]


def test_results_are_found_where_ansible_keeps_them():
    """And in all variables of the host, should it stop to keep them apart."""

    class Hostvars:
        def raw_get(self, host):
            return {"done": f"all variables of {host}"}

    variables = {"hostvars": Hostvars()}
    assert fleet_summary._registered(variables, "bmc1", "done") == "all variables of bmc1"
    variables["hostvars"]._variable_manager = SimpleNamespace(_nonpersistent_fact_cache={"bmc1": {"done": "kept"}})
    assert fleet_summary._registered(variables, "bmc1", "done") == "kept"
    assert fleet_summary._registered(variables, "bmc2", "done") is None
