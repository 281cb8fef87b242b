# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site forwards is at the central listener what it was at the site; all else is refused, never a crash."""

import json

import msgspec
import pytest
from event_listener.cloudevents import encode
from event_listener.event import Category, Event, Level, Observation, Origin, State
from event_listener.forwarded import ForwardedError, forwarded
from hypothesis import given
from hypothesis import strategies as st

JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.dictionaries(st.text(), x))
EVENT = Event(
    seq=7, id="0123456789ab-3-1", source="10.0.0.1", address="10.0.0.1", received_ns=1_795_349_674_123_456_000,
    payload_id=3, category=Category.ALERT, type="Platform.PowerSupplyFailed", level=Level.ERROR, state=State.COMPLETED,
    origin=Origin.LIVE, resource_type="ComputerSystem", resource_id="/redfish/v1/Systems/1", message="Grüße\n☃",
    message_id="Platform.1.0.PowerSupplyFailed", message_args=("a", ""), severity="Critical", event_id="9",
    context="c", time="2026-11-22T02:54:34Z", start_id="/t/1", state_of="health", old_state="OK", new_state="Critical",
    resolution="r", filled=("message", "severity"), repeat_of="j-1-0",
    record={"a": [1, None, "ü"]},
)  # fmt: skip
OWN = {"seq", "payload_id", "domain", "account", "site", "observed", "record"}


def one(**changes):
    envelope = {**encode(EVENT), **changes}
    return json.dumps({name: value for name, value in envelope.items() if value is not ...}).encode()


def test_an_event_is_the_same_with_its_site():
    (found,) = forwarded(one(), "dc1")
    assert (found.id, found.source, found.address, found.received_ns, found.site) == (
        EVENT.id, EVENT.source, EVENT.address, EVENT.received_ns, "dc1",
    )  # fmt: skip
    for name in set(type(found.record).__struct_fields__) - OWN:
        assert getattr(found.record, name) == getattr(EVENT, name), name
    assert found.record.record == EVENT.record
    assert found.record.observed == (Observation("health", "Critical"),)


def test_the_way_through_several_listeners_is_kept():
    assert forwarded(one(site="row2"), "dc1")[0].site == "dc1/row2"


def test_a_batch_and_attributes_of_a_newer_site():
    events = [json.loads(one(id=f"j-{number}-0", futureattribute={"x": 1})) for number in range(3)]
    assert [event.id for event in forwarded(json.dumps(events).encode(), "s")] == ["j-0-0", "j-1-0", "j-2-0"]
    assert forwarded(b"[]", "s") == ()


def test_a_resource_that_is_gone():
    record = forwarded(one(type="events.redfleet.ResourceEvent.ResourceRemoved", stateof=...), "s")[0].record
    assert record.observed == (Observation("", None),)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"specversion": "0.3"}, "specversion"),
        ({"id": ...}, "id"),
        ({"id": "a b"}, "id"),
        ({"id": "x" * 201}, "id"),
        ({"source": "/somebody/else"}, "no source of a listener"),
        ({"source": "/redfleet/sources/a%2Fb"}, "no source of a listener"),
        ({"source": "/redfleet/sources/.."}, "no source of a listener"),
        ({"time": "yesterday"}, "yesterday"),
        ({"time": 5}, "time"),
        ({"category": "Other"}, "category"),
        ({"severitytext": "LOUD"}, "severitytext"),
        ({"message": {"a": 1}}, "message"),
        ({"address": ""}, "address"),
        ({"data": None}, "data"),
        ({"data": {"message_args": [1]}}, "message_args"),
    ],
)
def test_what_is_not_ours_says_which_and_why(changes, said):
    with pytest.raises(ForwardedError, match="event 1: ") as raised:
        forwarded(one(**changes), "s")
    assert said in str(raised.value)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_anything_is_refused_or_understood(body):
    try:
        found = forwarded(body, "s")
    except ForwardedError:
        return
    assert found == ()  # of all that is no CloudEvent the empty batch alone


@given(st.sampled_from(sorted(encode(EVENT))), JSON)
def test_no_value_of_an_attribute_does_harm(name, value):
    try:
        (found,) = forwarded(one(**{name: value}), "s")
    except ForwardedError:
        return
    assert msgspec.json.encode(found)  # text that can be stored: no lone surrogates
    assert "\x00" not in str([getattr(found.record, field) for field in ("message", "type", "resource_id", "context")])
