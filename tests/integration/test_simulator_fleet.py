# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet as a process: TLS, deliveries over the network, retries, faults on the wire, the control API."""

from __future__ import annotations

import base64
import hashlib
import http.client
import http.server
import json
import socket
import ssl
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml


class Listener:
    """An HTTPS (or HTTP) server that keeps what it gets: (peer address, path, headers, body)."""

    def __init__(self, certificates=None) -> None:
        self.received: list[tuple[str, str, dict[str, str], dict]] = []
        self.status = 200
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if outer.status < 300:
                    outer.received.append((self.client_address[0], self.path, dict(self.headers), json.loads(body)))
                self.send_response(outer.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        scheme = "http"
        if certificates:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificates["certificate"], certificates["key"])
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            scheme = "https"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def plain_listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


@pytest.fixture
def tls_listener(certificates) -> Iterator[Listener]:
    listener = Listener(certificates)
    yield listener
    listener.close()


@pytest.fixture(scope="module")
def running(fleet):
    """A fleet whose waits are a hundred times shorter: 30 s between retries are 0.3 s."""
    with fleet(mix="openbmc=2,plain=2,plain-verifies=1,plain-suspends=1,ilo4=1", time_scale=0.01) as started:
        yield started


@pytest.fixture
def vendor(running):
    """`vendor("plain")` is a BMC of that personality with nothing on it and in good health."""

    def pick(name):
        bmc = running.by_vendor(name)[0]
        bmc.clear_faults()
        bmc.seed_subscriptions()
        return bmc

    return pick


def ask(bmc, method, path, body=None, timeout=10.0):
    """(status, headers, JSON or bytes); trusts the published fingerprint alone."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPSConnection(bmc.address, bmc.port, context=context, timeout=timeout)
    try:
        connection.connect()
        der = connection.sock.getpeercert(binary_form=True)
        assert "sha256:" + hashlib.sha256(der).hexdigest() == bmc.tls_fingerprint
        credentials = base64.b64encode(f"{bmc.username}:{bmc.password}".encode()).decode()
        headers = {"Authorization": f"Basic {credentials}", "Content-Type": "application/json"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        text = response.read()
    finally:
        connection.close()
    is_json = (response.headers.get("Content-Type") or "").startswith("application/json")
    return response.status, response.headers, json.loads(text) if is_json else text


SUBSCRIPTIONS = "/redfish/v1/EventService/Subscriptions"


def subscribe(bmc, destination, **properties):
    answer = ask(bmc, "POST", SUBSCRIPTIONS, {"Destination": destination, "Protocol": "Redfish", **properties})
    assert answer[0] == 201, answer
    return answer


def eventually(condition, seconds=60.0):
    """Wait until it is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it didn't come true in time"
        time.sleep(0.02)


def test_files(running):
    """The inventory and the state file hold passwords: for their owner alone, and they agree."""
    assert {stat.S_IMODE(path.stat().st_mode) for path in (running.state_path, running.inventory_path)} == {0o600}
    hosts = yaml.safe_load(running.inventory_path.read_text())["bmcs"]["hosts"]
    assert {name: host["redfish_password"] for name, host in hosts.items()} == {
        bmc.name: bmc.password for bmc in running.bmcs
    }
    assert len({bmc.address for bmc in running.bmcs}) == len({bmc.tls_fingerprint for bmc in running.bmcs}) == 7


def test_delivery_from_the_bmcs_own_address_with_its_headers(running, vendor, plain_listener):
    bmc = vendor("plain")
    headers = [{"Authorization": "Basic c2VjcmV0"}, {"X-Rack": "42"}]
    subscribe(bmc, f"{plain_listener.url}/events/{bmc.name}", Context="rack 42", HttpHeaders=headers)
    assert bmc.emit(kind="ResourceEvent", count=5, records_per_post=2) == 3
    assert running.wait_idle()
    peers = {(peer, path, sent["Authorization"], sent["X-Rack"]) for peer, path, sent, _ in plain_listener.received}
    assert peers == {(bmc.address, f"/events/{bmc.name}", "Basic c2VjcmV0", "42")}
    assert [len(body["Events"]) for _, _, _, body in plain_listener.received] == [2, 2, 1]
    assert {body["Context"] for _, _, _, body in plain_listener.received} == {"rack 42"}
    assert bmc.subscriptions()[0]["HttpHeaders"] == headers


