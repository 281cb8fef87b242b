# SPDX-License-Identifier: GPL-3.0-or-later
"""A proof is what it says: announced, sent by the BMC, received, timed by the listener's clock, and kept."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
import requests
from event_listener.event import Category

from tests.integration.bus.bus_harness import HttpPeer
from tests.integration.fleet_estate import Estate
from tests.integration.fleet_play import writes
from tests.integration.listener_process import RunningListener, wait_for

# OpenBMC drops the marker's id, iDRAC sends a real alert as its test, plain keeps everything.
MIX = {"openbmc": 1, "idrac9": 1, "plain": 1}


@pytest.fixture(scope="module")
def published() -> Iterator[HttpPeer]:
    """What a broker would get: a sink without routes."""
    peer = HttpPeer()
    yield peer
    peer.close()


@pytest.fixture(scope="module")
def estate(tmp_path_factory, fleet, listener, published):
    """A subscribed fleet whose listener has a further sink."""
    simulated = fleet(mix=MIX, time_scale=0.05, network="127.62.0.0/16")
    running = listener({"sinks": published.sinks(published.target()[0])})
    simulated.trust(running.ca_path.read_text())
    made = Estate(tmp_path_factory.mktemp("estate"), simulated, running)
    done = made.play("subscribe.yml")
    assert done.status == 0, done.output
    return made


def proven(running: RunningListener) -> dict[str, float]:
    """The metric, by source."""
    lines = requests.get(running.manage_url + "/metrics", timeout=60).text.splitlines()
    found = [line for line in lines if line.startswith("redfleet_source_last_proven_seconds{")]
    return {line.split('"')[1]: float(line.rsplit(" ", 1)[1]) for line in found}


def test_verify_proves_each_bmc_and_tells_only_the_logs(estate, published):
    """Each way to match is named; the listener knows when; no other sink hears of it unless a route says so."""
    names = {bmc.vendor: bmc.name for bmc in estate.fleet.bmcs}
    assert proven(estate.listener) == dict.fromkeys(names.values(), 0.0)
    before = time.time()
    done = estate.play("redfleet.events.verify")
    assert done.status == 0, done.output
    summary = done.summary()
    assert "by its sequence" in summary[names["idrac9"]]
    assert "by its sequence" not in summary[names["plain"]]
    found = proven(estate.listener)
    assert set(found) == set(names.values())
    assert all(before <= at <= time.time() for at in found.values())

    heard = ",".join(set(Category) - {Category.ACTION})
    events = estate.listener.api("/api/v1/events", limit=100, category=heard).json()["events"]
    assert {event["source"]: event["origin"] for event in events} == dict.fromkeys(names.values(), "test")
    assert {event["message_id"].rsplit(".", 1)[-1] for event in events} == {"TestMessage", "TMP0118"}

    # The same alert, not announced, is real, and the first that anybody else hears.
    idrac = estate.fleet.by_vendor("idrac9")[0]
    idrac.emit({"MessageId": "IDRAC.2.8.TMP0118", "Message": "cold"})

    def of_bmcs() -> list[dict]:
        every = [one for _headers, body in published.batches for one in json.loads(body)]
        return [one for one in every if one["category"] != Category.ACTION]

    sent = wait_for(of_bmcs, 60)
    assert [one["data"]["record"]["Message"] for one in sent] == ["cold"]
    for suffix in (".txt", ".jsonl"):
        log = estate.listener.log_dir / f"Events_{idrac.address}{suffix}"
        assert wait_for(lambda log=log: log.read_text().count("TMP0118") >= 2, 60)


def test_reports_are_written_where_they_are_asked_for(estate, tmp_path):
    """A page and JSON beside it, of verify and of audit, also when a host is bad; a wrong name ends the run at once."""
    page = tmp_path / "proof.html"
    done = estate.play("redfleet.events.verify", "-e", f"report={page}")
    assert done.status == 0, done.output
    found = json.loads(page.with_suffix(".json").read_text())
    assert (found["kind"], found["good"], found["counts"]) == ("verify", True, {"delivered": 3})
    assert all(host["latency_s"] < 60 and host["event_id"] for host in found["hosts"])
    assert all(bmc.name in page.read_text() for bmc in estate.fleet.bmcs)

    estate.declare(context="drifted away")
    audit = tmp_path / "audit.html"
    try:
        done = estate.play("redfleet.events.audit", "-e", f"report={audit}")
    finally:
        estate.declare(context="as declared")
    assert done.status != 0
    found = json.loads(audit.with_suffix(".json").read_text())
    assert not found["good"]
    drifted = [host for host in found["hosts"] if host["verdict"] == "drifted"]
    assert {"property": "Context", "before": '"as declared"', "after": '"drifted away"'} in drifted[0]["diff"]
    assert "drifted away" in audit.read_text()

    before = len(estate.fleet.requests())
    for wrong in (tmp_path / "report.txt", tmp_path / "none" / "report.html"):
        done = estate.play("redfleet.events.verify", "-e", f"report={wrong}")
        assert done.status != 0
        assert "Name the page that shall be written" in done.output
    assert len(estate.fleet.requests()) == before


def test_only_an_arrival_proves(estate):
    """A BMC that takes the request and stays silent keeps its last proof."""
    silent = estate.fleet.bmcs[0]
    silent.set_fault("silent")
    try:
        before = proven(estate.listener)
        done = estate.play("redfleet.events.verify", "-e", "proof_timeout=2")
        assert done.status != 0
        assert done.summary()[silent.name].startswith("not delivered")
        after = proven(estate.listener)
        assert {name for name in after if after[name] == before[name]} == {silent.name}
    finally:
        silent.clear_faults()


def test_check_mode_announces_and_sends_nothing(estate):
    """And says so instead of missing what never was sent."""
    head = estate.listener.api("/api/v1/events", limit=1).json()["head"]
    done = estate.play("redfleet.events.verify", "--check")
    assert done.status == 0, done.output
    assert all("would be asked" in verdict for verdict in done.summary().values())
    assert estate.listener.api("/api/v1/events", limit=1).json()["head"] == head


def test_coverage_names_who_sends_and_to_whom(estate, tmp_path):
    """The playbook coverage, through listener_coverage, in its report and in /metrics; it changes nothing on a BMC."""
    running, headers = estate.listener, {"Authorization": f"Bearer {estate.listener.api_token}"}
    foreign = {"Destination": "https://192.0.2.99/others", "Protocol": "Redfish", "Context": "theirs"}
    shared = estate.fleet.by_vendor("plain")[0]
    shared.seed_subscriptions(*shared.subscriptions(), foreign)
    for name in ("stranger", "old"):
        assert running.post({"Events": [{"EventId": "1"}]}, f"/events/{name}").status_code == 200
    retired = {"sources": [{"name": "old", "state": "retired"}]}
    url = running.manage_url + "/api/v1/sources"
    assert requests.patch(url, json=retired, headers=headers, timeout=60).status_code == 200
    wait_for(lambda: running.api("/api/v1/events", source="old").json()["events"], 60)
    writes_before = len(writes(estate.fleet))

    page = tmp_path / "coverage.html"
    done = estate.play("redfleet.events.coverage", "-e", f"report={page}")
    assert done.status == 0, done.output
    assert len(writes(estate.fleet)) == writes_before
    found = running.api("/api/v1/coverage").json()
    expected = {name: [] for name in ("never_sent", "not_subscribed", "unread")}
    assert found["findings"] == {
        **expected,
        "unknown_sender": ["stranger"],
        "retired_sends": ["old"],
        "foreign_destination": [foreign["Destination"]],
    }
    assert found["asked"] == 3
    metrics = requests.get(running.manage_url + "/metrics", timeout=60).text
    assert 'event_listener_coverage_findings{finding="foreign_destination"} 1.0' in metrics
    assert "event_listener_coverage_bmcs 3.0" in metrics
    (other, *_) = json.loads(page.with_suffix(".json").read_text())["sections"]
    assert other["rows"] == [[foreign["Destination"], 1, shared.name]]


def test_the_api_of_proofs(estate):
    """What was announced can be asked for; what nobody announced, or announced wrongly, is an error with advice."""
    running = estate.listener
    headers = {"Authorization": f"Bearer {running.api_token}"}

    def post(document: object) -> requests.Response:
        return requests.post(running.manage_url + "/api/v1/proofs", json=document, headers=headers, timeout=60)

    answer = post({"sources": ["someone"], "message_keys": ["TestMessage"]})
    assert answer.status_code == 201
    batch, (waiting,) = answer.json()["batch"], answer.json()["proofs"]
    assert (waiting["source"], waiting["received"]) == ("someone", None)
    assert running.post({"Events": [{"EventId": waiting["marker"]}]}, "/events/someone").status_code == 200
    (arrived,) = wait_for(
        lambda: [one for one in running.api(f"/api/v1/proofs/{batch}").json()["proofs"] if one["received"]], 60
    )
    assert arrived["matched"] == "marker"
    assert running.api(f"/api/v1/events/{arrived['event_id']}").json()["origin"] == "test"
    assert running.api("/api/v1/sources/someone").json()["last_proven"] == arrived["received"]
    assert post({"sources": ["../x"]}).status_code == 400
    assert running.api("/api/v1/proofs/none").status_code == 404
    assert requests.post(running.manage_url + "/api/v1/proofs", json={}, timeout=60).status_code == 401
