# SPDX-License-Identifier: GPL-3.0-or-later
"""A real nginx in front of ingest, run by the listener: nobody gets in by it, nothing gets lost in it."""

from __future__ import annotations

import os
import shutil
import signal
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
import trustme
import yaml

from tests.integration.listener_process import RunningListener, children, issue_client_certificates, wait_for
from tests.integration.raw_http import RawConnection, basic, post
from tests.integration.test_ingest_tls import client_context, event_over

EVENT = b'{"Id": "1", "Name": "n", "Events": [{"MessageId": "Base.1.0.Ok"}]}'
SECRET = "secret-" + "s3cr3t" * 8


def copy_of(certificates: dict[str, Path], directory: Path) -> dict[str, str]:
    """Copy certificate and key, to be replaced by a test."""
    return {
        name: str(shutil.copy(certificates[name], directory / certificates[name].name))
        for name in ("certificate", "key")
    }


@pytest.fixture(scope="module")
def running(
    listener: Callable[..., RunningListener], certificates: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningListener]:
    """nginx on a port of its own, ingest behind it on a Unix socket."""
    tls = copy_of(certificates, tmp_path_factory.mktemp("tls"))
    limits = {"tls": tls, "quarantine_max_body": 4096, "max_body": 2048, "retry_after": 3}
    with listener({"nginx": {}, "ingest": limits}) as started:
        yield started


def send(running: RunningListener, data: bytes, source: str = "127.78.0.1") -> tuple[int, dict[str, str], bytes]:
    """Send a request from an address of loopback; returns status, headers and body."""
    with RawConnection(running.address, running.ca_path, timeout=60, source=source) as connection:
        connection.send(data)
        answer = connection.read()
        return answer.status, answer.headers, answer.body


@pytest.mark.parametrize(
    "header",
    ["", "X-Forwarded-For: 10.9.9.9\r\n", "X-Forwarded-For: 10.9.9.9, 127.0.0.1\r\nX-Forwarded-For: 10.9.9.8\r\n",
     "Forwarded: for=10.9.9.9\r\nX-Real-IP: 10.9.9.9\r\n"],
    ids=["none", "spoofed", "spoofed twice", "other headers"],
)  # fmt: skip
def test_the_source_is_who_connected(running: RunningListener, header: str, request: pytest.FixtureRequest):
    """Whatever a client claims: the address that nginx saw is the event's."""
    number = request.node.callspec.indices["header"] + 1
    source = f"127.78.1.{number}"
    assert send(running, post(EVENT, basic(running.credentials), header), source)[0] == 200
    events = wait_for(lambda: running.api("/api/v1/events", source=source).json()["events"], 60)
    assert {event["address"] for event in events} == {source}


def test_bodies_and_refusals_pass_through(running: RunningListener):
    """Chunked bodies are whole; 401, 405, 413 and 415 are ingest's own answers, in its words."""
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (EVENT[:10], EVENT[10:])) + b"0\r\n\r\n"
    head = b"POST /events/chunked HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
    authorization = basic(running.credentials)
    assert send(running, head + authorization.encode() + b"\r\n" + chunks)[0] == 200
    event = wait_for(lambda: running.api("/api/v1/events", source="chunked").json()["events"], 60)
    assert event[0]["message_id"] == "Base.1.0.Ok"
    for data, status, word in (
        (post(EVENT), 401, b"credentials"),
        (post(b"x" * 5000, authorization), 413, b"quarantine_max_body"),
        (post(EVENT, authorization, "Content-Encoding: gzip\r\n"), 415, b"compressed"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 405, b"only POST"),
    ):
        answer = send(running, data)
        assert (answer[0], word in answer[2]) == (status, True), answer
    assert running.post(b"x" * 3000).json() == {"status": "stored"}


def test_one_connection_carries_many_events(running: RunningListener):
    """Keep-alive to the BMC, and pipelined requests in their order."""
    authorization = basic(running.credentials)
    with RawConnection(running.address, running.ca_path, timeout=60) as connection:
        connection.send(post(EVENT, authorization) * 3 + post(EVENT) + post(EVENT, authorization))
        assert [connection.read().status for _ in range(5)] == [200, 200, 200, 401, 200]