def test_terminate_after_retries_deletes_the_subscription(vendor, plain_listener):
    """As bmcweb does: one try and three retries without success, and the subscription is gone."""
    bmc = vendor("openbmc")
    plain_listener.status = 500
    subscribe(bmc, plain_listener.url)
    bmc.emit(kind="Alert")
    eventually(lambda: bmc.subscriptions() == [])
    assert bmc.counters()["terminated"] == 1
    assert bmc.counters()["failed_attempts"] == 4


def test_retry_forever_outlives_an_outage(running, vendor, plain_listener):
    bmc = vendor("plain")
    plain_listener.status = 503
    subscribe(bmc, plain_listener.url, DeliveryRetryPolicy="RetryForever")
    before = bmc.counters()["failed_attempts"]
    bmc.emit(kind="Alert", count=3)
    eventually(lambda: bmc.counters()["failed_attempts"] - before > 5)
    plain_listener.status = 200
    assert running.wait_idle()
    assert len(plain_listener.received) == 3


def test_suspend_and_resume(running, vendor, plain_listener):
    bmc = vendor("plain-suspends")
    plain_listener.status = 500
    subscribe(bmc, plain_listener.url)
    bmc.emit(kind="Alert")
    eventually(lambda: not bmc.subscriptions()[0]["Enabled"])
    uri = f"{SUBSCRIPTIONS}/{bmc.subscriptions()[0]['Id']}"
    assert ask(bmc, "GET", uri)[2]["Status"]["State"] == "Disabled"
    plain_listener.status = 200
    assert ask(bmc, "POST", f"{uri}/Actions/EventDestination.ResumeSubscription", {})[0] == 204
    bmc.emit(kind="Alert")
    assert running.wait_idle()
    assert len(plain_listener.received) == 1


def test_an_old_ilo_takes_no_204(vendor, plain_listener):
    """DMTF/Redfish-Event-Listener#30."""
    bmc = vendor("ilo4")
    bmc.seed_subscriptions({"Destination": plain_listener.url, "DeliveryRetryPolicy": "TerminateAfterRetries"})
    plain_listener.status = 204
    bmc.emit(kind="Alert")
    eventually(lambda: bmc.subscriptions() == [])


def test_verify_certificate(running, vendor, tls_listener, certificates):
    """A BMC that verifies delivers to a listener whose CA it knows, and to no other."""
    bmc = vendor("plain-verifies")
    subscribe(bmc, tls_listener.url, DeliveryRetryPolicy="RetryForever")
    bmc.emit(kind="Alert")
    assert not running.wait_idle(1)
    assert tls_listener.received == []
    uri = f"{SUBSCRIPTIONS}/{bmc.subscriptions()[0]['Id']}/Certificates"
    pem = certificates["ca"].read_text()
    assert ask(bmc, "POST", uri, {"CertificateString": pem, "CertificateType": "PEM"})[0] == 201
    assert running.wait_idle()
    assert len(tls_listener.received) == 1


def test_heartbeats_come_by_themselves(vendor, plain_listener):
    bmc = vendor("plain")
    subscribe(bmc, plain_listener.url, SendHeartbeat=True, HeartbeatIntervalMinutes=1)
    eventually(lambda: len(plain_listener.received) >= 2)
    ids = {record["MessageId"] for *_rest, body in plain_listener.received for record in body["Events"]}
    assert ids == {"HeartbeatEvent.1.1.RedfishServiceFunctional"}


def test_faults_on_the_wire(vendor):
    """Reset, hang, no listener: what a client meets is real."""
    bmc = vendor("plain")
    bmc.set_fault("connection_reset")
    with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected, ssl.SSLError)):
        ask(bmc, "GET", "/redfish/v1/")
    bmc.set_fault("hanging")
    with pytest.raises(TimeoutError):
        ask(bmc, "GET", "/redfish/v1/", timeout=0.5)
    bmc.set_fault("unreachable")
    with pytest.raises((ConnectionResetError, ssl.SSLError)):
        ask(bmc, "GET", "/redfish/v1/")
    bmc.clear_faults()
    assert ask(bmc, "GET", "/redfish/v1/")[0] == 200


