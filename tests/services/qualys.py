# SPDX-License-Identifier: GPL-3.0-or-later
"""Qualys' scan API, version 2, as its documentation describes it: XML, limits, failures. No real one is to be had.

Launch and list of /api/2.0/fo/scan/ with SIMPLE_RETURN and SCAN_LIST_OUTPUT, Basic authentication, X-Requested-With,
X-RateLimit-* and X-Concurrency-Limit-* on each answer, 409 with code 1965 (rate) or 1960 (concurrency), 400 with code
1901 (unknown parameter), 1904 (not allowed) and 1905 (missing). Each request takes the next of ``faults``.
"""

from __future__ import annotations

import base64
import contextlib
import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

from tests.services.certificates import Certificates

USER, PASSWORD = "scanner_ab", "Zx9-Very.Secret"
PARAMETERS = {"action", "scan_title", "ip", "option_title", "iscanner_name", "echo_request", "scan_ref", "show_status",
              "launched_after_datetime"}  # fmt: skip
PROFILE = "Initial Options"
XML_HEAD = '<?xml version="1.0" encoding="UTF-8" ?>\n'


class Scan(NamedTuple):
    """A scan that was launched."""

    reference: str
    title: str
    addresses: tuple[str, ...]
    scanner: str
    launched: float


class Blocked(NamedTuple):
    """A fault: 409, with the seconds of X-RateLimit-ToWait-Sec (None: the header isn't there)."""

    seconds: int | None
    code: int = 1965


class Says(NamedTuple):
    """A fault: this answer instead; ``acts``: after it did what it was asked."""

    status: int
    body: bytes = b""
    acts: bool = False
    headers: tuple[tuple[str, str], ...] = ()


class Cut(NamedTuple):
    """A fault: the connection ends without an answer; ``acts``: after it did what it was asked."""

    acts: bool


class Qualys:
    """``with Qualys() as scanner``: ``url``; ``scans`` and ``states`` by reference, ``calls`` of all requests."""

    def __init__(self, certificates: Certificates | None = None) -> None:
        self.scans: dict[str, Scan] = {}
        self.states: dict[str, str] = {}
        self.calls: list[tuple[str, dict[str, str], dict[str, str]]] = []
        self.faults: list[Any] = []
        self.limit, self.window = 100_000, 86400
        self.used = 0
        self.in_flight: Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        scheme = "http"
        if certificates is not None:
            scheme, context = "https", ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificates.server_certificate, certificates.server_key)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self.url = f"{scheme}://127.0.0.1:{self.port}/api/2.0/fo/scan/"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def launches(self) -> list[Scan]:
        """All scans, oldest first."""
        return list(self.scans.values())

    def answer(self, method: str, headers: dict[str, str], fields: dict[str, str]) -> tuple[int, bytes]:
        """What it does and says, without faults and limits."""
        expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if headers.get("authorization") != expected:
            return 401, simple(2000, "Bad Login/Password")
        if "x-requested-with" not in headers:
            return 400, simple(1999, "Missing header: X-Requested-With")
        if unknown := set(fields) - PARAMETERS:
            return 400, simple(1901, f"Unrecognized parameter(s): {', '.join(sorted(unknown))}")
        if fields.get("action") == "list":
            return 200, self._list(fields)
        if fields.get("action") != "launch" or method != "POST":
            return 400, simple(1905, "parameter action has invalid value")
        return self._launch(fields)

    def _launch(self, fields: dict[str, str]) -> tuple[int, bytes]:
        if not fields.get("ip"):
            return 400, simple(1904, "None of the specified IPs are eligible for scanning")
        if fields.get("option_title") != PROFILE:
            return 400, simple(1905, f"parameter option_title has invalid value: {fields.get('option_title')}")
        with self._lock:
            number = 1736361211 + len(self.scans)
            reference = f"scan/{number}.27337"
            addresses = tuple(fields["ip"].split(","))
            title = fields["scan_title"]
            self.scans[reference] = Scan(reference, title, addresses, fields["iscanner_name"], time.time())
            self.states[reference] = "Queued"
        return 200, simple(None, "New vm scan launched", {"ID": str(number), "REFERENCE": reference})

    def _list(self, fields: dict[str, str]) -> bytes:
        wanted = [scan for scan in self.launches() if fields.get("scan_ref", scan.reference) == scan.reference]
        scans = "".join(self._listed(scan) for scan in wanted)
        inner = f"<SCAN_LIST>{scans}</SCAN_LIST>" if scans else ""
        kind = "SCAN_LIST_OUTPUT"
        return (
            f'{XML_HEAD}<!DOCTYPE {kind} SYSTEM "{self.url}scan_list_output.dtd"><{kind}><RESPONSE>'
            f"<DATETIME>2026-11-22T10:21:25Z</DATETIME>{inner}</RESPONSE></{kind}>"
        ).encode()

    def _listed(self, scan: Scan) -> str:
        return (
            f"<SCAN><REF>{scan.reference}</REF><TYPE>API</TYPE><TITLE><![CDATA[{scan.title}]]></TITLE>"
            f"<USER_LOGIN>{USER}</USER_LOGIN><LAUNCH_DATETIME>2026-11-22T10:20:31Z</LAUNCH_DATETIME>"
            f"<DURATION>Pending</DURATION><STATUS><STATE>{self.states[scan.reference]}</STATE></STATUS>"
            f"<TARGET><![CDATA[{', '.join(scan.addresses)}]]></TARGET></SCAN>"
        )

    def limits(self, waits: int | None = 0) -> dict[str, str]:
        """The headers of every answer."""
        left = max(self.limit - self.used, 0)
        found = {
            "X-RateLimit-Limit": str(self.limit), "X-RateLimit-Window-Sec": str(self.window),
            "X-RateLimit-Remaining": str(left), "X-Concurrency-Limit-Limit": "2", "X-Concurrency-Limit-Running": "1",
        }  # fmt: skip
        return {**found, "X-RateLimit-ToWait-Sec": str(waits)} if waits is not None else found