def test_unavailable_is_503_with_retry_after_and_no_log_holds_a_secret(running: RunningListener):
    """Ingest's own 503, and nginx's when ingest isn't there; what nginx logs of it has no secret path."""
    journal = running.state_dir / "journal"
    stopped = running.freeze_relay()
    journal.rename(journal.with_name("away"))
    status, headers, body = send(running, post(EVENT, basic(running.credentials)))
    journal.with_name("away").rename(journal)
    os.kill(stopped, signal.SIGCONT)
    assert (status, headers["retry-after"], b"can't be stored now" in body) == (503, "3", True)

    path = Path(running.settings["ingest"]["bind"][0].removeprefix("unix:"))
    path.rename(path.with_name("away.sock"))
    for worker in running.pids("worker"):  # with it go the connections that nginx keeps
        os.kill(worker, signal.SIGKILL)
    request = post(EVENT, basic(running.credentials)).replace(b"POST / ", f"POST /events/bmc-1/{SECRET} ".encode())
    status, headers, body = send(running, request)
    path.with_name("away.sock").rename(path)
    assert (status, headers["retry-after"], b"being started" in body) == (503, "3", True)
    assert headers["content-type"] == "application/json"
    wait_for(lambda: "/events/bmc-1/secret-***" in running.output(), 60)
    assert SECRET not in running.output()
    wait_for(lambda: running.post(EVENT, timeout=60).status_code == 200, 60)


def test_sessions_are_resumed(running: RunningListener):
    """By TLS 1.2 and 1.3, at any of its workers."""
    for version in ("1.2", "1.3"):
        context = client_context(running.ca_path, version)
        _status, _certificate, session, reused = event_over(running, context)
        assert not reused
        assert [event_over(running, context, session)[3] for _ in range(4)] == [True] * 4


def test_a_renewed_certificate_is_taken(running: RunningListener, tmp_path: Path):
    """Within seconds, without a restart; half-replaced files change nothing."""
    before = running.pids("nginx")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    issued = authority.issue_cert("127.0.0.1")
    files = running.settings["ingest"]["tls"]
    issued.private_key_pem.write_to_path(files["key"])
    wait_for(lambda: "the renewed certificate is not used" in running.output(), 60)
    assert running.post(EVENT).status_code == 200
    issued.cert_chain_pems[0].write_to_path(files["certificate"])
    running.ca_path = tmp_path / "ca.pem"

    def served() -> bool:
        try:
            return running.post(EVENT).status_code == 200
        except requests.exceptions.SSLError:
            return False

    wait_for(served, 60)
    assert running.pids("nginx") == before


def test_it_is_replaced_when_it_is_killed(running: RunningListener):
    """Its port stays open meanwhile; no worker of the old one is left, and none serves without a master."""
    (parent,) = running.pids("nginx")
    master = wait_for(lambda: children(parent), 60)[0]
    workers = wait_for(lambda: children(master), 60)
    os.kill(master, signal.SIGKILL)
    assert running.post(EVENT, timeout=60).status_code == 200
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), 60)
    wait_for(lambda: running.pids("nginx") not in ([], [parent]), 60)
    assert running.post(EVENT, timeout=60).status_code == 200


def test_client_certificates(listener: Callable[..., RunningListener], tmp_path: Path):
    """With client_ca nginx lets nobody through without a certificate of that authority; credentials count as ever."""
    shown = issue_client_certificates(tmp_path)
    with listener({"nginx": {}, "ingest": {"tls": {"client_ca": shown["fleet"]}}}) as running:
        assert running.post(EVENT, cert=shown["bmc"]).status_code == 200
        assert running.post(EVENT, cert=shown["bmc"], auth=None).status_code == 401
        assert running.post(EVENT).status_code == 400
        assert running.post(EVENT, cert=shown["stranger"]).status_code == 400
        assert running.metric("event_listener_ingest_payloads_total", status="ok") == 1


@pytest.mark.parametrize(
    "wrong",
    [{"bind": ["127.0.0.1:8080"]}, {"plain_http": False}, {"trusted_proxies": []}, {"bind": ["unix:/a", "unix:/b"]}],
)
def test_a_setting_that_leaves_a_way_around_is_refused(
    listener: Callable[..., RunningListener], wrong: dict, tmp_path: Path
):
    """Ingest behind nginx has one socket, and the header of nobody else is believed."""
    running = listener({"nginx": {}, "ingest": wrong}, start=False)
    path = tmp_path / "config.yml"
    path.write_text(yaml.safe_dump(running.settings))
    command = [sys.executable, "-m", "event_listener", "check", "--config", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 78
    assert "one Unix socket alone" in done.stderr


def test_old_protocols_are_refused(running: RunningListener):
    """As by ingest itself: nothing below TLS 1.2."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        event_over(running, context)
