# SPDX-License-Identifier: GPL-3.0-or-later
"""`POST /webhooks/cloudstack`: who signed it, what is stored of it, and what is refused. The journal is a real one."""

import base64
import hashlib
import hmac
import json
import re
import uuid
from pathlib import Path

import pytest
from event_listener import config_file
from event_listener.auth import Authenticator, Credential
from event_listener.indexer import Indexer
from event_listener.ingest import create_app, logger
from event_listener.ingest_cloudstack import WebhookReceiver
from event_listener.journal import Journal, JournalReader
from event_listener.notices import Notices
from event_listener.store import open_store
from werkzeug.test import Client

from tests.unit.listener.test_ingest_app import framed
from tests.unit.listener.test_normalise_cloudstack import ACTION, SECRET

BODY = json.dumps(ACTION).encode()


def signed(secret, body=BODY, **headers):
    """As CloudStack's WebhookDeliveryThread does."""
    signature = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
    return {"X-CS-Signature": signature, "X-CS-Event": "VM.START", "X-CS-Event-ID": str(uuid.uuid4()),
            "User-Agent": f"CS-Hookshot/{uuid.uuid4()}", "Content-Type": "application/json", **headers}  # fmt: skip


class Listening:
    """A listener that two webhooks deliver to."""

    def __init__(self, directory, webhooks=(("cloud1", "s1"), ("cloud2", "s2")), **ingest):
        self.directory, self.journal = directory, Journal(directory)
        self.settings = config_file.convert({"state_dir": str(directory), "ingest": {"max_body": 4096, **ingest}})
        receiver = WebhookReceiver(
            [Credential(name, secret) for name, secret in webhooks],
            self.settings,
            Authenticator([Credential("basic", "secret", "bmc")]),
            Authenticator([]),
            lambda entry, _seconds: self.journal.append([entry])[0],
            Notices(logger),
        )
        self.client = Client(create_app(receiver))

    def post(self, headers, body=BODY):
        return self.client.post("/webhooks/cloudstack", data=body, headers=headers)

    def stored(self):
        with JournalReader(self.directory) as reader:
            return [entry for _, entry in reader.read_after(0)]


@pytest.fixture
def listening(tmp_path):
    listener = Listening(tmp_path)
    yield listener
    listener.journal.close()


def test_a_delivery_is_stored_as_the_event_of_who_signed_it(listening):
    answer = listening.post(signed("s2"))
    assert (answer.status_code, answer.json) == (200, {"status": "stored"})
    assert framed(answer)
    (entry,) = listening.stored()
    assert (entry.source, entry.credential, entry.body) == ("cloud2", "input:cloudstack:cloud2", BODY)


def test_the_answer_is_200_whatever_bmcs_get(tmp_path):
    """CloudStack takes 204 for a failure, and sends it three times."""
    listener = Listening(tmp_path, response_status=204)
    assert listener.post(signed("s1")).status_code == 200
    listener.journal.close()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Basic Ym1jOnNlY3JldA=="},  # what BMCs show
        signed("s3"),
        signed("s1", BODY + b" "),
        signed("s1", **{"X-CS-Signature": "x"}),
        signed("s1", **{"X-CS-Signature": "A" * 43 + "="}),
        signed(""),
    ],
)
def test_what_is_signed_by_nobody_is_refused(listening, headers):
    answer = listening.post(headers)
    assert (answer.status_code, listening.stored()) == (401, [])
    assert "ingest.cloudstack_webhooks" in answer.json["detail"]


def test_without_webhooks_there_is_no_such_path(tmp_path):
    """Nor is an empty secret one: CloudStack then sends no signature."""
    listener = Listening(tmp_path, webhooks=())
    assert listener.post(signed("")).status_code == 404
    assert not listener.stored()
    listener.journal.close()


def test_get_is_answered_as_everywhere(listening):
    assert listening.client.get("/webhooks/cloudstack").status_code == 405


def test_a_delivery_that_comes_again_adds_nothing(listening, tmp_path):
    """CloudStack's tries, its redelivery, and who overheard one: the event's id isn't signed, so it proves nothing."""
    for _ in range(3):
        assert listening.post(signed("s1")).status_code == 200
    listening.post(signed("s2"))
    with open_store(tmp_path) as store:
        indexer = Indexer(tmp_path, store, 100)
        while indexer.step():
            pass
        indexer.close()
        found = store.log.read_events_after(0, 100)
    assert [(event.source, event.type) for event in found] == [("cloud1", "VM.START"), ("cloud2", "VM.START")]


def test_secrets_never_reach_the_journal(listening):
    body = json.dumps({**ACTION, "description": f"GET /client/api?sessionkey={SECRET}"}).encode()
    assert listening.post(signed("s1", body), body).status_code == 200
    assert SECRET.encode() not in listening.stored()[0].body


def test_what_is_signed_and_isnt_understood_is_kept(listening, tmp_path):
    """The test delivery of CloudStack's console, and text."""
    for body in (b'{ "CloudStack": "works!" }', b"plain text"):
        assert listening.post(signed("s1", body), body).status_code == 200
    with open_store(tmp_path) as store:
        indexer = Indexer(tmp_path, store, 100)
        indexer.step()
        indexer.close()
        assert len(store.quarantine.list()) == 2
        assert store.log.head() == 0


def test_too_large_is_refused(listening):
    body = b"x" * 5000
    assert listening.post(signed("s1", body), body).status_code == 413
    assert not listening.stored()


def test_the_example_of_the_page_is_good():
    page = Path(__file__).resolve().parents[3] / "docs" / "cloudstack.md"
    (example,) = re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    settings = config_file.parse(example, page)
    assert settings.cloudstack.exchange == "cloudstack-events"
    assert settings.ingest.cloudstack_webhooks[0].name == "cloudstack-dc3"
