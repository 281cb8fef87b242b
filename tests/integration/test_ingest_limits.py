# SPDX-License-Identifier: GPL-3.0-or-later
"""The ingest process under slow and hostile clients: another client's requests succeed meanwhile, and stay quick."""

from __future__ import annotations

import contextlib
import json
import resource
import socket
import statistics
import time
from collections.abc import Callable, Iterator

import pytest

from tests.integration.listener_process import RunningListener, wait_for
from tests.integration.raw_http import RawConnection, basic, post

EVENT = json.dumps({"Id": "1", "Name": "n", "Events": [{"MessageId": "Base.1.0.Ok"}]}).encode()
# Generous: the machine may be busy with other tests. Without gevent's patience the answers would never come.
QUICK_SECONDS = 2.0
# A stranger's address, so that what it does isn't counted against the others.
HOSTILE = "127.77.0.1"


@pytest.fixture(scope="module")
def running(listener: Callable[..., RunningListener]) -> Iterator[RunningListener]:
    """Plain HTTP: the limits are the same, and a thousand handshakes would only take time."""
    limits = {"plain_http": True, "head_timeout": 3, "body_timeout": 6, "stranger_connections": 50}
    with listener({"ingest": limits | {"stranger_refusals": 20}}) as started:
        yield started


@pytest.fixture
def knock(running: RunningListener) -> Iterator[Callable[..., socket.socket]]:
    """Open connections from an address of loopback; closed at the end."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with contextlib.ExitStack() as opened:

        def open_one(address: str = HOSTILE) -> socket.socket:
            made = socket.create_connection(running.address, timeout=60, source_address=(address, 0))
            return opened.enter_context(made)

        yield open_one


def others_are_served(running: RunningListener, count: int = 20) -> None:
    """New connections of another client are answered, most of them quickly."""
    taken = []
    for _ in range(count):
        began = time.monotonic()
        assert running.post(EVENT).status_code == 200
        taken.append(time.monotonic() - began)
    assert statistics.median(taken) < QUICK_SECONDS


def answered(connection: socket.socket) -> bytes:
    """Return one whole answer: all of ours end so."""
    answer = b""
    while not answer.endswith(b"}\n"):
        data = connection.recv(4096)
        if not data:
            raise ConnectionResetError
        answer += data
    return answer


def is_closed(connection: socket.socket) -> bool:
    """Whether the listener closed it without a word."""
    connection.settimeout(60)
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


def test_a_thousand_idle_connections(running: RunningListener, knock: Callable[..., socket.socket]):
    """Authenticated ones, from one address as behind a NAT: none is refused, all still work afterwards."""
    request, idle = post(EVENT, basic(running.credentials)), []
    for _ in range(1000):
        idle.append(knock("127.77.0.2"))
        idle[-1].sendall(request)
        assert b" 200 " in answered(idle[-1])
    others_are_served(running)
    for connection in idle[::50]:
        connection.sendall(request)
        assert b" 200 " in answered(connection)


@pytest.mark.parametrize(
    "sent",
    [b"", b"POST / HT", b"POST / HTTP/1.1\r\nHost: x\r\nX-Slow: ", post(b"{", length=100)],
    ids=["silent", "slow request line", "slow headers", "slow body"],
)
def test_strangers_that_dawdle(running: RunningListener, knock: Callable[..., socket.socket], sent: bytes):
    """They hold no more than their share of each worker, for no longer than head_timeout or body_timeout."""
    slow = []
    for _ in range(150):
        with contextlib.suppress(ConnectionError):
            slow.append(knock())
            slow[-1].sendall(sent)
    others_are_served(running)
    away = sum(running.metric("event_listener_ingest_turned_away_total", reason=why) for why in ("connections",))
    assert away > 0
    wait_for(lambda: all(closed(connection) for connection in slow), 60)


def closed(connection: socket.socket) -> bool:
    """Whether the connection is at its end, looking without waiting."""
    connection.settimeout(0.001)
    try:
        while connection.recv(4096):
            continue
    except (TimeoutError, BlockingIOError):
        return False
    except ConnectionError:
        return True
    return True


def test_slow_bodies_of_the_authenticated(running: RunningListener, knock: Callable[..., socket.socket]):
    """A hundred at once take nobody's place."""
    for _ in range(100):
        knock("127.77.0.3").sendall(post(b"{", basic(running.credentials), length=60000))
    others_are_served(running)


def test_a_client_that_never_reads(running: RunningListener, knock: Callable[..., socket.socket]):
    """It pipelines until its window is full; only its own connections stand still."""
    request = post(EVENT, basic(running.credentials)) * 20
    for _ in range(5):
        connection = knock("127.77.0.4")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        connection.settimeout(0.3)
        with contextlib.suppress(TimeoutError, ConnectionError):
            for _again in range(20):
                connection.sendall(request)
    others_are_served(running, 5)


def test_half_open_peers(running: RunningListener, knock: Callable[..., socket.socket]):
    """They said that they send no more, in the middle of a head or of a body."""
    for sent in (b"POST / HTTP/1.1\r\nHost", post(b"{", basic(running.credentials), length=100)) * 20:
        connection = knock("127.77.0.5")
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
    others_are_served(running)


def test_wrong_credentials_are_answered_429_and_turned_away(
    running: RunningListener, knock: Callable[..., socket.socket]
):
    """First 401, then 429 with Retry-After and the connection's end, then no connection; others notice nothing."""
    address, statuses = "127.77.0.6", []
    for _ in range(120):
        with contextlib.suppress(ConnectionError):
            connection = knock(address)
            connection.sendall(post(EVENT, basic(("bmc", "wrong"))))
            statuses.append(answered(connection).split(b" ")[1])
    assert b"401" in statuses
    with contextlib.suppress(ConnectionResetError):  # closed so early that connecting already notices
        assert is_closed(knock(address))
    assert running.metric("event_listener_ingest_turned_away_total", reason="refusals") > 0
    others_are_served(running, 5)


def test_a_known_address_is_never_locked_out(running: RunningListener, knock: Callable[..., socket.socket]):
    """One BMC behind a NAT has an old password: it gets 429, the others' events are taken all the time."""
    address = "127.77.0.7"
    good, wrong = post(EVENT, basic(running.credentials)), post(EVENT, basic(("bmc", "wrong")))
    answers = []
    for _ in range(120):
        for request in (good, wrong):
            connection = knock(address)
            connection.sendall(request)
            answers.append(answered(connection))
    assert all(b" 200 " in answer for answer in answers[::2])
    limited = [answer for answer in answers[1::2] if b" 429 " in answer]
    assert limited
    assert b"Retry-After: " in limited[0]
    assert b"Connection: close" in limited[0]


def test_large_bodies_share_the_memory(listener: Callable[..., RunningListener]):
    """Of three bodies that each need the whole share, one is read; the others wait, then are asked to come again."""
    size = 900_000
    limits = {"plain_http": True, "workers": 1, "body_memory": 1 << 20, "commit_timeout": 1, "retry_after": 7}
    with listener({"ingest": limits}) as running:
        body = json.dumps({"Message": "x" * (size - 15)}).encode()
        whole = post(body, basic(running.credentials))
        with RawConnection(running.address, None) as slow:
            slow.send(whole[:-1])
            assert running.post(EVENT).status_code == 200
            answer = running.post(body)
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")
            assert "ingest.body_memory" in answer.json()["detail"]
            slow.send(whole[-1:])
            assert slow.read().status == 200
        assert running.post(body).status_code == 200
