# SPDX-License-Identifier: GPL-3.0-or-later
"""Events of CloudStack: five categories with and without a routing key, jobs, secrets; any bytes at all."""

import json

import pytest
from event_listener.event import Category, Level, Observation, State
from event_listener.normalise.buses import understand
from event_listener.normalise.cloudstack import normalise
from event_listener.normalise.cloudstack_secrets import clean
from event_listener.normalise.labels import labelled
from hypothesis import example, given
from hypothesis import strategies as st

DATE = "2015-09-04 17:59:24 +0530"
VM, JOB = "172dd6f8-0b57-4b44-91e2-1b5f0a6f0a11", "b1c0de00-0b57-4b44-91e2-1b5f0a6f0a11"
ACTION = {"event": "VM.START", "status": "Started", "entity": "com.cloud.vm.VirtualMachine", "entityuuid": VM,
          "VirtualMachine": VM, "user": "bd7e", "account": "bd73", "description": "starting Vm",
          "eventDateTime": DATE}  # fmt: skip
ALERT = {"event": "ALERT.COMPUTE.HOST", "dataCenterId": "z1", "podId": "p1", "subject": "Host down", "body": "h1",
         "eventDateTime": DATE}  # fmt: skip
USAGE = {"account": "a1", "zone": "z1", "event": "VOLUME.CREATE", "resource": "com.cloud.storage.Volume", "id": "v1",
         "eventDateTime": DATE}  # fmt: skip
STATE = {"resource": "VirtualMachine", "id": VM, "old-state": "Starting", "new-state": "Running",
         "status": "postStateTransitionEvent", "eventDateTime": DATE}  # fmt: skip
ASYNC = {"command": "org.apache.cloudstack.api.command.user.vm.StartVMCmd", "user": "u1", "account": "a1",
         "processStatus": 0, "resultCode": 0, "instanceUuid": VM, "instanceType": "VirtualMachine",
         "commandEventType": "VM.START", "jobId": JOB, "jobResult": None, "cmdInfo": "{}",
         "status": "IN_PROGRESS"}  # fmt: skip
KEYS = {
    Category.ACTION: f"management-server.ActionEvent.VM-START.VirtualMachine.{VM}",
    Category.ALERT: "management-server.AlertEvent.ALERT-COMPUTE-HOST.*.*",
    Category.USAGE: "management-server.UsageEvent.VOLUME-CREATE.Volume.v1",
    Category.RESOURCE_STATE: f"management-server.ResourceStateEvent.OperationSucceeded.VirtualMachine.{VM}",
    Category.ASYNC_JOB: f"management-server.AsyncJobEvent.submit.VirtualMachine.{VM}",
}
BODIES = {Category.ACTION: ACTION, Category.ALERT: ALERT, Category.USAGE: USAGE, Category.RESOURCE_STATE: STATE,
          Category.ASYNC_JOB: ASYNC}  # fmt: skip


def record(body, key=""):
    kind = labelled("text/plain", {"routing-key": key}) if key else "application/json"
    records, message_id, problem = normalise(json.dumps(body).encode(), kind)
    assert (problem, bool(message_id)) == ("", True)
    return records[0]


@pytest.mark.parametrize("category", list(Category))
def test_each_category_is_known_with_and_without_a_routing_key(category):
    """Kafka and webhooks carry no routing key; what it alone says is missing there, nothing else."""
    with_key, without = record(BODIES[category], KEYS[category]), record(BODIES[category])
    assert with_key.category is without.category is category
    assert (with_key.resource_type, with_key.resource_id) == (without.resource_type, without.resource_id)
    assert with_key.record == without.record == BODIES[category]


def test_what_an_action_says():
    found = record(ACTION, KEYS[Category.ACTION])
    assert (found.type, found.state, found.level) == ("VM.START", State.STARTED, Level.INFO)
    assert (found.resource_type, found.resource_id) == ("VirtualMachine", VM)
    assert (found.message, found.time) == ("starting Vm", "2015-09-04T12:29:24.000000Z")


def test_an_action_that_failed_is_an_error():
    """CloudStack has no state for it: Completed, "Error while ..."."""
    found = record({**ACTION, "status": "Completed", "description": "Error while starting Vm. Vm Id: 7"})
    assert (found.state, found.level, found.severity) == (State.COMPLETED, Level.ERROR, "Critical")


def test_an_old_dump_without_entity_takes_it_from_the_routing_key():
    """The real one of apache/cloudstack#782."""
    body = {"eventDateTime": DATE, "status": "Scheduled", "description": "deleting User test4 (id: 28)",
            "event": "ACCOUNT.DELETE", "Account": "c09e", "account": "bd73", "user": "bd7e"}  # fmt: skip
    found = record(body, "management-server.ActionEvent.ACCOUNT-DELETE.Account.c09e")
    assert (found.category, found.type, found.state) == (Category.ACTION, "ACCOUNT.DELETE", State.SCHEDULED)
    assert (found.resource_type, found.resource_id) == ("Account", "c09e")


def test_what_an_alert_says():
    found = record(ALERT, KEYS[Category.ALERT])
    assert (found.type, found.level, found.message) == ("ALERT.COMPUTE.HOST", Level.WARN, "Host down")
    assert (found.resource_type, found.resource_id) == ("Pod", "p1")
    assert record({**ALERT, "podId": None, "dataCenterId": None}).resource_id is None


