# SPDX-License-Identifier: GPL-3.0-or-later
"""The real ingest process on the wire: framing of every answer, patience with nobody, and what is stored."""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.integration.listener_process import RunningListener, children, command_line, wait_for
from tests.integration.raw_http import RawConnection, basic, post

EVENT = json.dumps({"Id": "1", "Name": "n", "Events": [{"MessageId": "Base.1.0.Ok"}]}).encode()
LIMITS = {"max_body": 4096, "quarantine_max_body": 65536, "body_timeout": 2, "keepalive": 4}


@pytest.fixture(scope="module")
def running(listener: Callable[..., RunningListener]) -> Iterator[RunningListener]:
    """One listener for this file."""
    with listener({"ingest": LIMITS | {"tls": {"handshake_timeout": 2}}, "log_level": "debug"}) as started:
        yield started


@pytest.fixture
def connect(running: RunningListener) -> Iterator[Callable[..., RawConnection]]:
    """Open connections that are closed at the end."""
    opened: list[RawConnection] = []

    def open_one(*, tls: bool = True) -> RawConnection:
        opened.append(RawConnection(running.address, running.ca_path if tls else None))
        return opened[-1]

    yield open_one
    for one in opened:
        one.socket.close()


def stored(running: RunningListener) -> int:
    """Return how many payloads were ever stored."""
    with running.journal() as reader:
        return reader.head()


def test_every_answer_is_framed_on_one_connection(running: RunningListener, connect: Callable[..., RawConnection]):
    """Keep-alive goes on over good and bad: the next request is always understood (DMTF's 401 had no length)."""
    good, wrong = basic(running.credentials), basic(("bmc", "wrong"))
    connection, before = connect(), stored(running)
    expected = [
        (post(EVENT, good), 200),
        (post(EVENT), 401),
        (post(EVENT, wrong), 401),
        (post(EVENT, good, path="/events/bmc-1"), 200),
        (post(EVENT, good, path="/nowhere"), 404),
        (post(EVENT, good, path="/events/a%2Fb"), 404),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (post(b"not json", good), 200),
        (post(b"", good), 200),
        (post(EVENT, good, "Content-Encoding: gzip\r\n"), 415),
        (post(EVENT, good), 200),
    ]
    for request, status in expected:
        connection.send(request)
        answer = connection.read()
        assert (answer.status, answer.headers["connection"]) == (status, "keep-alive"), request
        assert json.loads(answer.body)["status"]
    assert stored(running) - before == 5


def test_pipelined_requests_are_answered_in_order(running: RunningListener, connect: Callable[..., RawConnection]):
    """A body that is left unread would be taken for a request."""
    good = basic(running.credentials)
    connection = connect()
    connection.send(post(EVENT, good) + post(EVENT) + post(EVENT, good))
    assert [connection.read().status for _ in range(3)] == [200, 401, 200]


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"NONSENSE\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nno colon: " + b"\x00" + b"\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nAuthorization Basic c2VjcmV0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: rot13\r\n\r\n", 501),
        (b"POST /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"POST / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 9000 + b"\r\n\r\n", 431),
        (b"POST / HTTP/1.1\r\n" + b"X: a\r\n" * 100 + b"\r\n", 431),
    ],
)
def test_what_is_not_http_is_answered_and_closed(
    connect: Callable[..., RawConnection], request_bytes: bytes, status: int
):
    """With a length; and a header line that holds a secret is not logged."""
    connection = connect()
    connection.send(request_bytes)
    assert connection.read().status == status
    assert connection.ended()


def test_chunked_bodies_are_taken(running: RunningListener, connect: Callable[..., RawConnection]):
    """The DMTF listener answers 411. The pieces are put together byte by byte."""
    connection, before = connect(), stored(running)
    head = f"POST / HTTP/1.1\r\nHost: x\r\n{basic(running.credentials)}Transfer-Encoding: chunked\r\n\r\n".encode()
    pieces = b"".join(b"%x\r\n%s\r\n" % (len(EVENT[at : at + 7]), EVENT[at : at + 7]) for at in range(0, len(EVENT), 7))
    for _ in range(2):
        connection.send(head + pieces + b"0\r\n\r\n")
        assert connection.read().status == 200
    assert stored(running) == before + 2
    assert running.metric("event_listener_ingest_payloads_total", status="ok") >= 2


@pytest.mark.parametrize("kind", ["length", "chunk", "no last chunk", "bad chunk"])
def test_a_body_cut_short_is_never_stored(running: RunningListener, connect: Callable[..., RawConnection], kind: str):
    """The client closes its side in the middle."""
    before, good = stored(running), basic(running.credentials)
    chunked = f"POST / HTTP/1.1\r\nHost: x\r\n{good}Transfer-Encoding: chunked\r\n\r\n".encode()
    whole = b"%x\r\n%s\r\n" % (len(EVENT), EVENT)
    request = {
        "length": post(EVENT, good, length=len(EVENT) + 1),
        "chunk": chunked + whole[:-20],
        "no last chunk": chunked + whole,
        "bad chunk": chunked + whole + b"xyz\r\n",
    }[kind]
    counted = running.metric("event_listener_ingest_cut_short_total")
    connection = connect()
    connection.send(request)
    connection.socket.close()
    wait_for(lambda: running.metric("event_listener_ingest_cut_short_total") == counted + 1)
    assert stored(running) == before


