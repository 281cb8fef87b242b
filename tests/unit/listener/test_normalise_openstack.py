# SPDX-License-Identifier: GPL-3.0-or-later
"""Notifications of OpenStack: envelopes, contexts, categories, jobs; any bytes at all."""

import json

import pytest
from event_listener.event import Category, Level, Observation, State
from event_listener.normalise.buses import credential_of, event_id, understand
from event_listener.normalise.labels import labelled, labels_of
from event_listener.normalise.openstack import clean, normalise
from hypothesis import given, settings
from hypothesis import strategies as st

RULE = {
    "id": "7f1a1b3e-0d9f-4b7e-9b52-0a4f7f0d1f11", "security_group_id": "d81f0d4d-4cbc-4d26-b3f0-6f6f9b1c6a01",
    "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22,
    "remote_ip_prefix": "0.0.0.0/0", "remote_group_id": None, "tenant_id": "5d1c3a", "project_id": "5d1c3a",
}  # fmt: skip


def bare(event_type, payload, *, priority="INFO", publisher="network.controller1", **more):
    return {
        "message_id": "c1a7e9a2-8ad1-4c0b-9a6e-6e7ff1b4b2ac", "publisher_id": publisher, "event_type": event_type,
        "priority": priority, "payload": payload, "timestamp": "2026-11-22 10:00:00.123456",
        "_context_request_id": "req-1", "_context_user_name": "alice", "_context_project_id": "5d1c3a", **more,
    }  # fmt: skip


def enveloped(message):
    return json.dumps({"oslo.version": "2.0", "oslo.message": json.dumps(message)}).encode()


def record(event_type, payload, **more):
    records, _message_id, problem = normalise(enveloped(bare(event_type, payload, **more)))
    assert problem == ""
    return records[0]


def test_both_envelopes_say_the_same():
    """Defect 2 of osel's decoding: the v2 envelope was never opened, so every modern notification was ignored."""
    message = bare("security_group_rule.create.end", {"security_group_rule": RULE})
    assert normalise(enveloped(message)) == normalise(json.dumps(message).encode())
    (found,), message_id, problem = normalise(enveloped(message))
    assert (message_id, problem) == (message["message_id"], "")
    assert found.type == "security_group_rule.create.end"
    assert (found.resource_type, found.resource_id) == ("security_group_rule", RULE["id"])
    assert (found.category, found.state, found.level) == (Category.ACTION, State.COMPLETED, Level.INFO)
    assert found.time == "2026-11-22T10:00:00.123456Z"
    assert found.start_id == "req-1:security_group_rule.create"
    assert found.record["context"] == {"request_id": "req-1", "user_name": "alice", "project_id": "5d1c3a"}
    assert found.record["payload"] == {"security_group_rule": RULE}
    assert "by user alice" in found.message
    assert "in project 5d1c3a" in found.message


@pytest.mark.parametrize(
    ("event_type", "payload", "more", "expected"),
    [
        ("compute.instance.create.start", {"instance_id": "i1"}, {"publisher": "compute.h1"},
         (Category.ASYNC_JOB, State.STARTED, Level.INFO, "instance", "i1", "req-1:compute.instance.create:i1")),
        ("compute.instance.create.end", {"instance_id": "i1", "state": "active"}, {"publisher": "compute.h1"},
         (Category.ASYNC_JOB, State.COMPLETED, Level.INFO, "instance", "i1", "req-1:compute.instance.create:i1")),
        ("compute.instance.create.error", {"instance_id": "i1", "exception": "No valid host"},
         {"publisher": "compute.h1", "priority": "ERROR"},
         (Category.ASYNC_JOB, State.COMPLETED, Level.ERROR, "instance", "i1", "req-1:compute.instance.create:i1")),
        ("instance.create.end", {"nova_object.name": "InstanceCreatePayload", "nova_object.namespace": "nova",
                                 "nova_object.data": {"uuid": "i2", "state": "active"}},
         {"publisher": "nova-compute:h1"},
         (Category.ASYNC_JOB, State.COMPLETED, Level.INFO, "instance", "i2", "req-1:instance.create:i2")),
        ("compute.instance.exists", {"instance_id": "i1", "state": "active"}, {"publisher": "compute.h1"},
         (Category.USAGE, State.COMPLETED, Level.INFO, "instance", "i1", None)),
        ("compute.instance.update", {"instance_id": "i1", "state": "building"}, {"publisher": "compute.h1"},
         (Category.RESOURCE_STATE, State.COMPLETED, Level.INFO, "instance", "i1", None)),
        ("identity.user.created", {"resource_info": "u1"}, {"publisher": "identity.h1"},
         (Category.ACTION, State.COMPLETED, Level.INFO, "user", "u1", None)),
        ("volume.create.end", {"volume_id": "v1", "status": "available"}, {"publisher": "volume.h1"},
         (Category.ASYNC_JOB, State.COMPLETED, Level.INFO, "volume", "v1", "req-1:volume.create:v1")),
        ("port.delete.end", {"port_id": "p1"}, {},
         (Category.ACTION, State.COMPLETED, Level.INFO, "port", "p1", "req-1:port.delete")),
        ("port.create.start", {"port": {"network_id": "n1"}}, {},
         (Category.ACTION, State.STARTED, Level.INFO, "port", None, "req-1:port.create")),
        ("scheduler.run_instance", {}, {"priority": "WARN", "publisher": "scheduler.h1"},
         (Category.ALERT, State.COMPLETED, Level.WARN, "scheduler", None, None)),
    ],
)  # fmt: skip
def test_what_notifications_become(event_type, payload, more, expected):
    found = record(event_type, payload, **more)
    got = (found.category, found.state, found.level, found.resource_type, found.resource_id, found.start_id)
    assert got == expected


