# SPDX-License-Identifier: GPL-3.0-or-later
"""Scanners that get the addresses as JSON; and what all scanners share on the way: TLS, a proxy, credentials."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from event_listener import config_file
from event_listener.event import Level
from event_listener.settings_base import Secret
from event_listener.settings_bus import ClientTls
from event_listener.store import open_store

from tests.services.certificates import issue
from tests.services.qualys import Qualys
from tests.unit.listener.scan_harness import Scanning, change, http_settings, qualys_settings


class Other:
    """A scanner of somebody else: ``answers`` are (status, headers, body), the last one for ever."""

    def __init__(self):
        self.answers, self.calls = [(202, {}, {})], []
        peer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                peer.calls.append((self.command, self.path, dict(self.headers), json.loads(body) if body else None))
                status, headers, said = peer.answers.pop(0) if len(peer.answers) > 1 else peer.answers[0]
                if status is None:
                    return
                self.send_response(status)
                shown = json.dumps(said).encode()
                for name, value in {**headers, "Content-Length": str(len(shown))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(shown)

            def do_GET(self):
                self.do_POST()

            def log_message(self, *_arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/scans?team=blue"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()


@pytest.fixture
def other():
    peer = Other()
    yield peer
    peer.server.shutdown()
    peer.server.server_close()


@pytest.fixture
def log(tmp_path):
    with open_store(tmp_path / "state") as store:
        change(store, 1, ["192.0.2.1", "192.0.2.2", "203.0.113.5"])
        yield store


def begun(log, settings):
    scanning = Scanning(log, settings)
    scanning.tell()
    return scanning


def test_it_gets_the_addresses_once_and_the_scan_is_over(log, other, tmp_path):
    (tmp_path / "token").write_text("t0ken\n")
    other.answers = [(200, {}, {"reference": "ticket-7"})]
    scanning = begun(log, http_settings(other.url, token=Secret(file=str(tmp_path / "token"))))
    (job,) = scanning.until("completed")
    ((method, path, headers, told),) = other.calls
    assert (method, path, job.reference) == ("POST", "/scans?team=blue", "ticket-7")
    assert told == {"id": job.id, "attempt": 1, "addresses": ["192.0.2.1", "192.0.2.2"]}
    assert (headers["Idempotency-Key"], headers["Authorization"]) == (job.id, "Bearer t0ken")
    assert [one.type.split(".")[1] for one in scanning.told()] == ["ScanScheduled", "ScanStarted", "ScanCompleted"]


@pytest.mark.parametrize(("state", "ends"), [("finished", "completed"), ("failed", "failed")])
def test_it_is_asked_where_it_says_until_the_scan_is_over(log, other, state, ends):
    where = {"Location": "/scans/7"}
    other.answers = [(202, where, {}), (200, {}, {"state": "running"}), (500, {}, {}), (200, {}, {"state": state})]
    scanning = begun(log, http_settings(other.url))
    (job,) = scanning.until(ends)
    assert {path for method, path, *_ in other.calls if method == "GET"} == {"/scans/7"}
    assert job.reference == other.url.replace("/scans?team=blue", "/scans/7")


def test_our_credentials_go_to_nobody_else(log, other, tmp_path):
    """A Location on another host isn't asked."""
    (tmp_path / "token").write_text("t0ken")
    other.answers = [(202, {"Location": "http://127.0.0.2:1/scans/7"}, {})]
    scanning = begun(log, http_settings(other.url, token=Secret(file=str(tmp_path / "token"))))
    scanning.until("completed")
    assert len(other.calls) == 1


def test_a_lost_answer_is_told_of_and_asked_again_under_the_same_id(log, other):
    """It can't be asked whether it has the scan; it can know by the id."""
    other.answers = [(None, {}, {}), (200, {}, {})]
    scanning = begun(log, http_settings(other.url, timeout=0.5))
    scanning.until("completed")
    assert len({told["id"] for *_, told in other.calls}) == 1
    assert [told["attempt"] for *_, told in other.calls] == [1, 2]
    (unsure,) = scanning.told("ScanUnsure")
    assert unsure.level is Level.WARN
    assert "can't say" in unsure.message


