# SPDX-License-Identifier: GPL-3.0-or-later
"""The live stream of a real listener: exactly the events after Last-Event-ID, whoever is killed or slow meanwhile."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import threading
import time
from urllib.parse import urlsplit

import pytest
import requests

from tests.integration.listener_process import children, wait_for
from tests.integration.sse_client import Follower, until_all

PATIENCE = 60


@pytest.fixture(scope="module")
def running(listener):
    manage = {"max_streams": 110, "stream_heartbeat": 0.5, "stream_timeout": 2}
    with listener({"manage": manage}) as running:
        yield running


def feed(running, count, source="bmc1", **fields):
    """POST payloads of ten records each; a POST that isn't answered 200 is sent again, as a BMC does."""
    with requests.Session() as session:
        session.auth = running.credentials
        for start in range(0, count, 10):
            members = [
                {"MessageId": "Test.1.0.Event", "EventId": str(start + number), **fields} for number in range(10)
            ]
            _post(session, running, source, {"Events": members})


def _post(session, running, source, body):
    url, ca = f"{running.url}/events/{source}", str(running.ca_path)
    for _ in range(300):
        with contextlib.suppress(requests.RequestException):
            if session.post(url, json=body, timeout=60, verify=ca).status_code == 200:
                return
        time.sleep(0.1)
    raise AssertionError("the listener takes nothing")


def logged(running, after, **query):
    found, place = [], after
    while True:
        page = running.api("/api/v1/events", order="asc", after=place, limit=1000, **query).json()
        found += [event["seq"] for event in page["events"]]
        if page["next"] is None:
            return found
        place = page["next"]


def head(running):
    return running.api("/api/v1/events", limit=1).json()["head"]


@pytest.fixture
def follow(running):
    """Start followers, and end them all."""
    started = []

    def follow(query="", last="", *, wait=True):
        follower = Follower(running.manage_url, running.api_token, query, last)
        follower.start()
        started.append(follower)
        if wait:
            assert follower.opened.wait(PATIENCE)
        return follower

    yield follow
    for follower in started:
        follower.end()
    for follower in started:
        follower.join(PATIENCE)
        assert not follower.is_alive()


def stream(running, query="", token=None, **headers):
    headers = {"Authorization": f"Bearer {token or running.api_token}", **headers}
    return requests.get(f"{running.manage_url}/api/v1/events/stream{query}", headers=headers, stream=True, timeout=30)


def test_what_arrives_is_streamed_and_the_same_as_the_api_shows(running, follow):
    start = head(running)
    follower = follow()
    feed(running, 30)
    wait_for(lambda: len(follower.events) == 30, PATIENCE)
    assert follower.seqs == logged(running, start)
    first = running.api(f"/api/v1/events/{follower.events[0]['id']}").json()
    assert follower.events[0] == first


def test_resuming_gives_exactly_what_follows(running, follow):
    start = head(running)
    feed(running, 50)
    wait_for(lambda: len(logged(running, start)) == 50, PATIENCE)
    expected = logged(running, start)
    for place in (start, expected[0], expected[24]):
        follower = follow(last=str(place))
        until_all([follower], [seq for seq in expected if seq > place])
    assert follow(last=str(expected[-1])).events == []
    until_all([follow(f"?after={expected[9]}")], expected[10:])


def test_filters_and_topics(running, follow):
    start = head(running)
    critical = follow("?level=ERROR")
    topics = follow("?topic=bmc-a.*.Test-Event.%23&topic=bmc-b.%23")
    one = follow("?topic=bmc-a.%23&level=ERROR")
    feed(running, 20, "bmc-a")
    feed(running, 10, "bmc-b", Severity="Critical")
    feed(running, 10, "bmc-c", Severity="Critical")
    feed(running, 10, "bmc-a", Severity="Critical")
    wait_for(lambda: head(running) == start + 50, PATIENCE)
    until_all([critical], logged(running, start, level="ERROR"))
    until_all([topics], logged(running, start, source="bmc-a,bmc-b"))
    until_all([one], logged(running, start, source="bmc-a", level="ERROR"))
    # A client that heard nothing has moved on all the same: it needn't look through all of that again.
    nothing = follow(f"?level=WARN&after={start}")
    wait_for(lambda: nothing.last == str(start + 50), PATIENCE)
    assert nothing.events == []


def test_history_by_time_then_live(running, follow):
    start = head(running)
    feed(running, 20, "bmc-since")
    wait_for(lambda: head(running) == start + 20, PATIENCE)
    moment = running.api("/api/v1/events", source="bmc-since", order="asc", limit=1).json()["events"][0]["received"]
    follower = follow(f"?source=bmc-since&since={moment}")
    feed(running, 10, "bmc-since")
    wait_for(lambda: head(running) == start + 30, PATIENCE)
    until_all([follower], logged(running, start))


