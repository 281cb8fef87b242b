# SPDX-License-Identifier: GPL-3.0-or-later
"""The management API of a real listener: all three processes, a real store, real HTTP."""

import json
import time
from urllib.parse import quote

import pytest
import requests

from tests.api_contract import judged
from tests.integration.listener_process import wait_for

EVENT = {
    "@odata.type": "#Event.v1_7_0.Event", "Id": "1", "Name": "Events", "Context": "ctx",
    "Events": [
        {"EventId": "1", "MessageId": "ResourceEvent.1.3.0.ResourceChanged", "MessageSeverity": "OK",
         "Message": "changed", "OriginOfCondition": {"@odata.id": "/redfish/v1/Systems/1"},
         "EventTimestamp": "2026-11-22T02:54:34Z"},
        {"EventId": "2", "MessageId": "Alert.1.0.LanDisconnect", "MessageSeverity": "Critical", "MessageArgs": ["a"]},
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def running(listener):
    with listener() as running:
        yield running


@pytest.fixture
def post(running):
    """Send a payload to a path and wait until all that was sent is in the event log."""

    def post(payload, path="/events/bmc1"):
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        answer = requests.post(
            running.url + path, data=body, auth=running.credentials, verify=str(running.ca_path), timeout=60
        )
        assert answer.status_code == 200
        return answer

    return post


@pytest.fixture
def api(running):
    """GET a path of the API and return the answer's JSON; other methods and statuses on request."""

    def api(path, method="GET", status=200, token=running.api_token, **options):
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        options = {"headers": headers, "hooks": {"response": judged}, **options}
        answer = requests.request(method, running.manage_url + path, timeout=60, **options)
        assert answer.status_code == status, answer.text
        if status >= 400:
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert answer.json()["status"] == status
        return answer.json() if answer.content else None

    return api


def until(ask, seconds=60):
    end = time.monotonic() + seconds
    while not (found := ask()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
    return found


def test_what_a_bmc_sends_is_found(api, post):
    """A POST becomes one event per record, with everything that the contract names."""
    head = api("/api/v1/events?limit=1")["head"]
    post(EVENT)
    found = until(lambda: api(f"/api/v1/events?after={head}&order=asc&source=bmc1")["events"])
    assert [event["type"] for event in found] == ["ResourceEvent.ResourceChanged", "Alert.LanDisconnect"]
    first = found[0]
    assert {**first, "seq": 0, "id": "", "received": "", "payload_id": 0} == {
        "seq": 0, "id": "", "source": "bmc1", "address": "127.0.0.1", "domain": "/", "account": None, "origin": "live",
        "category": "ResourceStateEvent", "type": "ResourceEvent.ResourceChanged", "level": "INFO",
        "state": "Completed", "resource_type": "ComputerSystem", "resource_id": "/redfish/v1/Systems/1",
        "message": "changed", "message_id": "ResourceEvent.1.3.0.ResourceChanged", "message_args": [],
        "severity": "OK", "event_id": "1", "context": "ctx", "time": "2026-11-22T02:54:34Z", "received": "",
        "start_id": None, "state_of": None, "old_state": None, "new_state": None, "payload_id": 0,
            "resolution": None, "filled": [], "repeat_of": None, "site": None,
        "record": EVENT["Events"][0],
    }  # fmt: skip
    assert api(f"/api/v1/events/{first['id']}") == first
    assert api(f"/api/v1/events/{first['id']}/raw") == EVENT
    assert api("/api/v1/events?level=ERROR&source=bmc1&limit=1")["events"][0]["message_args"] == ["a"]


def test_paging(api, post):
    head = api("/api/v1/events?limit=1")["head"]
    for _ in range(3):
        post(EVENT, "/events/pager")
    until(lambda: len(api(f"/api/v1/events?after={head}&source=pager")["events"]) == 6)
    for order, name in (("asc", "after"), ("desc", "before")):
        seen, limit = [], f"after={head}"
        while True:
            page = api(f"/api/v1/events?source=pager&order={order}&limit=4&{limit}")
            seen += [event["seq"] for event in page["events"]]
            if page["next"] is None:
                break
            limit = f"{name}={page['next']}" + (f"&after={head}" if order == "desc" else "")
        assert seen == sorted(seen, reverse=order == "desc")
        assert len(set(seen)) == 6


@pytest.mark.parametrize(
    ("query", "word"),
    [("limit=0", "limit"), ("limit=1001", "limit"), ("after=x", "after"), ("order=up", "order"), ("levl=INFO", "levl"),
     ("level=info", "level"), ("category=x", "category"), ("since=yesterday", "since"), ("source=", "source"),
     ("limit=1&limit=2", "limit"), ("after=99999999999999999999999", "after")],
)  # fmt: skip
def test_wrong_parameters_are_refused(api, query, word):
    """A misspelt filter must not show everything."""
    assert word in api(f"/api/v1/events?{query}", status=400)["detail"]


def test_times(api, post):
    head = api("/api/v1/events?limit=1")["head"]
    post(EVENT, "/events/timed")
    event = until(lambda: api(f"/api/v1/events?after={head}&source=timed&order=asc")["events"])[0]
    received = event["received"]
    assert api(f"/api/v1/events?since={received}&source=timed")["events"]
    assert not api(f"/api/v1/events?until={received}&source=timed&after={head}")["events"]
    assert api("/api/v1/events?since=1h&source=timed")["events"]
    assert api("/api/v1/events?source=timed&since=" + quote("2020-01-01T00:00:00+01:00"))["events"]
    assert api("/api/v1/events?source=timed&since=2020-01-01T00:00:00+01:00")["events"]


@pytest.mark.parametrize("token", [None, "", "wrong", "ä"])
@pytest.mark.parametrize(
    "path", ["/api/v1/events", "/api/v1/sources", "/api/v1/credentials", "/api/v1/quarantine", "/api/v1/sinks"]
)
def test_a_token_is_needed(running, token, path):
    headers = {} if token is None else {"Authorization": f"Bearer {token}".encode()}
    answer = requests.get(running.manage_url + path, headers=headers, timeout=60)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert running.api_token not in answer.text


def test_basic_authentication_with_the_token_is_refused(running):
    auth = ("api", running.api_token)
    assert requests.get(running.manage_url + "/api/v1/events", auth=auth, timeout=60).status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/api/v1/events/nothing", 404), ("GET", "/api/v1/events/nothing/raw", 404), ("GET", "/nothing", 404),
     ("POST", "/api/v1/events", 405), ("GET", "/api/v1/sources/nothing", 404), ("DELETE", "/api/v1/sources/x", 404),
     ("GET", "/api/v1/quarantine/999/raw", 404)],
)  # fmt: skip
def test_errors_are_problems(api, method, path, status):
    assert api(path, method, status)["detail"]


def test_credentials(api, post):
    """Names alone; who would be refused without one; a query that makes no sense is refused."""
    assert api("/api/v1/credentials") == {"credentials": [{"name": "basic"}, {"name": "bearer"}]}
    api("/api/v1/sources", "PATCH", json={"sources": [{"name": "given1", "credential": "basic"}]})
    head = api("/api/v1/events?limit=1")["head"]
    until(lambda: post(EVENT, "/events/given1") and api(f"/api/v1/events?after={head}&source=given1")["events"])
    shown = api("/api/v1/sources/given1")
    assert (shown["credential"], list(shown["heard_with"])) == ("basic", ["basic"])
    needs = api("/api/v1/credentials/needs?keep=bearer")["needs"]
    assert "last sent with basic" in {need["source"]: need["reason"] for need in needs}["given1"]
    for query in ("", "?keep=a&heard=perhaps", "?keep=a&drop=b"):
        api(f"/api/v1/credentials/needs{query}", status=400)
    api("/api/v1/sources/given1", "DELETE", 204)


def test_sources(api, post):
    """Registered in bulk, changed by field, named by address from then on, removed."""
    document = {"sources": [{"name": "reg1", "address": "127.0.0.1", "serial": "S1", "labels": {"rack": "7"}}]}
    assert api("/api/v1/sources", "PATCH", json={**document, "check": True})["created"] == ["reg1"]
    api("/api/v1/sources/reg1", status=404)
    changed = api("/api/v1/sources", "PATCH", json=document)
    assert changed["created"] == ["reg1"]
    assert changed["diff"][0]["before"] is None
    assert api("/api/v1/sources", "PATCH", json=document)["unchanged"] == ["reg1"]
    again = api("/api/v1/sources", "PATCH", json={"sources": [{"name": "reg1", "model": "M"}]})
    assert (again["updated"], again["diff"][0]["after"]["serial"]) == (["reg1"], "S1")
    head = api("/api/v1/events?limit=1")["head"]
    until(lambda: post(EVENT, "/") and api(f"/api/v1/events?after={head}&source=reg1")["events"])
    shown = api("/api/v1/sources/reg1")
    assert (shown["registered"], shown["model"], shown["labels"]) == (True, "M", {"rack": "7"})
    assert shown["events"] >= 2
    assert "reg1" in [source["name"] for source in api("/api/v1/sources")["sources"]]
    assert api("/api/v1/sources/reg1", "DELETE", 204) is None
    assert api("/api/v1/sources/reg1")["registered"] is False


@pytest.mark.parametrize(
    "document",
    [{}, [], {"sources": {}}, {"sources": [], "chek": True}, {"sources": [{"name": "a/b"}]},
     {"sources": [], "check": 1}, {"sources": [{"name": "x", "color": "red"}]}],
)  # fmt: skip
def test_wrong_sources_are_refused(api, document):
    api("/api/v1/sources", "PATCH", 400, json=document)


def test_a_body_that_is_no_json_is_refused(api):
    api("/api/v1/sources", "PATCH", 400, data=b"{")


def test_quarantine(api, post):
    post(b"<html>no event</html>", "/events/odd")
    held = until(lambda: api("/api/v1/quarantine?limit=1")["quarantine"])[0]
    assert (held["source"], held["size"]) == ("odd", 21)
    assert "JSON" in held["reason"]


def test_raw_is_bytes_that_no_browser_runs(running, api, post):
    post(b"<script>alert(1)</script>", "/events/odd")
    seq = until(lambda: [item for item in api("/api/v1/quarantine")["quarantine"] if item["size"] == 25])[0]["seq"]
    headers = {"Authorization": f"Bearer {running.api_token}"}
    answer = requests.get(f"{running.manage_url}/api/v1/quarantine/{seq}/raw", headers=headers, timeout=60)
    assert answer.content == b"<script>alert(1)</script>"
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_health(api, running):
    assert api("/health/live", token=None) == {"status": "live"}
    until(lambda: requests.get(f"{running.manage_url}/health/ready", timeout=60).ok)
    ready = api("/health/ready", token=None)
    assert ready["status"] == "ready", ready
    assert {check["name"] for check in ready["checks"]} == {
        "ingest", "certificate", "relay", "journal", "sink text_log", "sink json_lines", "disk",
    }  # fmt: skip
    receiving = api("/health/receiving", token=None)
    assert (receiving["status"], {check["name"] for check in receiving["checks"]}) == (
        "ready", {"ingest", "journal", "disk"},
    )  # fmt: skip


def test_sinks(api):
    found = until(lambda: all(sink["lag"] == 0 for sink in api("/api/v1/sinks")["sinks"]) and api("/api/v1/sinks"))
    assert [(sink["name"], sink["state"]) for sink in found["sinks"]] == [("json_lines", "ok"), ("text_log", "ok")]


def test_metrics(running, api, post):
    """Of the log and of the ingest workers, in one scrape."""
    post(EVENT)
    until(lambda: api("/api/v1/events?source=bmc1")["events"])
    until(lambda: all(sink["lag"] == 0 for sink in api("/api/v1/sinks")["sinks"]))
    text = requests.get(running.manage_url + "/metrics", timeout=60).text
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(lines["event_listener_log_up"]) == 1
    assert float(lines['event_listener_log_rows{table="event"}']) >= 2
    assert float(lines['event_listener_sink_up{sink="text_log"}']) == 1
    assert float(lines['event_listener_sink_passed_total{sink="json_lines"}']) >= 1
    assert float(lines['event_listener_sink_behind_seconds{sink="json_lines"}']) < 60
    assert float(lines['event_listener_source_last_seen_timestamp_seconds{source="bmc1"}']) > time.time() - 60
    assert float(lines['event_listener_ingest_payloads_total{status="ok"}']) >= 1
    assert "event_listener_journal_depth" in lines


def test_health_and_metrics_can_need_a_token(listener):
    with listener({"manage": {"public_health": False, "public_metrics": False}}) as running:
        for path in ("/health/live", "/health/ready", "/health/receiving", "/metrics"):
            assert requests.get(running.manage_url + path, timeout=60).status_code == 401
            # Without a token the listener couldn't be asked whether it is ready, so it may not be yet.
            wait_for(lambda path=path: running.api(path).status_code == 200)


def test_states_of_resources_by_transition(post, api):
    """A transition shows old and new state, also after a restart of nothing: the event log has them."""
    resource = {"@odata.id": "/redfish/v1/Systems/states"}
    for key in ("ResourcePoweredOn", "ResourcePoweredOff"):
        post({"Events": [{"MessageId": f"ResourceEvent.1.3.{key}", "OriginOfCondition": resource}]}, "/events/bmc-s")

    def seen():
        return api(f"/api/v1/events?resource_id={resource['@odata.id']}&order=asc")["events"]

    until(lambda: len(seen()) == 2)
    assert [(e["state_of"], e["old_state"], e["new_state"]) for e in seen()] == [
        ("power", None, "On"),
        ("power", "On", "Off"),
    ]
    answer = api("/api/v1/resources?source=bmc-s&aspect=power&limit=1")
    (found,) = answer["resources"]
    assert answer["next"] is None
    assert (found["state"], found["previous"], found["event_id"]) == ("Off", "On", seen()[1]["id"])
    assert found["since"] == found["seen"] == seen()[1]["received"]


@pytest.mark.parametrize("query", ["state=", "source=,", "states=On", "limit=0", "after=x", "limit=1&limit=2"])
def test_a_question_about_resources_that_makes_no_sense(api, query):
    assert api(f"/api/v1/resources?{query}", status=400)["detail"]


def test_resources_in_pages(post, api):
    members = [
        {
            "MessageId": "ResourceEvent.1.3.ResourceStatusChangedOK",
            "OriginOfCondition": {"@odata.id": f"/r/v1/Fans/{n} x"},
        }
        for n in range(5)
    ]
    post({"Events": members}, "/events/bmc-pages")
    until(lambda: len(api("/api/v1/resources?source=bmc-pages")["resources"]) == 5)
    found, after = [], ""
    while True:
        page = api(f"/api/v1/resources?source=bmc-pages&limit=2{after}")
        found += [item["resource_id"] for item in page["resources"]]
        if page["next"] is None:
            break
        after = "&after=" + quote(page["next"])
    assert found == [f"/r/v1/Fans/{n} x" for n in range(5)]
