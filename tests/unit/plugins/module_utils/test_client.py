# SPDX-License-Identifier: GPL-3.0-or-later
"""Each trap of the `redfish` library, shown closed against a tiny server on loopback."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import logging
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import redfish
import trustme
from ansible_collections.redfleet.events.plugins.module_utils import _http, _tls
from ansible_collections.redfleet.events.plugins.module_utils._argspec import CONNECTION
from ansible_collections.redfleet.events.plugins.module_utils._client import RedfishClient
from ansible_collections.redfleet.events.plugins.module_utils._connection import Connection
from ansible_collections.redfleet.events.plugins.module_utils._errors import RedfishError
from ansible_collections.redfleet.events.plugins.module_utils._transport_errors import AnswerLostError

Script = Callable[["Handler"], "tuple[int, dict[str, str], bytes] | None"]
ROOT = {"@odata.id": "/redfish/v1/", "Links": {"Sessions": {"@odata.id": "/redfish/v1/SessionService/Sessions"}}}


class Handler(BaseHTTPRequestHandler):
    """Answers by the server's script, and remembers what came."""

    protocol_version = "HTTP/1.1"

    def respond(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append((self.command, self.path, dict(self.headers)))  # type: ignore[attr-defined] (ours)
        answer = self.server.script(self) or standard(self)  # type: ignore[attr-defined] (ours)
        status, headers, body = answer
        if status == 0:  # cut the connection
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            return
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PATCH = do_DELETE = respond  # noqa: N815 (the names that http.server calls)

    def do_CONNECT(self) -> None:
        """Be a proxy: hand on what comes from either side until one of them closes."""
        self.server.seen.append((self.command, self.path, dict(self.headers)))  # type: ignore[attr-defined] (ours)
        self.close_connection = True
        host, _, port = self.path.rpartition(":")
        with socket.create_connection((host, int(port))) as bmc:
            self.send_response(200)
            self.end_headers()
            others = {self.connection: bmc, bmc: self.connection}
            while True:
                for ready in select.select(list(others), [], [])[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    others[ready].sendall(data)

    def log_message(self, *_args: Any) -> None:
        """Keep quiet."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, script: Script):
        super().__init__(("127.0.0.1", 0), Handler)
        self.script = script
        self.seen: list[tuple[str, str, dict[str, str]]] = []

    def handle_error(self, *_args: Any) -> None:
        """Cut connections are the point of these tests."""

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    def lines(self) -> list[str]:
        return [f"{method} {path}" for method, path, _headers in self.seen]


def standard(handler: Handler) -> tuple[int, dict[str, str], bytes]:
    """A service that does everything right."""
    if handler.command == "POST" and handler.path.endswith("/Sessions"):
        return 201, {"X-Auth-Token": "t0ken-value", "Location": handler.path + "/1"}, b"{}"
    return 200, {}, json.dumps(ROOT).encode()


@contextmanager
def serving(script: Script = lambda _handler: None, context: ssl.SSLContext | None = None) -> Iterator[Server]:
    server = Server(script)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def connection(baseuri: str, **options: Any) -> Connection:
    params = {option: spec.get("default") for option, spec in CONNECTION.items()}
    given = {"baseuri": baseuri, "username": "root", "password": "s3cret", "timeout": 5, "retries": 0, **options}
    return Connection.from_params({**params, **given})


def test_basic_costs_no_request_of_its_own():
    """The library's login() with Basic GETs the Sessions; we send the header from the first request on."""
    with serving() as server, RedfishClient(connection(f"http://{server.address}", login_type="basic")):
        pass
    assert server.lines() == ["GET /redfish/v1/"]
    assert server.seen[0][2]["Authorization"] == "Basic " + base64.b64encode(b"root:s3cret").decode()


def test_a_session_is_deleted_also_after_a_failure():
    """Three requests for a session, the last one always."""

    def fail(server: Server) -> None:
        with RedfishClient(connection(f"http://{server.address}")):
            raise KeyError

    with serving() as server:
        with pytest.raises(KeyError):
            fail(server)
        sessions = "/redfish/v1/SessionService/Sessions"
        assert server.lines() == ["GET /redfish/v1/", f"POST {sessions}", f"DELETE {sessions}/1"]
        assert server.seen[2][2]["X-Auth-Token"] == "t0ken-value"


@pytest.mark.parametrize("status", [401, 404, 500])
def test_logging_out_never_fails(status: int):
    """The library's logout() raises on 401 and 404, when the session is gone as it should be."""
    with serving(lambda call: (status, {}, b"") if call.command == "DELETE" else None) as server:
        with RedfishClient(connection(f"http://{server.address}")) as client:
            pass
        left = [warning for warning in client.warnings if "was left" in warning]
        assert bool(left) == (status == 500)


def test_a_token_is_used_and_not_logged_out():
    """A session that the user brought is the user's."""
    with (
        serving() as server,
        RedfishClient(connection(f"http://{server.address}", auth_token="mine", username=None, password=None)),
    ):
        pass
    assert server.lines() == ["GET /redfish/v1/"]
    assert server.seen[0][2]["X-Auth-Token"] == "mine"


def test_a_post_is_sent_once_whatever_retries_says():
    """The library repeats a POST up to ten times, which makes ten subscriptions."""
    cut = lambda call: (0, {}, b"") if call.path == "/x" else None  # noqa: E731 (a script)
    settings = {"login_type": "basic", "retries": 5}
    with (
        serving(cut) as server,
        RedfishClient(connection(f"http://{server.address}", **settings)) as client,
        pytest.raises(AnswerLostError),
    ):
        client.ask("POST", "/x", {})
    assert server.lines().count("POST /x") == 1


def test_reading_is_repeated_after_a_broken_connection_and_busy_answers():
    """GET goes on, as often as `retries` says."""
    left = [(0, {}, b""), (503, {"Retry-After": "0"}, b"")]

    def script(call: Handler) -> Any:
        return left.pop(0) if call.path == "/x" and left else None

    with (
        serving(script) as server,
        RedfishClient(connection(f"http://{server.address}", login_type="basic", retries=2)) as client,
    ):
        assert client.ask("GET", "/x").status == 200
        assert client.requests == 4
    assert server.lines().count("GET /x") == 3


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_is_never_repeated(status: int):
    """Account lock-outs."""
    with serving(lambda call: (status, {}, b"{}") if call.path == "/x" else None) as server:
        with (
            RedfishClient(connection(f"http://{server.address}", login_type="basic", retries=5)) as client,
            pytest.raises(RedfishError) as caught,
        ):
            client.get("/x")
        assert caught.value.reason == {401: "credentials", 403: "forbidden"}[status]
        assert server.lines().count("GET /x") == 1


@pytest.mark.parametrize(
    ("baseuri", "reason", "told"),
    [
        (f"https://{'a' * 64}.example", "invalid_input", "is no usable address: Failed to parse"),
        ("https://nowhere.invalid", "unreachable", "cannot be reached: "),
        ("https://127.0.0.1:9", "unreachable", "Connection refused"),
    ],
)
def test_an_address_where_nobody_answers_says_why(baseuri: str, reason: str, told: str):
    """A wrong address is the user's error, not a BMC that is restarting."""
    with pytest.raises(RedfishError) as caught, RedfishClient(connection(baseuri)):
        pass
    assert caught.value.reason == reason
    assert told in str(caught.value)


def test_an_address_of_one_link_names_its_interface():
    """`fe80::1%eth0`, whose % stands as %25 in a URL; `requests` looked for a host of that name."""
    with pytest.raises(RedfishError) as caught, RedfishClient(connection("https://[fe80::1%25lo]:9")):
        pass
    assert "resolve" not in str(caught.value)


def test_netrc_and_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """requests would replace our credentials by ~/.netrc, and go through HTTP_PROXY."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with serving() as server, RedfishClient(connection(f"http://{server.address}", login_type="basic")):
        pass
    assert server.seen[0][2]["Authorization"] == "Basic " + base64.b64encode(b"root:s3cret").decode()


def test_a_proxy_is_used_on_request(monkeypatch: pytest.MonkeyPatch):
    """`use_proxy` reads the environment: the proxy gets the whole URL."""
    with serving() as proxy:
        monkeypatch.setenv("http_proxy", f"http://{proxy.address}")
        monkeypatch.setenv("no_proxy", "")
        with RedfishClient(connection("http://bmc.invalid", login_type="basic", use_proxy=True)):
            pass
    assert proxy.lines() == ["GET http://bmc.invalid/redfish/v1/"]


def test_a_proxy_hears_nothing_of_what_goes_through(
    monkeypatch: pytest.MonkeyPatch, authority: tuple[ssl.SSLContext, Path, str]
):
    """TLS is with the BMC, whose certificate or pin is checked; the proxy, given without `http://`, is told where."""
    context, ca_path, fingerprint = authority
    monkeypatch.setenv("no_proxy", "")
    with serving() as proxy, serving(context=context) as bmc:
        monkeypatch.setenv("https_proxy", proxy.address)
        for options in ({"ca_path": str(ca_path)}, {"tls_fingerprint": fingerprint}):
            with RedfishClient(connection(bmc.address, use_proxy=True, **options)):
                pass
        wrong = connection(bmc.address, use_proxy=True, tls_fingerprint="0" * 64)
        with pytest.raises(RedfishError, match="no credentials were sent"), RedfishClient(wrong):
            pass
        assert proxy.lines() == [f"CONNECT {bmc.address}"] * 3
        assert len(bmc.seen) == 2 * 3  # root, session, log-out
    monkeypatch.setenv("https_proxy", "127.0.0.1:9")
    with pytest.raises(RedfishError) as caught, RedfishClient(connection("bmc.invalid", use_proxy=True)):
        pass
    assert caught.value.reason == "unreachable"


def test_cookies_go_back_to_the_bmc():
    """Some balance or bind a session by them; without one there is no such header."""
    routed = lambda _call: (200, {"Set-Cookie": "route=a7; Path=/"}, b"{}")  # noqa: E731 (a script)
    with serving(routed) as server, RedfishClient(connection(f"http://{server.address}", login_type="basic")) as client:
        client.get("/x")
    assert [headers.get("Cookie") for _method, _path, headers in server.seen] == [None, "route=a7"]


@pytest.mark.parametrize(
    ("uri", "asked"),
    [
        ("/redfish/v1/x?$expand=.($levels=1)", "/redfish/v1/x?$expand=.($levels=1)"),
        ("/redfish/v1/Log Entries/1", "/redfish/v1/Log%20Entries/1"),
        ("/redfish/v1/Ger%C3%A4t", "/redfish/v1/Ger%C3%A4t"),
        ("/redfish/v1/Gerät", "/redfish/v1/Ger%C3%A4t"),
        ("/redfish/v1/../v1/x", "/redfish/v1/x"),
    ],
)
def test_what_a_bmc_calls_its_resources_is_quoted(uri: str, asked: str):
    """As `requests` does it."""
    with serving() as server, RedfishClient(connection(f"http://{server.address}", login_type="basic")) as client:
        client.get(uri)
    assert server.lines()[-1] == f"GET {asked}"


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_writes_follow_no_redirect(method: str):
    """requests turns a redirected POST into a GET of something else."""
    moved = lambda call: (301, {"Location": "/elsewhere"}, b"") if call.path == "/x" else None  # noqa: E731 (a script)
    with serving(moved) as server, RedfishClient(connection(f"http://{server.address}", login_type="basic")) as client:
        assert client.ask(method, "/x", {}).status == 301
    assert "/elsewhere" not in str(server.lines())


def test_reads_are_redirected_on_the_same_host_only():
    """X-Auth-Token would follow a redirect to any host."""
    with serving() as other:
        targets = {"/near": "/y", "/far": f"http://{other.address}/y"}
        moved = lambda call: (308, {"Location": targets[call.path]}, b"") if call.path in targets else None  # noqa: E731 (a script)
        with serving(moved) as server, RedfishClient(connection(f"http://{server.address}")) as client:
            assert client.ask("GET", "/near").status == 200
            with pytest.raises(RedfishError):
                client.ask("GET", "/far")
        assert other.seen == []


def test_an_html_page_is_not_an_empty_resource():
    """The library makes {} of an HTML body with status 500, and a log line of any other."""
    page = b"<html><title>Login</title></html>"
    for status in (200, 500):
        with (
            serving(lambda call, status=status: (status, {}, page) if call.path == "/x" else None) as server,
            RedfishClient(connection(f"http://{server.address}", login_type="basic")) as client,
            pytest.raises(RedfishError, match="titled 'Login'"),
        ):
            client.get("/x")


def test_nothing_is_logged(caplog: pytest.LogCaptureFixture):
    """ANSIBLE_LOG_PATH takes INFO from every library; this one logs bodies and tokens there."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("redfish").setLevel(logging.DEBUG)
    with serving() as server, RedfishClient(connection(f"http://{server.address}")) as client:
        client.ask("PATCH", "/x", {"HttpHeaders": "header-value"})
    assert not [record for record in caplog.records if record.name.startswith("redfish")]
    assert not [word for word in ("s3cret", "t0ken", "header-value") if word in caplog.text]


def test_waiting_ends_at_the_timeout_and_is_not_repeated():
    """`timeout` bounds each wait; a request that timed out isn't sent again."""
    wait = threading.Event()

    def hang(call: Handler) -> None:
        if call.path == "/x":
            wait.wait(10)

    with (
        serving(hang) as server,
        RedfishClient(connection(f"http://{server.address}", login_type="basic", timeout=1, retries=3)) as client,
    ):
        with pytest.raises(AnswerLostError, match="in time"):
            client.get("/x")
        wait.set()
    assert server.lines().count("GET /x") == 1


def test_a_root_that_wants_credentials_gets_them():
    """Some services refuse even the ServiceRoot; then the standard's Sessions are tried."""

    def refuse(call: Handler) -> Any:
        return None if call.command == "POST" or "X-Auth-Token" in call.headers else (401, {}, b"{}")

    with serving(refuse) as server, RedfishClient(connection(f"http://{server.address}")) as client:
        assert client.root["@odata.id"] == "/redfish/v1/"


# -- TLS -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path, str]:
    """A server's context, its CA's file, the fingerprint of its certificate."""
    ca = trustme.CA()
    issued = ca.issue_cert("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued.configure_cert(context)
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    der = ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())
    return context, path, "sha256:" + hashlib.sha256(der).hexdigest()


# The user asked for it; the library switches this warning off at import, and pytest on again.
@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_certificates_are_verified_by_default(authority: tuple[ssl.SSLContext, Path, str]):
    """The library verifies nothing unless it is given a CA file. Nothing is sent to who can't prove its name."""
    context, ca_path, _fingerprint = authority
    with serving(context=context) as server:
        with (
            pytest.raises(RedfishError, match="no credentials were sent") as caught,
            RedfishClient(connection(server.address, login_type="basic")),
        ):
            pass
        assert caught.value.reason == "tls"
        assert server.seen == []
        with RedfishClient(connection(server.address, login_type="basic", ca_path=str(ca_path))):
            pass
        with RedfishClient(connection(server.address, login_type="basic", validate_certs=False)):
            pass
        with pytest.raises(RedfishError), RedfishClient(connection(server.address, login_type="basic")):
            pass  # an unverified connection before must not have loosened the shared context
        assert len(server.seen) == 2


def test_the_pin_is_checked_on_the_connection_itself(authority: tuple[ssl.SSLContext, Path, str]):
    """The right pin replaces the chain, a wrong one stops before the first byte, even without verification."""
    context, _ca_path, fingerprint = authority
    with serving(context=context) as server:
        with RedfishClient(connection(server.address, login_type="basic", tls_fingerprint=fingerprint)):
            pass
        assert len(server.seen) == 1
        wrong = connection(
            server.address, login_type="basic", tls_fingerprint="sha256:" + "0" * 64, validate_certs=False
        )
        with pytest.raises(RedfishError, match="not the pinned one") as caught, RedfishClient(wrong):
            pass
        assert caught.value.reason == "tls"
        assert len(server.seen) == 1


def test_old_versions_of_tls_are_an_explicit_choice(authority: tuple[ssl.SSLContext, Path, str]):
    """`tls_min_version` and `tls_ciphers` reach the context; unusable ones are the user's error."""
    context, ca_path, _fingerprint = authority
    assert _tls.shared_context(True, None, "1.2", None).minimum_version == ssl.TLSVersion.TLSv1_2
    assert _tls.shared_context(False, None, "1.0", None).minimum_version == ssl.TLSVersion.TLSv1
    for options in ({"tls_ciphers": "NONSENSE"}, {"ca_path": str(ca_path) + ".missing"}):
        with pytest.raises(RedfishError) as caught:
            RedfishClient(connection("127.0.0.1:1", **options))
        assert caught.value.reason == "invalid_input"
    with serving(context=context) as server:
        modern = connection(server.address, login_type="basic", ca_path=str(ca_path), tls_min_version="1.3")
        with RedfishClient(modern):
            pass


def test_contexts_are_made_once_per_process():
    """Loading the CA bundle is most of what a task costs; forks inherit what the parent made."""
    _tls.prepare()
    assert _tls.shared_context(True, None, "1.2", None) is _tls.shared_context(True, None, "1.2", None)
    assert _tls.shared_context(True, None, "1.2", None) is not _tls.shared_context(False, None, "1.2", None)


def test_a_library_that_fails_what_was_answered_is_as_if_it_were_missing(monkeypatch: pytest.MonkeyPatch):
    """redfish 3.3 and 3.4.0 with `max_retry=0`; each BMC would seem to have lost its connection."""
    monkeypatch.setattr(redfish, "__version__", "3.3.9")
    spec = importlib.util.spec_from_file_location("another", _http.__file__)
    spec.loader.exec_module(another := importlib.util.module_from_spec(spec))
    assert "redfish 3.3.9 is too old, 3.4.1 or newer is needed" in another.REDFISH_MISSING
    assert _http.REDFISH_MISSING is None
