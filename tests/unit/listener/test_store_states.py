# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of resources in the store, on both databases: moved once per event, in order, by live events only."""

import random

import msgspec
import pytest
from event_listener.event import Origin
from event_listener.normalise.redfish import records
from event_listener.store import Arrival, StateQuery, Store

from tests.unit.listener.stores import CURSOR, JOURNAL

SYSTEM, DRIVE = "/redfish/v1/Systems/1", "/redfish/v1/Systems/1/Storage/1/Drives/2"


def event(key, resource=SYSTEM, **fields):
    return {"MessageId": f"ResourceEvent.1.3.{key}", "OriginOfCondition": {"@odata.id": resource, **fields}}


def arrival(seq, *members, source="bmc1", origin=Origin.LIVE):
    return Arrival(
        journal_id=JOURNAL, journal_seq=seq, received_ns=seq * 1000, source=source, address="192.0.2.1",
        peer="192.0.2.1", credential="bmcs", content_type="application/json", body=b"{}", origin=origin,
        records=records({"Events": list(members)}).records,
    )  # fmt: skip


def write(store, *arrivals):
    return store.log.write(arrivals, CURSOR, max(item.journal_seq for item in arrivals))


def transitions(store):
    return [(e.state_of, e.old_state, e.new_state) for e in store.log.read_events_after(0, 1000)]


def states(store, **query):
    found = store.states.find(StateQuery(**query))
    return {(item.source, item.resource_id, item.aspect): item.state for item in found}


def test_a_transition_has_its_old_state_also_within_a_batch_and_a_post(store):
    write(store, arrival(1, event("ResourcePoweredOn")))
    write(
        store,
        arrival(2, event("ResourcePoweringOff"), event("ResourcePoweredOff")),
        arrival(3, event("ResourceStatusChangedCritical"), event("ResourcePoweredOff")),
        arrival(4, event("ResourcePoweredOn"), source="bmc2"),
    )
    assert transitions(store) == [
        ("power", None, "On"),
        ("power", "On", "PoweringOff"),
        ("power", "PoweringOff", "Off"),
        ("health", None, "Critical"),
        ("power", "Off", "Off"),
        ("power", None, "On"),
    ]
    found = {item.aspect: item for item in store.states.find(StateQuery(source=("bmc1",)))}
    power = found["power"]
    assert (power.state, power.previous, power.since_ns, power.seen_ns) == ("Off", "PoweringOff", 2000, 3000)
    assert power.event_id == f"{JOURNAL}-2-1"
    assert (found["health"].state, found["health"].previous) == ("Critical", None)


def test_a_batch_that_comes_again_moves_nothing(store, backend):
    batch = [arrival(1, event("ResourcePoweredOn")), arrival(2, event("ResourcePoweredOff"))]
    write(store, *batch)
    before = store.states.find(StateQuery())
    assert store.log.write(batch, CURSOR, 2).events == 0
    again = Store(backend)  # a restart
    assert again.states.find(StateQuery()) == before
    write(again, batch[1], arrival(3, event("ResourcePoweredOn")))
    assert transitions(again)[-1] == ("power", "Off", "On")


@pytest.mark.parametrize("origin", [Origin.IMPORT, Origin.BACKFILL, Origin.TEST])
def test_only_live_events_say_something_about_now(store, origin):
    write(store, arrival(1, event("ResourcePoweredOn")))
    write(store, arrival(2, event("ResourcePoweredOff"), origin=origin))
    write(store, arrival(3, {**event("ResourcePoweredOff"), "EventId": "redfleet-test-1"}))
    store.log.add([arrival(4, event("ResourcePoweredOff"), origin=Origin.IMPORT)])
    assert states(store) == {("bmc1", SYSTEM, "power"): "On"}
    assert transitions(store)[1:3] == [("power", None, "Off")] * 2


