# SPDX-License-Identifier: GPL-3.0-or-later
"""Two real listeners: a site forwards to a central one, through outages and kill -9 on both sides."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time

import pytest
import requests

from tests.integration.listener_process import RunningListener, children, wait_for

PATIENCE = 90
TOKEN = "a-site-s-own-token"


@pytest.fixture
def pair(listener, tmp_path, certificates):
    """A central listener and a site that forwards to it, both running."""
    secret = tmp_path / "site-token"
    secret.write_text(TOKEN)
    with listener({"ingest": {"sites": [{"name": "dc1", "token": {"file": str(secret)}}]}}) as central:
        sink = {
            "name": "central",
            "url": central.url + "/cloudevents",
            "token": {"file": str(secret)},
            "tls": {"ca": str(certificates["ca"])},
            "batch": 20,
            "timeout": 5,
        }
        with listener({"sinks": {"http": [sink]}}) as site:
            yield site, central


def feed(site: RunningListener, stop: threading.Event, sent: list[int]) -> None:
    """POST to the site as BMCs do, until told to stop; what isn't answered is sent again."""
    with requests.Session() as session:
        session.auth = site.credentials
        while not stop.is_set():
            number = len(sent)
            key = "ResourcePoweredOn" if number % 2 else "ResourcePoweredOff"
            member = {"MessageId": f"ResourceEvent.1.3.{key}", "EventId": str(number),
                      "OriginOfCondition": {"@odata.id": "/redfish/v1/Systems/1"}}  # fmt: skip
            url = f"{site.url}/events/bmc{number % 4}"
            with contextlib.suppress(requests.RequestException):
                answer = session.post(url, json={"Events": [member] * 2}, timeout=60, verify=str(site.ca_path))
                if answer.status_code == 200:
                    sent.append(number)
                    time.sleep(0.005)
                    continue
            time.sleep(0.1)


def events(running: RunningListener) -> list[dict]:
    found, place = [], 0
    while True:
        page = running.api("/api/v1/events", order="asc", after=place, limit=1000).json()
        found += page["events"]
        if page["next"] is None:
            return found
        place = page["next"]


def kill_everything_of(running: RunningListener) -> None:
    """kill -9 of the parent and all its processes at once: the host's power fails."""
    parents = [pid for part in ("ingest", "manage", "relay") for pid in running.pids(part)]
    doomed = [running.process.pid, *parents, *(child for pid in parents for child in children(pid))]
    for pid in doomed:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    running.process.wait()
    running.process = None


@pytest.mark.slow
def test_each_event_is_once_at_the_central_listener(pair):
    """The central one is down, then killed; the site's relay and the whole site are killed: ids equal, order kept."""
    site, central = pair
    stop, sent = threading.Event(), []
    feeder = threading.Thread(target=feed, args=(site, stop, sent))
    feeder.start()
    try:
        wait_for(lambda: len(events(central)) > 40, PATIENCE)
        kill_everything_of(central)
        mark = len(sent)
        wait_for(lambda: len(sent) > mark + 100, PATIENCE)
        central.start()
        reached = len(events(central))
        wait_for(lambda: len(events(central)) > reached, PATIENCE)
        for _ in range(3):
            site.kill("relay")
            central.kill("relay")
            central.kill("worker")
            mark = len(events(central))
            wait_for(lambda mark=mark: len(events(central)) > mark + 20, PATIENCE)
        kill_everything_of(site)
        site.start()
        mark = len(sent)
        wait_for(lambda: len(sent) > mark + 40, PATIENCE)
    finally:
        stop.set()
        feeder.join(PATIENCE)
    at_site = wait_for(lambda: (found := events(site)) and len(found) >= 2 * len(sent) and found, PATIENCE)
    wait_for(lambda: len(events(central)) >= len(at_site), PATIENCE)
    arrived = events(central)
    ours = {"seq", "payload_id", "site"}
    expected = [{name: value for name, value in event.items() if name not in ours} for event in at_site]
    found = [{name: value for name, value in event.items() if name not in ours} for event in arrived]
    key = lambda event: event["id"]  # noqa: E731 - a name for what is compared
    assert sorted(found, key=key) == sorted(expected, key=key)
    for source in {event["source"] for event in expected}:
        assert [e["id"] for e in found if e["source"] == source] == [e["id"] for e in expected if e["source"] == source]
    assert {event["site"] for event in arrived} == {"dc1"}
    states = [
        [(row["source"], row["state"], row["since"]) for row in running.api("/api/v1/resources").json()["resources"]]
        for running in (site, central)
    ]
    assert states[0] == states[1] != []
    assert central.api("/api/v1/quarantine").json()["quarantine"] == []


def test_a_site_with_a_wrong_token_is_told_and_waits(pair, tmp_path):
    site, central = pair
    (tmp_path / "site-token").write_text("another")  # the sink reads it anew for each request
    site.post({"Events": [{"EventId": "1"}]}, "/events/bmc1")

    def sink():
        found = [item for item in site.api("/api/v1/sinks").json()["sinks"] if item["name"] == "central"]
        return found[0] if found else {"state": "not yet"}

    wait_for(lambda: sink()["state"] == "retrying", PATIENCE)
    assert "401" in sink()["reason"]
    assert events(central) == []
    assert central.metric("event_listener_ingest_refused_total", reason="credentials_wrong") >= 1
