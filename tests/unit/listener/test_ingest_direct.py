# SPDX-License-Identifier: GPL-3.0-or-later
"""Events pass Flask by; whatever else is asked goes there, and both ways answer alike."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from event_listener.auth import Authenticator, Credential
from event_listener.config_file import convert
from event_listener.ingest import Receiver, create_app, logger
from event_listener.notices import Notices
from flask import Flask

GOOD = "Basic Ym1jOnNlY3JldA=="
SECRET = "secret-" + "a" * 43


@pytest.fixture
def make(tmp_path) -> Callable[..., Flask]:
    """Makes applications; `submit` stands at the journal's place, which is another test's."""

    def app(submit=lambda _entry, _timeout: 1, **ingest: object) -> Flask:
        settings = convert({"state_dir": str(tmp_path), "ingest": ingest})
        authenticator = Authenticator([Credential("basic", "secret", "bmc")])
        return create_app(Receiver(settings, authenticator, submit, Notices(logger)))

    return app


def ask(application: Callable, method: str, path: str, body: bytes = b"{}", **changes: str) -> tuple[str, dict, bytes]:
    """Return the answer of a WSGI application."""
    environ = {
        "REQUEST_METHOD": method, "PATH_INFO": path, "SCRIPT_NAME": "", "QUERY_STRING": "", "SERVER_NAME": "x",
        "SERVER_PORT": "443", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "10.0.0.1", "HTTP_AUTHORIZATION": GOOD,
        "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body), "wsgi.url_scheme": "https",
    } | changes  # fmt: skip
    said = []
    parts = application(environ, lambda *head: said.append(head))
    data = b"".join(parts)
    getattr(parts, "close", lambda: None)()
    return said[0][0], dict(said[0][1]), data


@pytest.mark.parametrize("path", ["/", "/events/bmc-1", "/events/fe80::1", f"/events/bmc-1/{SECRET}"])
@pytest.mark.parametrize(
    "changes",
    [{}, {"HTTP_AUTHORIZATION": "Basic AAAA"}, {"HTTP_CONTENT_ENCODING": "gzip"}, {"CONTENT_LENGTH": "5"}],
    ids=["good", "stranger", "compressed", "cut short"],
)
def test_an_event_passes_flask_by_and_is_answered_as_there(make, path: str, changes: dict[str, str]):
    """Its status, head and body are Flask's to the byte."""
    app, seen = make(), []
    app.before_request(lambda: seen.append(1))
    direct = ask(app, "POST", path, **changes)
    assert seen == []
    assert direct == ask(lambda *call: Flask.wsgi_app(app, *call), "POST", path, **changes)
    assert seen == [1]
    assert (direct[0] == "200 OK") == (not changes and SECRET not in path)


@pytest.mark.parametrize("status", [200, 202, 204])
def test_the_configured_answer_is_given_each_time(make, status: int):
    """Its head is made once: nothing of one answer gets into the next."""
    app = make(response_status=status)
    first, second = (ask(app, "POST", "/events/bmc-1") for _ in range(2))
    assert first == second
    assert first[0].startswith(str(status))
    assert (first[2] == b"") == (status == 204)
    assert ("Content-Length" in first[1]) == (status != 204)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"), ("HEAD", "/"), ("PUT", "/events/a"), ("POST", "/elsewhere"), ("POST", "/events/"), ("POST", ""),
        ("POST", "/events/a b"), ("POST", "/events/.."), ("POST", "/events/a/b"), ("POST", "/events/a/b/c"),
        ("POST", "/cloudevents"), ("POST", "/webhooks/cloudstack"), ("POST", "/events/a\n"), ("POST", "//events/a"),
    ],
)  # fmt: skip
def test_what_is_no_event_goes_to_flask(make, method: str, path: str):
    """Which refuses it, as it always did."""
    app, seen = make(), []
    app.before_request(lambda: seen.append(1))
    ask(app, method, path)
    assert seen == [1]


def test_what_nobody_foresaw_is_answered_and_logged(make, caplog):
    """500, and the server goes on."""

    def submit(_entry, _timeout):
        raise RuntimeError("unforeseen")

    status, _head, _body = ask(make(submit), "POST", "/")
    assert status.startswith("500")
    assert "please report this" in caplog.text
    assert "unforeseen" in caplog.text
