# SPDX-License-Identifier: GPL-3.0-or-later
"""The ingest application: what each request is answered, and what of it is stored. The journal is a real one."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from event_listener.auth import Authenticator, Credential
from event_listener.config_file import convert
from event_listener.ingest import Receiver, create_app, logger
from event_listener.ingest_metrics import CUT_SHORT, REFUSED
from event_listener.journal import Entry, Journal, JournalReader
from event_listener.notices import Notices
from event_listener.registry_snapshot import SourceEntry, write_snapshot
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import Client, TestResponse

AUTHORIZATION = {"Authorization": "Basic " + base64.b64encode(b"bmc:secret").decode()}
EVENT = {"@odata.type": "#Event.v1_7_0.Event", "Id": "1", "Name": "n", "Events": [{"MessageId": "Base.1.0.Ok"}]}


class Listener:
    """An application over a journal in a directory."""

    def __init__(self, directory: Path, **ingest: object) -> None:
        self.directory = directory
        self.journal = Journal(directory)
        everything = {"state_dir": str(directory), "ingest": {"max_body": 2048, "quarantine_max_body": 8192} | ingest}
        authenticator = Authenticator([Credential("basic", "secret", "bmc")])
        receiver = Receiver(convert(everything), authenticator, self.submit, Notices(logger))
        self.client = Client(create_app(receiver))

    def submit(self, entry: Entry, _: float) -> int:
        return self.journal.append([entry])[0]

    def post(self, path: str = "/", body: bytes | None = None, **options) -> TestResponse:
        options = {"headers": AUTHORIZATION, "content_type": "application/json"} | options
        return self.client.post(path, data=json.dumps(EVENT).encode() if body is None else body, **options)

    def stored(self) -> list[Entry]:
        with JournalReader(self.directory) as reader:
            return [entry for _, entry in reader.read_after(0)]


@pytest.fixture
def make(tmp_path: Path) -> Iterator:
    made = []

    def listener(**ingest: object) -> Listener:
        made.append(Listener(tmp_path, **ingest))
        return made[-1]

    yield listener
    for one in made:
        one.journal.close()


def environ(body: bytes, **changes: str) -> dict:
    """Return a request as gunicorn hands it over."""
    return {
        "REQUEST_METHOD": "POST", "PATH_INFO": "/", "QUERY_STRING": "", "SERVER_NAME": "x", "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "10.0.0.1", "CONTENT_LENGTH": str(len(body)),
        "HTTP_AUTHORIZATION": AUTHORIZATION["Authorization"], "wsgi.input": io.BytesIO(body),
        "wsgi.url_scheme": "https", "wsgi.errors": io.StringIO(),
    } | changes  # fmt: skip


def framed(answer: TestResponse) -> bool:
    """Whether the answer's length is said and true."""
    return int(answer.headers["Content-Length"]) == len(answer.data)


def test_an_event_is_stored_then_answered(make):
    """200 with a length and a short JSON body: the one answer that every known BMC takes."""
    listener = make()
    answer = listener.post("/events/bmc-1", environ_overrides={"REMOTE_ADDR": "::ffff:10.0.0.1"})
    assert (answer.status_code, answer.mimetype, answer.json) == (200, "application/json", {"status": "stored"})
    assert framed(answer)
    [entry] = listener.stored()
    assert json.loads(entry.body) == EVENT
    assert (entry.source, entry.peer, entry.credential, entry.status) == ("bmc-1", "10.0.0.1", "basic", "ok")
    assert entry.content_type == "application/json"


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_any_content_type_is_taken(make, content_type: str):
    """BMCs say what they like; the body is untouched, also where a form parser would eat it."""
    listener = make()
    assert listener.post(content_type=content_type).status_code == 200
    assert json.loads(listener.stored()[0].body) == EVENT


