# SPDX-License-Identifier: GPL-3.0-or-later
"""Forwarded events in the store, on both databases: with the identity they have, and each once."""

import msgspec
from event_listener.event import Record
from event_listener.store import Arrival, Given, Query, StateQuery

from tests.unit.listener.stores import CURSOR, JOURNAL
from tests.unit.listener.test_store_states import SYSTEM, event
from tests.unit.listener.test_store_states import arrival as posted


def arrival(seq, *ids, source="bmc1", records=None):
    given = tuple(Given(id=one, source=source, address="10.0.0.1", received_ns=77, site="dc1") for one in ids)
    return Arrival(
        journal_id=JOURNAL, journal_seq=seq, received_ns=seq * 1000, source="site:dc1", address="site-dc1",
        peer="192.0.2.1", credential="site:dc1", content_type="application/json", body=b"[]",
        records=records or tuple(Record(type="A.B", message=one, record={}) for one in ids), given=given,
    )  # fmt: skip


def write(store, *arrivals):
    return store.log.write(arrivals, CURSOR, max(item.journal_seq for item in arrivals))


def ids(store):
    return [one.id for one in store.log.read_events_after(0, 100)]


def test_they_keep_who_they_are(store):
    write(store, arrival(1, "far-1-0", "far-1-1"))
    (first, _second) = store.queries.find(Query(site=("dc1",), order="asc")).events
    assert (first.id, first.source, first.address, first.received_ns, first.site, first.payload_id) == (
        "far-1-0", "bmc1", "10.0.0.1", 77, "dc1", 1,
    )  # fmt: skip
    payload = store.queries.payload(1)
    assert (payload.source, payload.address, payload.peer) == ("site:dc1", "site-dc1", "192.0.2.1")
    activity = store.sources.activity()
    assert (activity["bmc1"].events, activity["bmc1"].payloads, activity["site:dc1"].payloads) == (2, 0, 1)


def test_what_comes_again_is_left_out_within_a_post_a_batch_and_later(store):
    assert write(store, arrival(1, "a", "b", "a"), arrival(2, "b", "c"), arrival(3, "a")).events == 3
    assert write(store, arrival(4, "c", "d"), arrival(5, "a", "b")).events == 1
    assert ids(store) == ["a", "b", "c", "d"]
    assert store.log.payload_head() == 3  # a POST of which nothing is new is none


def test_an_id_of_another_source_is_kept_in_quarantine_and_the_rest_stored(store):
    write(store, arrival(1, "a"))
    written = write(store, msgspec.structs.replace(arrival(2, "a", "b", source="bmc2")))
    assert (written.events, written.quarantined) == (1, 1)
    (held,) = store.quarantine.list()
    assert "dc1 forwards event a of bmc2, but that is an event of bmc1" in held.reason
    assert ids(store) == ["a", "b"]


def test_states_follow_the_events_source_and_keep_the_sites_knowledge(store):
    records = posted(1, event("ResourcePoweredOff")).records
    records = (msgspec.structs.replace(records[0], old_state="On"),)
    write(store, arrival(1, "a", records=records))
    write(store, arrival(2, "a", records=records), posted(3, event("ResourcePoweredOn")))
    assert [(one.old_state, one.new_state) for one in store.log.read_events_after(0, 9)] == [
        ("On", "Off"),
        ("Off", "On"),
    ]
    (state,) = store.states.find(StateQuery())
    assert (state.source, state.resource_id, state.state, state.previous) == ("bmc1", SYSTEM, "On", "Off")
