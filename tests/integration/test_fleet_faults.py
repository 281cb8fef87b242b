# SPDX-License-Identifier: GPL-3.0-or-later
"""event_destination on BMCs that misbehave: it says why, touches nothing it can't know, and leaves no session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redfish_simulator.client import BmcHandle, Fleet

from tests.integration.fleet_play import ADAPTERS, Runner, writes

DECLARED: dict[str, Any] = {"destination": "https://127.0.0.1:9/events/{{ inventory_hostname }}", "context": "rack7"}
FOREIGN = {"Destination": "https://192.0.2.9/", "Protocol": "Redfish", "Context": "theirs", "EventFormatType": "Event"}


@pytest.fixture(scope="module")
def bmcs(fleet: Callable[..., Fleet]) -> Iterator[Fleet]:
    with fleet(mix="plain=2,openbmc=1", time_scale=0.01) as running:
        yield running


@pytest.fixture
def run(bmcs: Fleet, tmp_path: Path) -> Runner:
    for bmc in bmcs.bmcs:
        bmc.clear_faults()
        bmc.reset()
        bmc.seed_subscriptions(FOREIGN)
    bmcs.clear_requests()
    return Runner(bmcs, tmp_path)


def with_session(fleet: Fleet) -> BmcHandle:
    return next(bmc for bmc in fleet.by_vendor("plain") if bmc.login_type == "session")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"kind": "html"}, "Login - BMC Web Console"),
        ({"kind": "not_json"}, "not a JSON object"),
        ({"kind": "missing_members"}, "without a readable list of Members"),
    ],
)
def test_unknown_is_never_empty(run: Runner, fault: dict[str, Any], said: str):
    """A list that isn't one stops everything: nothing is written, no session stays, the error says what came."""
    for bmc in run.fleet.bmcs:
        bmc.set_faults(fault)
    for state in ("present", "absent"):
        result = run.task("event_destination", state=state, **DECLARED)
        for host, each in result.results.items():
            assert (each["reason"], each["changed"]) == ("unknown_state", False), (host, each)
            assert said in each["msg"]
    assert writes(run.fleet) == []
    assert run.fleet.counters()["sessions"] == 0


def test_an_unreadable_member_makes_the_list_unknown(run: Runner):
    """OpenBMC has no $expand: one member that answers 500 stops everything."""
    bmc = run.fleet.by_vendor("openbmc")[0]
    bmc.set_fault("unreadable_members")
    result = run.task("event_destination", hosts=bmc.name, state="absent", **DECLARED)
    assert result[bmc.name]["reason"] == "unknown_state"
    assert result[bmc.name]["status"] == 500
    assert writes(run.fleet) == []


@pytest.mark.parametrize("kind", ["create_timeout", "create_reset"])
def test_a_lost_answer_is_adopted_not_repeated(run: Runner, kind: str):
    """The POST arrived but its answer didn't: the list is read, and there is exactly one subscription."""
    for bmc in run.fleet.bmcs:
        bmc.set_faults({"kind": kind, "times": 1})
    result = run.task("event_destination", _connection={"timeout": 3}, **DECLARED)
    for bmc in run.fleet.bmcs:
        assert result[bmc.name]["changed"] is True, result[bmc.name]
        assert sorted(each["Context"] for each in bmc.subscriptions()) == ["rack7", "theirs"]
        posts = [each for each in bmc.requests() if each["method"] == "POST" and "Subscriptions" in each["path"]]
        assert len(posts) <= 1  # the simulator logs no request that it never answers
    assert run.fleet.counters()["sessions"] == 0


def test_a_lost_request_is_sent_again_after_looking(run: Runner):
    """The connection broke before the BMC did anything: the list shows nothing, so the POST is sent once more."""
    bmc = with_session(run.fleet)
    bmc.set_faults({"kind": "connection_reset", "path": ".*/Subscriptions$", "methods": ["POST"], "times": 1})
    result = run.task("event_destination", hosts=bmc.name, **DECLARED)
    assert result[bmc.name]["action"] == "create", result[bmc.name]
    assert sorted(each["Context"] for each in bmc.subscriptions()) == ["rack7", "theirs"]


def test_a_missing_location_is_found_in_the_list(run: Runner):
    """A created subscription whose URI the BMC doesn't tell is found by its identity."""
    for bmc in run.fleet.bmcs:
        bmc.set_fault("missing_location")
    result = run.task("event_destination", **DECLARED)
    for bmc in run.fleet.bmcs:
        assert result[bmc.name]["subscription"]["Context"] == "rack7"


@pytest.mark.parametrize("adapter", ADAPTERS)
@pytest.mark.parametrize("login_type", ["session", "basic"])
def test_a_wrong_password_is_tried_once(run: Runner, adapter: str, login_type: str):
    """Account lock-outs: one 401 per host and task, whatever `retries` says."""
    connection = {"password": "wrong", "login_type": login_type, "retries": 5}
    result = run.task("event_destination", adapter, _connection=connection, **DECLARED)
    for bmc in run.fleet.bmcs:
        assert result[bmc.name]["reason"] == "credentials"
        assert result[bmc.name]["status"] == 401
        assert [each["status"] for each in bmc.requests()].count(401) == 1


