# SPDX-License-Identifier: GPL-3.0-or-later
"""The record's codecs lose nothing."""

import json

import pytest
from event_listener import cloudevents
from event_listener.event import Category, Event, Level, Origin, State, as_json, from_json, nanoseconds, rfc3339
from hypothesis import given
from hypothesis import strategies as st

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
OPTIONAL = st.none() | TEXT
EVENTS = st.builds(
    Event,
    seq=st.integers(1, 2**62),
    id=TEXT,
    source=TEXT,
    address=TEXT,
    payload_id=st.integers(1, 2**62),
    received_ns=st.integers(0, 4_000_000_000_000_000).map(lambda us: us * 1000),
    category=st.sampled_from(Category),
    type=TEXT,
    level=st.sampled_from(Level),
    state=st.sampled_from(State),
    origin=st.sampled_from(Origin),
    resource_type=OPTIONAL,
    resource_id=OPTIONAL,
    message=OPTIONAL,
    message_id=OPTIONAL,
    message_args=st.lists(TEXT, max_size=3).map(tuple),
    severity=OPTIONAL,
    event_id=OPTIONAL,
    context=OPTIONAL,
    time=OPTIONAL,
    start_id=OPTIONAL,
    record=st.dictionaries(TEXT, st.integers() | TEXT | st.none()),
)


@given(EVENTS)
def test_json_round_trip(event):
    assert from_json(json.loads(json.dumps(as_json(event)))) == event


@given(EVENTS)
def test_cloudevents_round_trip(event):
    envelope = json.loads(json.dumps(cloudevents.encode(event)))
    assert cloudevents.decode(envelope) == event


@given(EVENTS)
def test_cloudevents_attributes(event):
    """Required attributes are there; names are lower-case letters and digits (CloudEvents 1.0.2, Naming)."""
    envelope = cloudevents.encode(event)
    assert {"id", "source", "specversion", "type"} <= envelope.keys()
    for name, value in envelope.items():
        assert name.isalnum()
        assert name == name.lower()
        assert len(name) <= 20
        assert name == "data" or isinstance(value, str)


def test_cloudevents_of_another_version_is_refused():
    with pytest.raises(ValueError, match=r"1\.0"):
        cloudevents.decode({"specversion": "0.3"})


@given(st.integers(0, 4_000_000_000_000_000))
def test_time_round_trip(microseconds):
    assert nanoseconds(rfc3339(microseconds * 1000)) == microseconds * 1000


@pytest.mark.parametrize("text", ["2026-11-22T02:54:34Z", "2026-11-22T03:54:34+01:00", "2026-11-22 02:54:34"])
def test_times_people_write(text):
    assert rfc3339(nanoseconds(text)) == "2026-11-22T02:54:34.000000Z"