@pytest.mark.slow
def test_a_hundred_clients_lose_and_repeat_nothing_when_processes_are_killed(running, follow):
    """kill -9 of manage, relay, an ingest worker, in the middle: each client has each event once, in order."""
    start = head(running)
    followers = [follow(last=str(start), wait=False) for _ in range(100)]
    wait_for(lambda: all(one.opened.is_set() for one in followers), PATIENCE)
    feeder = threading.Thread(target=feed, args=(running, 1500, "bmc-storm"))
    feeder.start()
    for part in ("manage", "relay", "worker", "manage"):
        mark = head_or(running, 0)
        kill_all_of(running, part)
        wait_for(lambda mark=mark: head_or(running, 0) > mark or not feeder.is_alive(), PATIENCE)
    feeder.join(PATIENCE)
    wait_for(lambda: running.api("/api/v1/events", limit=1).json()["events"][0]["source"] == "bmc-storm", PATIENCE)
    wait_for(lambda: len(set(ids(running, start))) == 1500, PATIENCE)
    expected = logged(running, start)
    until_all(followers, expected)
    assert sum(one.connections for one in followers) > 100


def kill_all_of(running, part):
    """kill -9 a part, its worker processes too: gunicorn's master alone would leave them to end in good order."""
    wait_for(lambda: running.pids(part), PATIENCE)
    for pid in [process for one in running.pids(part) for process in (*children(one), one)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def head_or(running, default):
    try:
        return head(running)
    except (requests.RequestException, KeyError):
        return default


def ids(running, start):
    """The EventIds of the storm: a POST that was answered by nobody came again, so an event may be in the log twice."""
    found, place = [], start
    while True:
        page = running.api("/api/v1/events", order="asc", after=place, limit=1000).json()
        found += [event["event_id"] for event in page["events"]]
        if page["next"] is None:
            return found
        place = page["next"]


def test_a_slow_client_is_cut_and_resumes_without_loss(running, follow):
    start = head(running)
    host = urlsplit(running.manage_url)
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.connect((host.hostname, host.port))
    request = (
        f"GET /api/v1/events/stream?after={start} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {running.api_token}"
    )
    slow.sendall(request.encode() + b"\r\n\r\n")
    quick = follow(last=str(start))
    feed(running, 300, "bmc-large", Message="x" * 4000, Oem={"padding": "y" * 40000})
    expected = wait_for(lambda: (found := logged(running, start)) and len(found) == 300 and found, PATIENCE)
    until_all([quick], expected)
    wait_for(lambda: "took nothing for" in running.output(), PATIENCE)
    slow.settimeout(PATIENCE)
    received = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while data := slow.recv(1 << 20):
            received += data
    slow.close()
    whole = [int(line[4:]) for block in bytes(received).split(b"\n\n")[:-1] for line in block.split(b"\n")
             if line.startswith(b"id: ")]  # fmt: skip
    assert whole[-1] < expected[-1]
    until_all([follow(last=str(whole[-1]))], [seq for seq in expected if seq > whole[-1]])
    assert "Traceback" not in running.output()


def test_more_streams_than_allowed(listener):
    with listener({"manage": {"max_streams": 2, "threads": 1, "stream_heartbeat": 300}}) as small:
        held = [stream(small), stream(small)]
        for answer in held:
            assert answer.status_code == 200
        refused = stream(small)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
        assert "manage.max_streams" in refused.json()["detail"]
        assert small.api("/api/v1/sinks").status_code == 200  # streams keep nobody from the API
        held[0].close()  # its place is free again without waiting for a heartbeat

        def again():
            answer = stream(small)
            return answer.status_code == 200 and answer

        wait_for(again, PATIENCE).close()
        assert small.stop() == 0  # streams don't hold the listener up: it fails where it has to be killed
        held[1].close()


def test_headers_are_for_proxies_and_head_ends(running):
    with stream(running) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert answer.headers["X-Accel-Buffering"] == "no"
        assert "no-store" in answer.headers["Cache-Control"]
        lines = answer.iter_lines()
        assert [next(lines) for _ in range(4)][:2] == [b"retry: 1000", b"event: position"]
        assert b": still here" in lines
    host = urlsplit(running.manage_url)
    connection = http.client.HTTPConnection(host.hostname, host.port, timeout=60)
    connection.request("HEAD", "/api/v1/events/stream", headers={"Authorization": f"Bearer {running.api_token}"})
    assert connection.getresponse().status == 200
    connection.close()


@pytest.mark.parametrize(
    ("query", "last", "said"),
    [
        ("?limit=3", "", "limit is no parameter"),
        ("?levels=ERROR", "", "levels is no parameter"),
        ("?level=BAD", "", "'BAD' is none of"),
        ("?topic=", "", "topic is empty"),
        ("", "x", "is no id of this stream"),
        ("", "99999999999", "was of another one"),
    ],
)
def test_mistakes(running, query, last, said):
    answer = stream(running, query, **({"Last-Event-ID": last} if last else {}))
    assert answer.status_code == 400
    assert said in answer.json()["detail"]


def test_a_stream_needs_a_token(running):
    assert stream(running, token="wrong").status_code == 401
    assert json.loads(requests.get(f"{running.manage_url}/api/v1/events/stream", timeout=60).text)["status"] == 401