def test_a_full_session_table_says_so(run: Runner):
    """No place for a session: reason `full`, and Basic as the way out."""
    bmc = with_session(run.fleet)
    bmc.set_fault("session_table_full")
    result = run.task("event_destination", hosts=bmc.name, **DECLARED)
    assert result[bmc.name]["reason"] == "full"
    assert "basic" in result[bmc.name]["msg"]


def test_a_full_subscription_table_lists_its_holders(run: Runner):
    """No place for a subscription: the error names who holds them, and nothing else happens."""
    bmc = with_session(run.fleet)
    bmc.set_fault("subscription_limit")
    result = run.task("event_destination", hosts=bmc.name, **DECLARED)
    assert result[bmc.name]["reason"] == "full"
    assert [each["Destination"] for each in result[bmc.name]["holders"]] == ["https://192.0.2.9/"]
    assert run.fleet.counters()["sessions"] == 0


def test_a_replacement_on_a_full_bmc_deletes_first_and_puts_back_what_was_there(run: Runner):
    """Full and refusing the new one too: the old subscription is there again, and the error says so."""
    bmc = with_session(run.fleet)
    old = {**FOREIGN, "Destination": f"https://127.0.0.1:9/events/{bmc.name}", "Context": "rack7"}
    bmc.seed_subscriptions(FOREIGN, old)
    bmc.set_faults({"kind": "subscription_limit", "times": 1})
    done = run.task("event_destination", hosts=bmc.name, severities=["OK"], **DECLARED)
    assert done[bmc.name]["action"] == "replace", done[bmc.name]
    assert done[bmc.name]["gap"] > 0
    assert len(bmc.subscriptions()) == 2
    bmc.set_faults({"kind": "subscription_limit", "times": 2})
    failed = run.task("event_destination", hosts=bmc.name, severities=["Critical"], **DECLARED)
    assert failed[bmc.name]["reason"] == "full"
    assert "put back" in failed[bmc.name]["msg"]
    assert sorted(each["Context"] for each in bmc.subscriptions()) == ["rack7", "theirs"]


def test_what_a_bmc_refused_it_is_not_asked_again(fleet, tmp_path):
    """Within a run: the replacement that follows a refusal leaves out what the refusal was about."""
    run = Runner(fleet(mix={"openbmc": 1}), tmp_path)
    (bmc,) = run.fleet.bmcs
    bmc.seed_subscriptions({**FOREIGN, "Destination": f"https://127.0.0.1:9/events/{bmc.name}"}, *[FOREIGN] * 19)
    declared = {"event_types": ["Alert"], "registry_prefixes": ["OpenBMC"], **DECLARED}
    done = run.task("event_destination", **declared)[bmc.name]
    assert (done["action"], done["unsupported"]) == ("replace", ["EventTypes"]), done
    answers = [one["status"] for one in bmc.requests() if one["method"] == "POST" and "Subscriptions" in one["path"]]
    assert answers == [400, 503, 201]  # with EventTypes; without, but no room; without, after the old one went


def test_transient_answers_are_repeated_but_never_a_post(run: Runner):
    """503 with Retry-After: reading goes on after it, creating is left to the next run."""
    bmc = with_session(run.fleet)
    bmc.set_faults({"kind": "status", "status": 503, "retry_after": 0, "methods": ["GET"], "times": 2})
    assert run.task("event_destination", hosts=bmc.name, **DECLARED)[bmc.name]["changed"] is True
    bmc.seed_subscriptions(FOREIGN)
    run.fleet.clear_requests()
    bmc.set_faults({"kind": "status", "status": 503, "path": ".*/Subscriptions$", "methods": ["POST"]})
    result = run.task("event_destination", hosts=bmc.name, **DECLARED)
    assert (result[bmc.name]["reason"], result[bmc.name]["status"]) == ("bmc_error", 503)
    assert len([each for each in bmc.requests() if each["method"] == "POST" and "Subscr" in each["path"]]) == 1


def test_a_dead_bmc_is_unreachable_and_stops_no_other(run: Runner):
    """One host fails with its reason, the others are done."""
    dead = with_session(run.fleet)
    dead.set_fault("unreachable")
    result = run.task("event_destination", _connection={"retries": 0}, **DECLARED)
    assert result[dead.name]["reason"] in ("unreachable", "tls")
    others = [bmc for bmc in run.fleet.bmcs if bmc.name != dead.name]
    assert all(result[bmc.name]["changed"] for bmc in others)


def test_the_pin_is_checked_before_anything_is_sent(run: Runner):
    """A wrong fingerprint, and a self-signed certificate without one: reason `tls`, and no request arrives."""
    for pin in ("sha256:" + "0" * 64, None):
        told = {"_connection": {"tls_fingerprint": pin}, "_variables": {"redfish_tls_fingerprint": pin}}
        result = run.task("event_destination", **told, **DECLARED)
        assert {each["reason"] for each in result.results.values()} == {"tls"}
        assert all("no credentials were sent" in each["msg"] for each in result.results.values())
    assert run.fleet.requests() == []