def test_a_create_without_an_answer_has_happened(vendor, plain_listener):
    bmc = vendor("plain")
    bmc.set_fault("create_timeout")
    with pytest.raises(TimeoutError):
        ask(bmc, "POST", SUBSCRIPTIONS, {"Destination": plain_listener.url, "Protocol": "Redfish"}, timeout=0.5)
    assert [each["Destination"] for each in bmc.subscriptions()] == [plain_listener.url]


def test_html_with_200(vendor):
    bmc = vendor("plain")
    bmc.set_fault("html")
    status, headers, body = ask(bmc, "GET", SUBSCRIPTIONS)
    assert (status, headers["Content-Type"]) == (200, "text/html")
    assert b"<title>" in body


def test_the_request_log_has_no_secrets(running, vendor):
    bmc = vendor("plain")
    running.clear_requests()
    login = {"UserName": bmc.username, "Password": bmc.password}
    _, headers, _ = ask(bmc, "POST", "/redfish/v1/SessionService/Sessions", login)
    log = running.requests()
    wanted = ("bmc", "method", "path", "status", "authentication")
    assert [tuple(entry[name] for name in wanted) for entry in log] == [
        (bmc.name, "POST", "/redfish/v1/SessionService/Sessions", 201, "basic")
    ]
    assert bmc.password not in json.dumps(log)
    assert headers["X-Auth-Token"] not in json.dumps(log)
    assert running.requests(after=log[-1]["seq"]) == []


def test_a_storm_reaches_everyone_at_its_rate(running, plain_listener):
    for bmc in running.bmcs:
        bmc.clear_faults()
        bmc.seed_subscriptions({"Destination": f"{plain_listener.url}/{bmc.name}"})
    start = time.monotonic()
    assert running.emit(kind="Alert", count=4, records_per_post=2, rate=20) == 14
    assert time.monotonic() - start > 0.5
    assert running.wait_idle()
    assert sorted(path for _, path, _, _ in plain_listener.received) == sorted(
        f"/{bmc.name}" for bmc in running.bmcs for _number in range(2)
    )
    assert {peer for peer, *_rest in plain_listener.received} == {bmc.address for bmc in running.bmcs}


def test_raw_bodies_go_out_as_they_are(running, vendor, plain_listener):
    bmc = vendor("plain")
    subscribe(bmc, plain_listener.url)
    bmc.emit_raw('{"no": "event"}')
    assert running.wait_idle()
    assert plain_listener.received[0][3] == {"no": "event"}


def test_a_fleet_that_cannot_start_says_why(fleet):
    """A port in use: the error names the address and what to do."""
    from redfish_simulator.client import FleetError

    with socket.create_server(("127.20.0.1", 0)) as taken, pytest.raises(FleetError, match=r"127\.20\.0\.1.*--port"):
        fleet(count=1, port=taken.getsockname()[1])


def test_a_fleet_ends_with_those_who_started_it(tmp_path):
    """A test run that is killed leaves no fleet behind."""
    script = (
        "import os, sys; from redfish_simulator.client import Fleet\n"
        f"fleet = Fleet(count=1, directory={str(tmp_path)!r}); fleet.start(); print(fleet.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    fleet_pid = int(killed.stdout)
    eventually(lambda: not Path(f"/proc/{fleet_pid}/cmdline").exists() or _is_zombie(fleet_pid))


def _is_zombie(pid):
    """Whether it ended and nobody asked for its exit status."""
    return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()


def test_a_slow_fleet(running):
    """Every BMC can be made as slow as real ones, and well again."""
    running.set_fault("slow", seconds=0.3)
    start = time.monotonic()
    ask(running.bmcs[-1], "GET", "/redfish/v1/")
    assert time.monotonic() - start >= 0.3
    running.clear_faults()
    assert running.bmcs[-1].inside()["faults"] == []


@pytest.mark.slow
def test_a_thousand_bmcs_start_in_seconds(fleet):
    """And every one of them answers with its own certificate."""
    start = time.monotonic()
    with fleet(count=1000) as big:
        assert time.monotonic() - start < 20
        for bmc in big.bmcs[::100]:
            assert ask(bmc, "GET", "/redfish/v1/")[2]["UUID"] == bmc.uuid