def simple(code: int | None, text: str, items: dict[str, str] | None = None) -> bytes:
    """A SIMPLE_RETURN."""
    told = "".join(f"<ITEM><KEY>{key}</KEY><VALUE>{value}</VALUE></ITEM>" for key, value in (items or {}).items())
    told = f"<ITEM_LIST>{told}</ITEM_LIST>" if told else ""
    number = f"<CODE>{code}</CODE>" if code else ""
    return (
        f'{XML_HEAD}<!DOCTYPE SIMPLE_RETURN SYSTEM "https://qualysapi.example/api/2.0/simple_return.dtd">'
        f"<SIMPLE_RETURN><RESPONSE><DATETIME>2026-11-22T10:20:31Z</DATETIME>{number}"
        f"<TEXT>{escape(text)}</TEXT>{told}</RESPONSE></SIMPLE_RETURN>"
    ).encode()


def _handler(peer: Qualys) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._handle(urlsplit(self.path).query)

        def do_POST(self) -> None:
            self._handle(self.rfile.read(int(self.headers["Content-Length"])).decode())

        def _handle(self, encoded: str) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            fields = {name: values[0] for name, values in parse_qs(encoded, keep_blank_values=True).items()}
            peer.calls.append((self.command, headers, fields))
            peer.in_flight()
            fault = peer.faults.pop(0) if peer.faults else None
            if isinstance(fault, Blocked):
                text = f"This API cannot be run again for another {fault.seconds or 'few'} seconds."
                self._say(409, simple(fault.code, text), peer.limits(fault.seconds))
                return
            peer.used += 1
            acts = getattr(fault, "acts", True)
            status, body = peer.answer(self.command, headers, fields) if acts else (0, b"")
            if isinstance(fault, Cut):
                self.close_connection = True
            elif isinstance(fault, Says):
                self._say(fault.status, fault.body, dict(fault.headers))
            else:
                self._say(status, body, peer.limits())

        def _say(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Type": "text/xml", "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            with contextlib.suppress(ConnectionError):  # who asked was killed
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_arguments: Any) -> None:
            pass

    return Handler
