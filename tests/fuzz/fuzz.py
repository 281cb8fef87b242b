# SPDX-License-Identifier: GPL-3.0-or-later
"""Coverage-guided fuzzing of what takes bytes from strangers: no exception but the documented ones, and no 500.

    python tests/fuzz/fuzz.py TARGET [SECONDS]      # 300 s by default; `all` runs the targets one after the other

`body`: what ingest takes for a payload. `normalise`: the records of it, up to the columns of the event log and its
JSON. `request`: an HTTP request through gunicorn's parser into the ingest application. The corpus is generated, and
grows in a temporary directory; what breaks a target is printed and written to `crash-*` in the working directory.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["event_listener"]):
    from event_listener.auth import Authenticator, Credential
    from event_listener.config_file import convert
    from event_listener.event import Event, as_json
    from event_listener.ingest import Receiver, create_app, logger
    from event_listener.journal import Entry
    from event_listener.normalise.redfish import normalise
    from event_listener.notices import Notices
    from event_listener.payload import MalformedError, decode
    from event_listener.store.rows import record_columns

import msgspec
from gunicorn.config import Config
from gunicorn.http import RequestParser
from gunicorn.http.errors import NoMoreData, ParseException
from gunicorn.http.wsgi import create

AUTHORIZATION = b"Authorization: Basic Ym1jOnNlY3JldA==\r\n"
EVENT = {
    "@odata.type": "#Event.v1_7_0.Event", "Id": 1, "Context": "c", "Events": [{
        "EventId": "7", "EventType": "Alert", "MessageId": "ResourceEvent.1.3.0.ResourceCreated",
        "MessageArgs": ["a", 1], "Severity": "Warning", "EventTimestamp": "2026-01-01T00:00:00+01:00",
        "OriginOfCondition": {"@odata.id": "/x/1"},
    }],
}  # fmt: skip
REPORT = {"@odata.type": "#MetricReport.v1_5_0.MetricReport", "MetricValues": [{"MetricId": "t", "MetricValue": "1e3"}]}
_BODIES = [json.dumps(value).encode() for value in (EVENT, REPORT, {"Alerts": [EVENT["Events"]]}, [EVENT], "text")]
BODIES = [*_BODIES, b"\xef\xbb\xbf" + _BODIES[0], _BODIES[0].decode().encode("utf-16"), b'{"Id": NaN, "x": "\\ud800"}']


def body(data: bytes) -> None:
    """Only MalformedError."""
    try:
        decode(data, max_depth=16, max_records=50)
    except MalformedError:
        return


def normalised(data: bytes) -> None:
    """Total, and what comes out can be stored and shown."""
    for record in normalise(data).records:
        columns = record_columns(record)
        for value in columns.values():
            if isinstance(value, str):
                value.encode()
        fields = msgspec.structs.asdict(record)
        event = Event(seq=1, id="a-1-0", source="s", address="192.0.2.1", received_ns=0, payload_id=1, **fields)
        json.dumps(as_json(event), allow_nan=False).encode()


def _application() -> Any:
    directory = tempfile.mkdtemp(prefix="fuzz-")
    settings = convert({"state_dir": directory, "ingest": {"max_body": 4096, "quarantine_max_body": 8192}})
    seen: list[Entry] = []

    def submit(entry: Entry, _seconds: float) -> int:
        seen[:] = [entry]
        return 1

    authenticator = Authenticator([Credential("basic", "secret", "bmc")])
    return create_app(Receiver(settings, authenticator, submit, Notices(logger)))


class _Socket:
    """What gunicorn wants of a connection: the name, and nothing sent."""

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", 443


def request_target() -> Callable[[bytes], None]:
    """Each request in the bytes, as a worker would serve them."""
    application, config = _application(), Config()
    config.set("limit_request_fields", 32)

    def serve(data: bytes) -> None:
        try:
            for number, request in enumerate(RequestParser(config, iter([data]), ("192.0.2.9", 1))):
                _response, environ = create(request, _Socket(), ("192.0.2.9", 1), ("127.0.0.1", 443), config)
                environ["wsgi.errors"] = io.StringIO()
                statuses: list[str] = []
                list(application(environ, lambda status, _headers, statuses=statuses: statuses.append(status)))
                if statuses[0].startswith("500"):
                    raise RuntimeError(f"500 for {data!r}")
                if number > 3:
                    return
        except (ParseException, NoMoreData, StopIteration):
            return  # the worker answers these; see ingest_worker.handle_error

    return serve


def requests() -> list[bytes]:
    """Whole requests, chunked too, with and without credentials."""
    found = []
    for content in BODIES[:3]:
        head = b"POST /events/bmc-1 HTTP/1.1\r\nHost: x\r\n" + AUTHORIZATION
        found += [
            head + b"Content-Length: %d\r\n\r\n" % len(content) + content,
            head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(content) + content + b"\r\n0\r\n\r\n",
        ]
    secret = b"POST /events/a/secret-0123456789abcdef0123456789abcdef HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"
    return [*found, secret, b"GET / HTTP/1.1\r\n\r\n", b"POST / HTTP/1.0\r\nX-Forwarded-For: ::ffff:1.2.3.4\r\n\r\n"]


TARGETS: dict[str, tuple[Callable[[], Callable[[bytes], None]], Callable[[], list[bytes]]]] = {
    "body": (lambda: body, lambda: BODIES),
    "normalise": (lambda: normalised, lambda: BODIES),
    "request": (request_target, requests),
}


def main() -> None:
    """Run one target; atheris ends the process."""
    name = sys.argv[1] if len(sys.argv) > 1 else "all"
    seconds = sys.argv[2] if len(sys.argv) > 2 else "300"
    if name == "all":
        command = [sys.executable, __file__]
        sys.exit(max(subprocess.run([*command, one, seconds], check=False).returncode for one in TARGETS))
    target, seeds = TARGETS[name]
    corpus = Path(tempfile.mkdtemp(prefix="corpus-"))
    for number, seed in enumerate(seeds()):
        (corpus / str(number)).write_bytes(seed)
    limits = [
        f"-max_total_time={seconds}",
        "-max_len=4096",
        "-rss_limit_mb=1024",
        "-timeout=20",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *limits, str(corpus)], target())
    atheris.Fuzz()


if __name__ == "__main__":
    main()