def test_busy_is_waited_for_as_long_as_it_says(log, other):
    other.answers = [(429, {"Retry-After": "2000"}, {}), (200, {}, {})]
    scanning = begun(log, http_settings(other.url))
    scanning.worker.step()
    assert 1900 < log.scans.paused("other")[0] <= 2000
    scanning.restart()
    assert not scanning.worker.step()


@pytest.mark.parametrize(("status", "state"), [(422, "failed"), (403, "scheduled"), (302, "scheduled")])
def test_what_is_refused_and_what_is_set_wrong(log, other, status, state):
    """An answer about these addresses ends the scan; one about the settings waits for an operator."""
    other.answers = [(status, {"Location": "http://127.0.0.1:1/"}, {"why": "no"})]
    scanning = begun(log, http_settings(other.url))
    scanning.worker.step()
    assert not scanning.worker.step()
    (job,) = scanning.jobs(state)
    assert f"answers {status}" in job.error
    assert len(other.calls) == 1


class Proxy(threading.Thread):
    """CONNECT only, for whoever shows the credentials; joins the two ends until one closes."""

    def __init__(self):
        super().__init__(daemon=True)
        self.heads = []
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listening.getsockname()[1]}"

    def run(self):
        while True:
            try:
                client, _ = self.listening.accept()
            except OSError:
                return
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += client.recv(1)
            self.heads.append(head.decode())
            if b"Proxy-Authorization: Basic dTpwYXNz" not in head:  # u:pass
                client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                client.close()
                continue
            host, port = head.split()[1].decode().split(":")
            server = socket.create_connection((host, int(port)))
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            for one, two in ((client, server), (server, client)):
                threading.Thread(target=join, args=(one, two), daemon=True).start()


def join(one, two):
    try:
        while data := one.recv(65536):
            two.sendall(data)
        two.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    finally:
        one.close()


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # the proxy's ends, left to the collector
def test_tls_is_verified_also_through_a_proxy(log, tmp_path):
    certificates = issue(tmp_path)
    (tmp_path / "proxy-password").write_text("pass")
    proxy = Proxy()
    proxy.start()
    way = {"proxy": proxy.url, "proxy_username": "u"}
    with Qualys(certificates) as peer:
        for tls, password, reason in (
            (ClientTls(ca=str(certificates.other_ca)), "proxy-password", "certificate verify failed"),
            (ClientTls(ca=str(certificates.ca)), "qualys-password", "407"),
        ):
            secret = Secret(file=str(tmp_path / password))
            scanning = begun(log, qualys_settings(peer.url, tmp_path, tls=tls, proxy_password=secret, **way))
            scanning.worker.step()
            assert reason in scanning.jobs("scheduled")[0].error
        assert not peer.calls
        secret = Secret(file=str(tmp_path / "proxy-password"))
        good = ClientTls(ca=str(certificates.ca))
        scanning = begun(log, qualys_settings(peer.url, tmp_path, tls=good, proxy_password=secret, **way))
        scanning.until("running")
    proxy.listening.close()
    assert proxy.heads[-1].startswith(f"CONNECT 127.0.0.1:{peer.port} ")
    assert "Zx9-Very.Secret" not in "".join(proxy.heads)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"url": "http://scanner.example.com/"}, "go over https"),
        ({"url": "https://user:secret@scanner.example.com/"}, "without credentials"),
        ({"networks": ["192.0.2.1/24"]}, "has host bits set"),
        ({"proxy": "http://u:p@proxy:3128"}, "proxy"),
        ({"username": "u"}, "give username and password"),
        ({"max_addresses": 0}, "max_addresses"),
        ({"proxy_username": "u"}, "proxy_username and proxy_password"),
    ],
)
def test_settings_that_are_wrong_are_refused_with_a_sentence(change, sentence):
    section = {"name": "other", "url": "https://scanner.example.com/", "networks": ["192.0.2.0/24"], **change}
    with pytest.raises(config_file.ConfigError) as refused:
        config_file.convert({"sinks": {"http_scan": [section]}})
    assert sentence in str(refused.value.problems)
