# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules beside event_destination: info modules, EventService settings, test events."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redfish_simulator.client import Fleet

from tests.integration.fleet_play import ADAPTERS, Runner, writes

SEED = {"Destination": "https://192.0.2.9/", "Protocol": "Redfish", "HttpHeaders": [{"Authorization": "Basic x1y2z3"}]}


@pytest.fixture(scope="module")
def bmcs(fleet: Callable[..., Fleet]) -> Iterator[Fleet]:
    with fleet(mix="plain=2,openbmc=1", time_scale=0.01) as running:
        yield running


@pytest.fixture
def run(bmcs: Fleet, tmp_path: Path) -> Iterator[Runner]:
    for bmc in bmcs.bmcs:
        bmc.clear_faults()
        bmc.seed_subscriptions(SEED)
    bmcs.clear_requests()
    yield Runner(bmcs, tmp_path)
    assert bmcs.counters()["sessions"] == 0, "a session was left behind"


def same_json(run: Runner, module: str, **options: object) -> dict:
    """The result, after both adapters gave the same."""
    worker, other = (run.task(module, adapter, **options).results for adapter in ADAPTERS)
    assert worker == other
    assert set(worker) == {bmc.name for bmc in run.fleet.bmcs}
    return worker


def test_event_destination_info_lists_everything_and_changes_nothing(run: Runner):
    """All subscriptions, also foreign ones, as the BMC shows them."""
    for result in same_json(run, "event_destination_info").values():
        assert [each["Destination"] for each in result["subscriptions"]] == ["https://192.0.2.9/"]
        assert result["changed"] is False
        assert result["free_slots"] is None
    assert writes(run.fleet) == []


def test_event_service_info_says_what_the_bmc_supports(run: Runner):
    """Capabilities in one place, absent ones as null."""
    results = same_json(run, "event_service_info")
    plain = results[run.fleet.by_vendor("plain")[0].name]["capabilities"]
    openbmc = results[run.fleet.by_vendor("openbmc")[0].name]["capabilities"]
    assert "Critical" in plain["values"]["Severities"]
    assert openbmc["values"]["Severities"] is None
    assert "SubmitTestEvent" in plain["test_event"]


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_event_service_settings_converge(run: Runner, adapter: str):
    """Check mode writes nothing, the first run changes, the second doesn't."""
    for attempts in (2, 3):
        options = {"delivery_retry_attempts": attempts, "service_enabled": True}
        if adapter == "module":
            options["delivery_retry_interval_seconds"] = 10 * attempts
        run.fleet.clear_requests()
        announced = run.task("event_service", adapter, _check=True, **options)
        assert writes(run.fleet) == []
        done = run.task("event_service", adapter, **options)
        for host, result in done.results.items():
            assert announced[host]["diff"] == result["diff"]
            assert result["event_service"]["DeliveryRetryAttempts"] == attempts
        again = run.task("event_service", adapter, **options)
        assert not any(result["changed"] for result in again.results.values())


def test_event_service_fails_for_what_is_not_there(run: Runner):
    """A setting that the BMC doesn't have is an error, or dropped on request."""
    smtp = {"server_address": "192.0.2.25", "password": "secret"}
    refused = run.task("event_service", smtp=smtp)
    assert {result["reason"] for result in refused.results.values()} == {"unsupported"}
    dropped = run.task("event_service", smtp=smtp, on_unsupported="drop")
    assert {tuple(result["unsupported"]) for result in dropped.results.values()} == {("SMTP",)}
    assert writes(run.fleet) == []


def test_submit_test_event_is_shaped_for_the_bmc_and_delivered(run: Runner):
    """By ActionInfo where there is one, by what it refuses elsewhere; check mode sends nothing."""
    quiet = run.task("submit_test_event", _check=True)
    assert writes(run.fleet) == []
    assert all(result["status"] is None and result["sent"] for result in quiet.results.values())
    result = run.task("submit_test_event", marker="redfleet-test-0123456789ab")
    for bmc in run.fleet.bmcs:
        each = result[bmc.name]
        assert each["changed"] is False
        assert each["marked"] is True
        assert each["sent"]["EventId"] == "redfleet-test-0123456789ab"
        assert each["message_key"] == "TestMessage"
        assert 200 <= each["status"] < 300
    run.fleet.wait_idle()
    assert all(bmc.counters()["attempts" if "attempts" in bmc.counters() else "failed"] for bmc in run.fleet.bmcs)
    assert "MessageSeverity" in result[run.fleet.by_vendor("plain")[0].name]["sent"]
    assert "MessageSeverity" not in result[run.fleet.by_vendor("openbmc")[0].name]["sent"]


def test_baseuri_defaults_to_the_host(run: Runner):
    """Without baseuri the inventory's ansible_host is the BMC; here it lacks the port, so nobody answers there."""
    result = run.task("event_destination_info", _connection={"baseuri": None, "retries": 0, "timeout": 2})
    for bmc in run.fleet.bmcs:
        assert f"https://{bmc.address}" in result[bmc.name]["msg"]


def test_tls_fingerprint_info_reads_many_and_logs_into_none(run: Runner):
    """The certificate each BMC shows, without a request; one that doesn't answer has its reason, the others go on."""
    targets = [{"name": bmc.name, "address": bmc.address, "port": bmc.port} for bmc in run.fleet.bmcs]
    targets.append({"name": "dead", "address": "127.0.0.1", "port": 1})
    task = {
        "name": "scan",
        "redfleet.events.tls_fingerprint_info": {"targets": targets, "timeout": 5},
        "run_once": True,
    }
    result = next(iter(run.play([task]).results.values()))
    assert result["fingerprints"] == {bmc.name: bmc.tls_fingerprint for bmc in run.fleet.bmcs}
    assert set(result["failures"]) == {"dead"}
    assert run.fleet.requests() == []


def test_a_summary_ends_the_run_where_many_refuse_the_credentials(run: Runner):
    """Of the hosts that it is asked about, or of the batch; without max_refused it only tells."""
    names = [bmc.name for bmc in run.fleet.bmcs]
    asked = [
        {"register": "done"},
        {"register": "done", "max_refused": 2},
        {"register": "done", "max_refused": 0, "hosts": names[2:]},
        {"register": "done", "max_refused": 1, "hosts": names[:2]},
        {"register": "never"},
        {"waves": "done", "max_refused": 1},
        {"register": "done", "waves": "done"},
    ]
    refused = {"failed": True, "reason": "credentials", "msg": "wrong password"}
    told = "{{ refused if inventory_hostname in refusing else {} }}"
    tasks = [{"ansible.builtin.set_fact": {"done": told}}]
    tasks += [
        {"name": str(number), "redfleet.events.fleet_summary": options, "run_once": True, "ignore_errors": True}
        for number, options in enumerate(asked)
    ]
    done = run.play(tasks, _variables={"refused": refused, "refusing": names[:2]})
    every, enough, others, many, never, alone, both = (
        next(iter(done.by_task[str(number)].values())) for number in range(len(asked))
    )
    assert every["refused"] == enough["refused"] == sorted(names[:2])
    assert [row["host"] for row in others["rows"]] == names[2:]
    assert "rows" not in many
    assert "Too many BMCs refuse the credentials" in many["msg"][-1]
    assert f"{names[0]}  refused  wrong password" in many["msg"]
    assert never["counts"] == {"not reached": 3}
    assert "missing parameter(s) required by 'max_refused': register" in alone["msg"]
    assert "mutually exclusive" in both["msg"]