def test_post_to_the_root_has_no_source(make):
    """As the DMTF listener is used: the address tells."""
    listener = make()
    listener.post("/", environ_overrides={"REMOTE_ADDR": "fe80::1%eth0"})
    assert [(entry.source, entry.peer) for entry in listener.stored()] == [(None, "fe80::1")]


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": ""}, {"Authorization": "Basic YTpi"}, {"Authorization": "x"}]
)
def test_no_credentials_no_event(make, headers: dict):
    """The DMTF listener's bypass: without the header it took everything."""
    listener = make()
    answer = listener.post(headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")
    assert framed(answer)
    assert listener.stored() == []


@pytest.mark.parametrize(
    "path", ["/events/a/b", "/events/a%20b", "/events/..", "/events/" + "x" * 129, "/other", "/events"]
)
def test_other_paths_are_not_found(make, path: str):
    """A source id is a safe file name by its alphabet."""
    listener = make()
    answer = listener.post(path)
    assert answer.status_code == 404
    assert framed(answer)
    assert listener.stored() == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_only_post(make, method: str):
    """Reading is another socket's business."""
    for path in ("/", "/events/bmc-1"):
        answer = make().client.open(path, method=method, headers=AUTHORIZATION)
        assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
        assert framed(answer)


def test_malformed_goes_to_quarantine_with_2xx(make):
    """OpenBMC deletes a subscription over non-2xx, and the payload is kept whole."""
    listener = make()
    answer = listener.post(body=b"<not json>")
    assert (answer.status_code, answer.json) == (200, {"status": "stored"})
    [entry] = listener.stored()
    assert (entry.status, entry.body) == ("malformed", b"<not json>")
    assert entry.reason.startswith("not JSON")


def test_malformed_status_can_tell_the_bmc(make):
    """Stored all the same."""
    listener = make(malformed_status=400)
    answer = listener.post(body=b"5")
    assert answer.status_code == 400
    assert framed(answer)
    assert listener.stored()[0].status == "malformed"


def test_large_is_quarantined_larger_is_refused(make):
    """max_body is what is parsed, quarantine_max_body is what is kept."""
    listener = make()
    fits = b'{"a": "' + b"x" * 3000 + b'"}'
    assert listener.post(body=fits).status_code == 200
    assert [(entry.status, entry.body) for entry in listener.stored()] == [("malformed", fits)]
    refused = listener.post(body=b"x" * 8193)
    assert refused.status_code == 413
    assert framed(refused)
    assert len(listener.stored()) == 1
    assert listener.post(body=b"x" * 8192).status_code == 200


def test_a_body_cut_short_is_dropped_and_counted(make):
    """gunicorn hands it over without an error; its length gives it away."""
    listener = make()
    before = CUT_SHORT._value.get()
    answer = Answer(listener, environ(b'{"Events": []}', CONTENT_LENGTH="500"))
    assert answer.status == 400
    assert listener.stored() == []
    assert CUT_SHORT._value.get() == before + 1


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "GZIP", "gzip, identity"])
def test_compressed_bodies_are_refused(make, encoding: str):
    """A bomb is never unpacked; the answer names what is taken."""
    listener = make()
    answer = listener.post(headers=AUTHORIZATION | {"Content-Encoding": encoding})
    assert (answer.status_code, answer.headers["Accept-Encoding"]) == (415, "identity")
    assert listener.stored() == []


def test_an_unavailable_journal_is_503(make):
    """Never 2xx for what isn't on disk; the BMC is asked to come back."""
    listener = make(retry_after=7)
    listener.directory.joinpath("journal").rename(listener.directory / "away")
    answer = listener.post()
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")
    assert framed(answer)
    (listener.directory / "away").rename(listener.directory / "journal")
    assert listener.post().status_code == 200


def test_status_per_source(make):
    """204 where the registry says so; by the id in the path, or by the address."""
    listener = make()
    write_snapshot(listener.directory, [SourceEntry("bmc-1", "10.0.0.1", response_status=204)])
    assert listener.post("/events/bmc-1").status_code == 204
    assert listener.post("/", environ_overrides={"REMOTE_ADDR": "10.0.0.1"}).status_code == 204
    assert listener.post("/events/bmc-2").status_code == 200


def test_registered_only(make):
    """Strangers and the retired are refused, after authentication."""
    listener = make(registered_only=True)
    sources = [
        SourceEntry("bmc-1", "10.0.0.1"),
        SourceEntry("bmc-2", state="retired"),
        SourceEntry("bmc-3", state="maintenance"),
    ]
    write_snapshot(listener.directory, sources)
    answers = [listener.post(f"/events/bmc-{number}").status_code for number in (1, 2, 3, 4)]
    assert answers == [200, 403, 200, 403]
    assert listener.post("/events/bmc-1", headers={}).status_code == 401


