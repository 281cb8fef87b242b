# SPDX-License-Identifier: GPL-3.0-or-later
"""`POST /cloudevents`: all three modes, who may, and what is refused. The journal is a real one."""

import json

import pytest
from cloudevents.core.bindings import http as ce_http
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from event_listener.auth import Authenticator, Credential
from event_listener.cloudevents import encode
from event_listener.config_file import ConfigError, convert
from event_listener.forwarded import forwarded
from event_listener.ingest import create_app, logger
from event_listener.ingest_sites import CentralReceiver
from event_listener.journal import Journal, JournalReader
from event_listener.notices import Notices
from werkzeug.test import Client

from tests.unit.listener.test_forwarded import EVENT, one
from tests.unit.listener.test_ingest_app import AUTHORIZATION, framed

TOKEN = {"Authorization": "Bearer t0ken"}
BATCH = "application/cloudevents-batch+json; charset=utf-8"


@pytest.fixture
def central(tmp_path):
    """A client of a central listener, and what is in its journal."""

    class Central:
        def __init__(self, sites):
            self.journal = Journal(tmp_path)
            ingest = {"max_body": 4096, "quarantine_max_body": 65536, "sites": sites}
            receiver = CentralReceiver(
                convert({"state_dir": str(tmp_path), "ingest": ingest}),
                Authenticator([Credential("basic", "secret", "bmc")]),
                Authenticator([Credential("dc1", "t0ken"), Credential("dc2", "pw", "u")]),
                lambda entry, _seconds: self.journal.append([entry])[0],
                Notices(logger),
            )
            self.client = Client(create_app(receiver))

        def post(self, body, content_type=BATCH, headers=TOKEN):
            return self.client.post("/cloudevents", data=body, content_type=content_type, headers=headers)

        def stored(self):
            with JournalReader(tmp_path) as reader:
                return [entry for _, entry in reader.read_after(0)]

    made = []
    yield lambda sites=({"name": "dc1", "token": {"env": "X"}},): made.append(Central(list(sites))) or made[-1]
    for one_ in made:
        one_.journal.close()


def test_a_batch_is_stored_as_it_came(central):
    listener, body = central(), b"[" + one() + b"," + one(id="j-9-0") + b"]"
    answer = listener.post(body)
    assert (answer.status_code, answer.json) == (200, {"status": "stored"})
    assert framed(answer)
    (entry,) = listener.stored()
    assert (entry.credential, entry.source, entry.body, entry.status) == ("site:dc1", None, body, "ok")


@pytest.mark.parametrize("mode", ["structured", "binary"])
def test_the_other_modes_mean_the_same(central, mode):
    """Made by the CloudEvents SDK, which knows nothing of us."""
    listener = central()
    event = JSONFormat().read(CloudEvent, json.dumps(encode(EVENT)))
    make = ce_http.to_structured_event if mode == "structured" else ce_http.to_binary_event
    message = make(event)
    headers = {name: value for name, value in message.headers.items() if name.lower() != "content-type"}
    kind = next(value for name, value in message.headers.items() if name.lower() == "content-type")
    answer = listener.post(message.body, kind, {**headers, **TOKEN})
    assert answer.status_code == 200, answer.text
    (entry,) = listener.stored()
    assert forwarded(entry.body, "dc1") == forwarded(one(), "dc1")


@pytest.mark.parametrize(
    ("body", "content_type", "status", "said"),
    [
        (b"[" + one() + b"," + one(category="x") + b"]", BATCH, 400, "event 2: "),
        (b"no json", BATCH, 400, "not JSON"),
        (one(), "application/json", 415, "cloudevents-batch+json"),
        (b"[" + one(message="x" * 70000) + b"]", BATCH, 413, "larger than 65536"),
    ],
)
def test_what_cannot_be_stored_whole_is_not_stored_at_all(central, body, content_type, status, said):
    listener = central()
    answer = listener.post(body, content_type)
    assert (answer.status_code, said in answer.json["detail"]) == (status, True), answer.text
    assert listener.stored() == []


def test_binary_data_that_is_no_json(central):
    listener = central()
    answer = listener.post(b"{", "application/json", {**TOKEN, "ce-specversion": "1.0"})
    assert answer.status_code == 400
    assert listener.stored() == []


@pytest.mark.parametrize("headers", [{}, AUTHORIZATION, {"Authorization": "Bearer wrong"}])
def test_only_sites_may(central, headers):
    """A BMC's credentials don't let it speak for others, nor a site's for BMCs."""
    listener = central()
    answer = listener.post(b"[" + one() + b"]", headers=headers)
    assert answer.status_code == 401
    assert listener.client.post("/events/bmc1", data=b"{}", headers=TOKEN).status_code == 401
    assert listener.stored() == []


def test_without_sites_there_is_no_such_path(central):
    listener = central(sites=())
    answer = listener.post(b"[]")
    assert answer.status_code == 404
    assert framed(answer)


def test_a_bmcs_credential_never_looks_like_a_sites():
    credential = {"name": "site:dc1", "token": {"env": "X"}}
    with pytest.raises(ConfigError, match=r"is for ingest\.sites"):
        convert({"ingest": {"credentials": [credential]}})