def test_a_repeat_moves_nothing_however_late_it_comes(store):
    write(store, arrival(1, event("ResourcePoweredOn")))
    write(store, arrival(2, event("ResourcePoweredOff")))
    write(store, msgspec.structs.replace(arrival(3, event("ResourcePoweredOn")), repeats=(f"{JOURNAL}-1-0",)))
    assert states(store) == {("bmc1", SYSTEM, "power"): "Off"}


def test_what_changed_is_shown_before_what_did_not(store):
    write(store, arrival(1, event("ResourceChanged", PowerState="On", Status={"Health": "OK", "State": "Enabled"})))
    write(store, arrival(2, event("ResourceChanged", PowerState="On", Status={"Health": "Critical"})))
    assert transitions(store) == [("power", None, "On"), ("health", "OK", "Critical")]
    assert len(states(store)) == 3


def test_a_removed_resource_is_forgotten_with_what_is_below(store):
    write(store, arrival(1, event("ResourcePoweredOn"), event("ResourceStatusChangedCritical", DRIVE)))
    write(
        store,
        arrival(2, event("ResourceRemoved", DRIVE), event("ResourceStatusChangedOK", SYSTEM + "0")),
        arrival(3, event("ResourceStatusChangedOK", DRIVE)),
    )
    assert transitions(store)[2:] == [(None, None, None), ("health", None, "OK"), ("health", None, "OK")]
    write(store, arrival(4, event("ResourceRemoved", SYSTEM)))
    assert states(store) == {("bmc1", SYSTEM + "0", "health"): "OK"}
    assert transitions(store)[0] == ("power", None, "On")


def test_batches_of_any_cut_end_the_same(store):
    """However a stream of events is cut into batches, it leaves the states, and the transitions, of one by one."""
    chance = random.Random(7)
    keys = ["ResourcePoweredOn", "ResourcePoweredOff", "ResourceStatusChangedOK", "ResourceStatusChangedCritical"]
    stream = [
        (f"bmc{chance.randrange(3)}", chance.choice([*keys * 4, "ResourceRemoved"]), chance.choice([SYSTEM, DRIVE]))
        for _ in range(300)
    ]
    known, expected = {}, []
    for source, key, resource in stream:
        if key == "ResourceRemoved":
            gone = [k for k in known if k[0] == source and (k[1] + "/").startswith(resource + "/")]
            for item in gone:
                del known[item]
            expected.append((None, None, None))
            continue
        aspect = "health" if "Status" in key else "power"
        value = {"PoweredOn": "On", "PoweredOff": "Off"}.get(key[8:], key.removeprefix("ResourceStatusChanged"))
        expected.append((aspect, known.get((source, resource, aspect)), value))
        known[source, resource, aspect] = value
    todo = [arrival(n, event(key, resource), source=source) for n, (source, key, resource) in enumerate(stream, 1)]
    while todo:
        size = chance.randrange(1, 40)
        write(store, *todo[:size])
        todo = todo[size:]
    assert transitions(store) == expected
    assert states(store, limit=1000) == known


def test_a_resource_id_that_no_index_takes_is_not_tracked(store):
    write(store, arrival(1, event("ResourcePoweredOn", "/redfish/v1/" + "ä" * 4000)))
    assert states(store) == {}
    assert transitions(store) == [("power", None, "On")]


def test_pages_and_filters(store):
    members = [event("ResourceStatusChangedCritical", f"{SYSTEM}/Fans/{n}") for n in range(25)]
    write(store, arrival(1, *members, event("ResourcePoweredOn")), arrival(2, event("ResourcePoweredOn"), source="b"))
    pages, after = [], None
    while page := store.states.find(StateQuery(after=after, limit=10)):
        pages += page
        after = page[-1].source, page[-1].resource_id, page[-1].aspect
    assert len({(item.source, item.resource_id, item.aspect) for item in pages}) == len(pages) == 27
    assert len(states(store, state=("Critical",), aspect=("health",))) == 25
    assert states(store, resource_type=("ComputerSystem",), source=("b",)) == {("b", SYSTEM, "power"): "On"}