def test_states_are_observed_and_end_with_a_delete():
    assert record("compute.instance.update", {"instance_id": "i1", "state": "active"}).observed == (
        Observation("state", "active"),
    )
    assert record("port.update.end", {"port": {"id": "p1", "status": "DOWN"}}).observed == (
        Observation("state", "DOWN"),
    )
    assert record("port.delete.end", {"port_id": "p1"}).observed == (Observation("", None),)
    assert record("port.delete.start", {"port_id": "p1"}).observed == ()


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "not JSON"),
        (b"[1]", "no JSON object"),
        (b"{}", "it has no event_type"),
        (b'{"event_type": 5}', "it has no event_type"),
        (b'{"oslo.version": "3.0", "oslo.message": "{}"}', "an envelope of oslo.messaging of version '3.0'"),
        (b'{"oslo.version": "2.0", "oslo.message": {}}', "an envelope of oslo.messaging"),
        (b'{"oslo.version": "2.0", "oslo.message": "{"}', "not JSON"),
        (b'{"event_type": "a", "payload": ' + b"[" * 100000 + b"]" * 100000 + b"}", "too deeply"),
    ],
)
def test_poison(body, problem):
    """What is no notification is said to be none; it goes to quarantine whole."""
    records, message_id, said = normalise(body)
    assert (records, message_id) == ((), "")
    assert problem in said


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(
            ["event_type", "payload", "message_id", "priority", "timestamp", "publisher_id", "_context_request_id"]
        ),
        JSON,
    ),
    st.text(),
)
def test_anything_is_a_record_or_a_problem(message, event_type):
    """Total: no notification stops the others."""
    for body in (json.dumps(message).encode(), enveloped({**message, "event_type": event_type})):
        records, _message_id, problem = normalise(body)
        assert bool(records) != bool(problem)
        for found in records:
            json.dumps(found.record, allow_nan=False).encode()


@settings(max_examples=40, deadline=None)
@given(st.binary())
def test_any_bytes(body):
    records, _message_id, problem = normalise(body)
    assert bool(records) != bool(problem)


@pytest.mark.parametrize("wrap", [enveloped, lambda message: json.dumps(message).encode()])
def test_a_users_token_is_taken_out_before_anything_is_stored(wrap):
    """Old services put the token of whoever asked into each notification."""
    message = bare("port.create.end", {"port": {"id": "p1"}}, _context_auth_token="gAAAAABsecret")
    cleaned = clean(wrap(message))
    assert b"gAAAAABsecret" not in cleaned
    (found,), _message_id, _problem = normalise(cleaned)
    assert found.record["context"]["auth_token"] == "***"
    assert found.record["context"]["request_id"] == "req-1"
    untouched = wrap(bare("port.create.end", {"port": {"id": "p1"}}))
    assert clean(untouched) is untouched


def test_labels():
    shown = labelled("text/plain; charset=utf-8", {"routing-key": 'a.b."c\\', "key": "x\ny"})
    assert shown == 'text/plain; routing-key="a.b.\\"c\\\\"; key="x y"'
    assert labels_of(shown) == {"routing-key": 'a.b."c\\', "key": "x y"}
    assert labels_of(labelled("", {})) == {}


def test_ids_follow_from_the_message():
    assert event_id("openstack", "c1a7e9a2-8ad1", 0) == "openstack-c1a7e9a2-8ad1-0"
    assert event_id("openstack", "what ever/é", 0) == event_id("openstack", "what ever/é", 0)
    assert " " not in event_id("openstack", "what ever/é", 0)
    assert credential_of("openstack", "os1") == "input:openstack:os1"
    assert "aren't known to this version" in understand("newer", b"{}", "").problem