def test_a_slow_body_is_given_up(running: RunningListener, connect: Callable[..., RawConnection]):
    """body_timeout is for the whole body, however many bytes dribble in."""
    connection, before = connect(), stored(running)
    connection.send(post(b"", basic(running.credentials), length=1000))
    began = time.monotonic()
    for _ in range(12):
        time.sleep(0.25)
        try:
            connection.send(b" ")
        except OSError:
            break
    assert time.monotonic() - began < 20
    assert connection.read().status == 408
    assert stored(running) == before


def test_sizes(running: RunningListener, connect: Callable[..., RawConnection]):
    """Parsed, kept in quarantine, refused: each with an answer that arrives whole."""
    good, before = basic(running.credentials), stored(running)
    connection = connect()
    connection.send(post(b'{"a": "' + b"x" * 5000 + b'"}', good))
    assert connection.read().status == 200
    connection.send(post(b"x" * 65537, good))
    assert connection.read().status == 413
    connection.send(post(EVENT, good))
    assert connection.read().status == 200
    assert stored(running) - before == 2
    wait_for(lambda: running.metric("event_listener_ingest_payloads_total", status="malformed"))


def test_a_gzip_bomb_is_not_unpacked(running: RunningListener, connect: Callable[..., RawConnection]):
    """Refused by its header; without the header its bytes are kept like any that aren't JSON."""
    bomb, good = gzip.compress(b"0" * 10_000_000), basic(running.credentials)
    connection = connect()
    connection.send(post(bomb, good, "Content-Encoding: gzip\r\n"))
    assert connection.read().status == 415
    connection.send(post(bomb, good))
    assert connection.read().status == 200


def test_idle_connections_block_nobody(running: RunningListener, connect: Callable[..., RawConnection]):
    """The DMTF listener serves one connection at a time: one that is idle stops all other BMCs."""
    idle = [connect() for _ in range(40)]
    idle[0].send(post(EVENT, basic(running.credentials)))
    assert idle[0].read().status == 200
    for one in idle[1:20]:
        one.send(b"POST / HTTP/1.1\r\nHost: x\r\n")
    began = time.monotonic()
    for _ in range(10):
        assert running.post({}).status_code == 200
    assert time.monotonic() - began < 20


def test_stalled_handshakes_block_nobody(running: RunningListener):
    """And they are given up."""
    stalled = [socket.create_connection(running.address) for _ in range(40)]
    try:
        began = time.monotonic()
        assert running.post({}).status_code == 200
        assert time.monotonic() - began < 20
        stalled[0].settimeout(60)
        assert stalled[0].recv(1) == b""
    finally:
        for one in stalled:
            one.close()


def test_plain_http_on_the_tls_port(running: RunningListener, connect: Callable[..., RawConnection]):
    """One line in the log, no trace."""
    connection = connect(tls=False)
    connection.send(post(EVENT, basic(running.credentials)))
    assert connection.ended()
    wait_for(lambda: "TLS handshake with 127.0.0.1 failed: HTTP_REQUEST" in running.output())


def test_an_idle_connection_ends_after_keepalive(running: RunningListener, connect: Callable[..., RawConnection]):
    """Not before, so that a BMC can keep its own; not never."""
    connection = connect()
    connection.send(post(EVENT, basic(running.credentials)))
    assert connection.read().status == 200
    time.sleep(2)
    connection.send(post(EVENT, basic(running.credentials)))
    assert connection.read().status == 200
    assert connection.ended()


def test_http_1_0_and_expect(running: RunningListener, connect: Callable[..., RawConnection]):
    """Old firmware, and curl with a large body."""
    good = basic(running.credentials)
    connection = connect()
    connection.send(post(EVENT, good, version="1.0"))
    assert connection.read().status == 200
    assert connection.ended()
    connection = connect()
    connection.send(post(b"", good, "Expect: 100-continue\r\n", length=len(EVENT)))
    assert connection.socket.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    connection.send(EVENT)
    assert connection.read().status == 200


def test_many_at_once_are_all_stored(running: RunningListener):
    """A small storm: each on a TLS connection of its own, both credentials."""
    before = stored(running)
    bearer = {"Authorization": f"Bearer {running.token}"}

    def one(number: int) -> int:
        options = {"auth": None, "headers": bearer} if number % 2 else {}
        return running.post({"Id": number}, f"/events/bmc-{number % 7}", **options).status_code

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(one, range(200))) == {200}
    assert stored(running) - before == 200


def test_no_secret_is_shown(running: RunningListener):
    """Not in the output, not in the process list."""
    secrets = [running.credentials[1], running.token, running.api_token, basic(running.credentials).split()[2]]
    pids = [pid for name in ("supervisor", "ingest", "worker", "manage", "relay") for pid in running.pids(name)]
    assert len(pids) >= 6
    shown = running.output() + "".join(command_line(pid) for pid in pids)
    shown += "".join(Path(f"/proc/{pid}/comm").read_text() for pid in pids)
    assert [secret for secret in [*secrets, "c2VjcmV0"] if secret in shown] == []
    assert "Traceback" not in running.output()
    assert "Warning" not in running.output()


def test_no_child_is_left(listener: Callable[..., RunningListener]):
    """stop() ends all of them, in good order."""
    with listener() as one:
        tree = [
            pid for name in ("ingest", "manage", "relay") for pid in (one.pids(name)[0], *children(one.pids(name)[0]))
        ]
        assert len(tree) >= 5
        assert one.stop() == 0
    assert [pid for pid in tree if Path(f"/proc/{pid}").exists()] == []