def test_allowed_networks(make):
    """By the peer, not by what it says of itself."""
    listener = make(allowed_networks=["10.0.0.0/8"])
    assert listener.post(environ_overrides={"REMOTE_ADDR": "::ffff:10.1.1.1"}).status_code == 200
    refused = listener.post(
        environ_overrides={"REMOTE_ADDR": "192.0.2.1"}, headers=AUTHORIZATION | {"X-Forwarded-For": "10.1.1.1"}
    )
    assert refused.status_code == 403
    assert framed(refused)


def test_a_trusted_proxy_speaks_for_its_clients(make):
    """The last address that isn't a proxy's."""
    listener = make(trusted_proxies=["127.0.0.0/8"])
    headers = AUTHORIZATION | {"X-Forwarded-For": "6.6.6.6, 10.0.0.7"}
    listener.post(headers=headers, environ_overrides={"REMOTE_ADDR": "127.0.0.1"})
    assert listener.stored()[0].peer == "10.0.0.7"


def test_refusals_are_logged_once_and_counted_always(make, caplog: pytest.LogCaptureFixture):
    """Once per source and minute; no password in it."""
    listener = make()
    counter = REFUSED.labels("credentials_wrong")
    before = counter._value.get()
    wrong = {"Authorization": "Basic " + base64.b64encode(b"bmc:hunter2").decode()}
    for _ in range(20):
        listener.post("/events/bmc-1", headers=wrong, environ_overrides={"REMOTE_ADDR": "10.9.9.9"})
    lines = [record.getMessage() for record in caplog.records if "10.9.9.9" in record.getMessage()]
    assert len(lines) == 1
    assert lines[0].startswith("refused 401 10.9.9.9 (bmc-1): wrong credentials")
    assert "hunter2" not in caplog.text
    assert wrong["Authorization"] not in caplog.text
    assert counter._value.get() == before + 20


@given(
    method=st.sampled_from(["POST", "GET", "PUT", "HEAD"]),
    path=st.text(st.characters(max_codepoint=255), max_size=60),
    known_path=st.sampled_from([None, "/", "/events/a", "/events/"]),
    body=st.binary(max_size=3000) | st.just(b"[" * 2500) | st.just(json.dumps(EVENT).encode()),
    authorization=st.sampled_from([None, AUTHORIZATION["Authorization"]]) | st.text(st.characters(max_codepoint=255)),
    extra=st.dictionaries(
        st.sampled_from(["CONTENT_TYPE", "HTTP_CONTENT_ENCODING", "HTTP_X_FORWARDED_FOR", "HTTP_HOST", "REMOTE_ADDR"]),
        st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"]), max_size=40),
    ),
    length=st.sampled_from([None, 0, 1, 10**12]),
)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_makes_it_fail(tmp_path: Path, method, path, known_path, body, authorization, extra, length):
    """Property: never 500; 2xx means stored, anything below 500 but 2xx means that nothing was stored."""
    listener = Listener(tmp_path)
    try:
        with JournalReader(tmp_path) as reader:
            before = reader.head()
        changes = extra | ({} if length is None else {"CONTENT_LENGTH": str(length)})
        request = environ(body, REQUEST_METHOD=method, PATH_INFO=path if known_path is None else known_path)
        if authorization is None:
            del request["HTTP_AUTHORIZATION"]
        else:
            changes["HTTP_AUTHORIZATION"] = authorization
        answer = Answer(listener, request | changes)
        with JournalReader(tmp_path) as reader:
            stored = reader.head() - before
        assert answer.status < 500
        assert stored == (1 if 200 <= answer.status < 300 else 0)
        assert "Content-Length" in answer.headers
    finally:
        listener.journal.close()


class Answer:
    """What the application says when it is called as a server does, without a client that tidies the request."""

    def __init__(self, listener: Listener, environ: dict) -> None:
        def start_response(status: str, headers: list, _: object = None) -> None:
            self.status, self.headers = int(status.partition(" ")[0]), dict(headers)

        answer = listener.client.application(environ, start_response)
        self.body = b"".join(answer)
        getattr(answer, "close", lambda: None)()