def test_a_transition_is_told_twice_and_happens_once():
    """Before and after it; a state is what is, not what may be."""
    after = record(STATE, KEYS[Category.RESOURCE_STATE])
    before = record({**STATE, "status": "preStateTransitionEvent"}, KEYS[Category.RESOURCE_STATE])
    assert (after.observed, before.observed) == ((Observation("state", "Running"),), ())
    assert (after.type, after.state, before.state) == (
        "VirtualMachine.OperationSucceeded", State.COMPLETED, State.SCHEDULED,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("event", "status", "state", "level"),
    [
        ("submit", "IN_PROGRESS", State.SCHEDULED, Level.INFO),
        ("update", "IN_PROGRESS", State.STARTED, Level.INFO),
        ("complete", "SUCCEEDED", State.COMPLETED, Level.INFO),
        ("complete", "FAILED", State.COMPLETED, Level.ERROR),
        ("", "IN_PROGRESS", State.STARTED, Level.INFO),
        ("", "SUCCEEDED", State.COMPLETED, Level.INFO),
        ("", "CANCELLED", State.COMPLETED, Level.ERROR),
    ],
)
def test_a_jobs_events_are_linked_by_its_id(event, status, state, level):
    key = f"management-server.AsyncJobEvent.{event}.VirtualMachine.{VM}" if event else ""
    result = 'org.apache.cloudstack.api.response.ExceptionResponse/null/{"errorcode":530,"errortext":"no capacity"}'
    found = record({**ASYNC, "status": status, "jobResult": result}, key)
    assert (found.state, found.level, found.start_id, found.type) == (state, level, JOB, "VM.START")
    assert ("no capacity" in found.message) == (level is Level.ERROR)


def test_a_message_is_known_by_its_place_and_its_bytes():
    """CloudStack gives no id: what is delivered again has the id that it had, and nothing else has."""
    places = ["", 'text/plain; routing-key="a.b.submit.d.e"', 'text/plain; routing-key="a.b.update.d.e"']
    places += ['x/y; offset="0/1"', 'x/y; offset="0/2"']
    bodies = [json.dumps(body).encode() for body in (ACTION, ALERT)]
    ids = [understand("cloudstack", body, place).message_id for body in bodies for place in places * 2]
    assert len(set(ids)) == len(ids) / 2


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b"{}", b'{"event": "x"}', b"\xff\xfe", b"null"])
def test_what_is_none_says_so(body):
    records, _message_id, problem = normalise(body)
    assert (records, bool(problem)) == ((), True)


@given(st.binary(max_size=200) | st.dictionaries(
    st.sampled_from([*ACTION, *ALERT, *ASYNC, *STATE]), st.none() | st.integers() | st.text() | st.lists(st.none()),
).map(lambda body: json.dumps(body).encode()), st.text(max_size=60))  # fmt: skip
@example(b'{"jobId":1,"commandEventType":2,"jobResult":{},"status":"FAILED"}', "")
def test_any_bytes_are_records_or_a_problem(body, key):
    kind = labelled("", {"routing-key": key})
    records, _message_id, problem = normalise(clean(body), kind)
    assert bool(records) != bool(problem)


SECRET = "Zx9-Very.Secret"


@pytest.mark.parametrize(
    "fields",
    [
        {"cmdInfo": json.dumps({"sessionkey": SECRET, "id": VM})},
        {"cmdInfo": {"sessionkey": SECRET, "id": VM}},
        {"cmdInfo": json.dumps({"signature": SECRET, "apiKey": SECRET, "userdata": SECRET})},
        {"cmdInfo": json.dumps({"password": SECRET, "details[0].vncPassword": SECRET, "details[0].key": "x"})},
        {"cmdInfo": json.dumps({"inner": json.dumps({"deeper": json.dumps({"secretkey": SECRET})})})},
        {"jobResult": "org.apache.cloudstack.api.response.UserVmResponse/null/" + json.dumps({"password": SECRET})},
        {"jobResult": {"keypair": {"privatekey": f"-----BEGIN {SECRET}"}}},
        {"cmdInfo": '{"sessionkey":"' + SECRET + '","cut'},
        {"description": f"GET /client/api?command=listUsers&sessionkey={SECRET}&response=json"},
        {"description": f"template at https://user:{SECRET}@images.example.com/x.qcow2"},
        {"ssh_private_key": SECRET, "userdata": [SECRET]},
    ],
)
def test_the_session_key_and_other_secrets_are_never_stored(fields):
    """apache/cloudstack#782: whoever read the bus could take over the caller's session."""
    body = json.dumps({**ASYNC, **fields}).encode()
    cleaned = clean(body)
    assert SECRET.encode() not in cleaned
    assert b"***" in cleaned
    assert {**json.loads(cleaned), **fields} == {**ASYNC, **fields}
    assert record(json.loads(cleaned)).start_id == JOB
    assert clean(cleaned) == cleaned


def test_a_body_that_is_no_json_is_stored_without_them_too():
    """Quarantine keeps it whole, but for what is named as a secret."""
    for body in (b'{"sessionkey":"' + SECRET.encode() + b'", oops', b'\xff{"password": "' + SECRET.encode() + b'"'):
        assert SECRET.encode() not in clean(body)


@pytest.mark.parametrize("body", [*BODIES.values(), {"passwordEnabled": True, "password": "", "keypair": "k1"}])
def test_what_holds_none_is_stored_byte_for_byte(body):
    sent = (json.dumps(body, indent=1) + "\n").encode()
    assert clean(sent) is sent
