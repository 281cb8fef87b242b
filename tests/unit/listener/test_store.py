# SPDX-License-Identifier: GPL-3.0-or-later
"""What every store must do: writing, cursors, sources. One suite, parametrised by backend."""

import threading

import msgspec
import pytest
from event_listener import registry
from event_listener.event import Category, Level, Origin, Record
from event_listener.normalise.redfish import normalise
from event_listener.proofs import Announcement, announce
from event_listener.store import Arrival, FencedError, Query, Settled, own_arrival, schema

from tests.unit.listener.stores import CURSOR, JOURNAL, arrival, write


def test_what_is_written_is_read(store):
    records = (
        Record(
            type="A.B",
            category=Category.ALERT,
            level=Level.ERROR,
            message="ä",
            message_args=("x", "y"),
            record={"a": [1, None, "ü"]},
            origin=Origin.TEST,
            start_id="/t/1",
            context="",
            time="t",
            event_id="7",
        ),
        Record(type="C.D", record=[1]),
    )
    write(store, arrival(5, records=records))
    found = store.log.read_events_after(0, 10)
    assert [event.seq for event in found] == [1, 2]
    assert [event.id for event in found] == [f"{JOURNAL}-5-0", f"{JOURNAL}-5-1"]
    for event, record in zip(found, records, strict=True):
        for field in Record.__struct_fields__:
            assert getattr(event, field) == getattr(record, field)
    assert (found[0].source, found[0].address, found[0].received_ns, found[0].payload_id) == (
        "bmc1",
        "addr-bmc1",
        5000,
        1,
    )
    (payload,) = store.log.read_payloads_after(0, 10)
    assert (payload.body, payload.journal_seq, payload.origin, payload.peer) == (b"{5}", 5, Origin.LIVE, "192.0.2.1")
    assert store.queries.get(found[1].id) == found[1]
    assert store.queries.payload(1) == payload
    assert store.queries.get("nothing") is None
    assert store.queries.payload(9) is None


def test_rows_and_cursor_are_one_transaction(store):
    """A batch that fails leaves neither rows nor cursor; the batch after it starts where the last good one ended."""
    write(store, arrival(1))
    broken = arrival(3, records=(Record(type="x", record={"nan": float("nan")}),))
    with pytest.raises(ValueError, match="JSON"):
        write(store, arrival(2), broken)
    assert store.log.head() == 1
    assert store.cursors.get(CURSOR) == 1
    write(store, arrival(2))
    assert [event.seq for event in store.log.read_events_after(0, 10)] == [1, 2]


def test_repeated_batch_adds_nothing(store):
    """The relay dies after the commit and before it deletes from the journal: the same entries come again."""
    write(store, arrival(1), arrival(2, problem="torn"))
    again = store.log.write([arrival(1), arrival(2, problem="torn"), arrival(3)], CURSOR, 3)
    assert (again.payloads, again.events, again.quarantined) == (1, 1, 0)
    assert store.log.head() == 2
    assert len(store.quarantine.list()) == 1
    assert store.sources.activity_of("bmc1").payloads == 2


def test_another_journal_has_its_own_cursor(store):
    write(store, arrival(1))
    other = Arrival(
        **{name: getattr(arrival(1), name) for name in Arrival.__struct_fields__} | {"journal_id": "b" * 12}
    )
    store.log.write([other], "journal:" + "b" * 12, 1)
    assert [event.id for event in store.log.read_events_after(0, 9)] == [f"{JOURNAL}-1-0", "b" * 12 + "-1-0"]


def test_sequence_numbers_are_never_reused(store, backend):
    """A reader at 3 must see what comes after everything was purged."""
    write(store, arrival(1), arrival(2), arrival(3))
    with backend.write() as connection:
        connection.execute(schema.event.delete())
        connection.execute(schema.payload.delete())
    assert store.log.head() == 3
    write(store, arrival(4))
    assert [event.seq for event in store.log.read_events_after(3, 9)] == [4]
    assert [payload.seq for payload in store.log.read_payloads_after(3, 9)] == [4]


def test_readers_skip_nothing_while_writers_race(store):
    """Two writers, one reader that follows: it sees every event once and in order."""
    total, seen = 60, []

    def writer(journal):
        for seq in range(1, total + 1):
            item = Arrival(**{n: getattr(arrival(seq), n) for n in Arrival.__struct_fields__} | {"journal_id": journal})
            store.log.write([item], f"journal:{journal}", seq)

    threads = [threading.Thread(target=writer, args=(name * 12,)) for name in "ab"]
    for thread in threads:
        thread.start()
    while len(seen) < 2 * total:
        seen += [event.seq for event in store.log.read_events_after(seen[-1] if seen else 0, 50)]
    for thread in threads:
        thread.join()
    assert seen == list(range(1, 2 * total + 1))


def test_quarantine_keeps_and_releases(store):
    write(store, arrival(1), arrival(2, problem="torn"), arrival(3, problem="not JSON"))
    held = store.quarantine.list()
    assert [(item.journal_seq, item.reason, item.size) for item in held] == [(2, "torn", 3), (3, "not JSON", 3)]
    assert store.quarantine.list(after=held[0].seq) == held[1:]
    assert store.quarantine.body(held[0].seq) == b"{2}"
    assert store.quarantine.body(99) is None

    def understands(arrival):
        records = (Record(type="Now.Understood", record=None),) if arrival.body == b"{3}" else ()
        return msgspec.structs.replace(arrival, records=records)

    outcome = store.quarantine.retry([item.seq for item in held] + [99], understands)
    assert outcome == {held[0].seq: False, held[1].seq: True, 99: False}
    assert store.queries.get(f"{JOURNAL}-3-0").type == "Now.Understood"
    assert [item.journal_seq for item in store.quarantine.list()] == [2]
    assert store.log.read_payloads_after(1, 9)[0].body == b"{3}"


def test_cursors(store):
    assert store.cursors.get("sink:x") is None
    store.cursors.advance("sink:x", 5)
    store.cursors.advance("sink:x", 7)
    assert store.cursors.get("sink:x") == 7
    assert store.cursors.all() == {"sink:x": 7}


def test_a_lease_has_one_holder(store):
    first = store.cursors.acquire("lane", "a", 60)
    assert store.cursors.acquire("lane", "b", 60) is None
    assert store.cursors.acquire("lane", "a", 60).fence == first.fence
    store.cursors.advance("sink:lane", 1, first)
    store.cursors.release(first)
    second = store.cursors.acquire("lane", "b", 60)
    assert second.fence > first.fence


def test_a_paused_holder_is_fenced(store):
    """It sleeps past its lease, another takes over: what the first one then writes doesn't count."""
    first = store.cursors.acquire("lane", "a", -1)
    second = store.cursors.acquire("lane", "b", 60)
    store.cursors.advance("sink:lane", 10, second)
    with pytest.raises(FencedError, match="held by b"):
        store.cursors.advance("sink:lane", 5, first)
    assert store.cursors.get("sink:lane") == 10
    store.cursors.release(first)
    assert store.cursors.acquire("lane", "c", 60) is None


def test_lane_status_is_news_once(store):
    report = store.cursors.report
    assert report("text_log", "payload", "ok", "")
    assert not report("text_log", "payload", "ok", "")
    assert report("text_log", "payload", "retrying", "disk full")
    assert not report("text_log", "payload", "retrying", "disk still full")
    assert report("text_log", "payload", "ok", "")
    assert [(lane.name, lane.state) for lane in store.cursors.lanes()] == [("text_log", "ok")]
    store.cursors.forget_lanes({"other"})
    assert store.cursors.lanes() == []


def test_rejected_units_are_kept_once(store):
    for unit_seq in (1, 1, 2):
        store.rejections.add("amqp", "event", unit_seq, "too large")
    assert [(item.unit_seq, item.reason) for item in store.rejections.list("amqp")] == [
        (2, "too large"),
        (1, "too large"),
    ]
    assert store.rejections.counts() == {"amqp": 2}


def test_sources(store):
    version = store.sources.version()
    wanted = registry.changes([{"name": "b", "address": "::ffff:192.0.2.9", "labels": {"rack": "1"}}, {"name": "a"}])
    assert store.sources.upsert(wanted, check=True).created == ["b", "a"]
    assert store.sources.list() == []
    assert store.sources.version() == version
    assert store.sources.upsert(wanted).created == ["b", "a"]
    assert store.sources.version() > version
    assert [item.name for item in store.sources.list()] == ["a", "b"]
    assert store.sources.get("b").address == "192.0.2.9"
    again = store.sources.upsert(wanted)
    assert (again.unchanged, again.diff) == (["b", "a"], [])
    changed = store.sources.upsert(registry.changes([{"name": "b", "serial": "S1"}]))
    assert changed.updated == ["b"]
    assert store.sources.get("b").labels == {"rack": "1"}
    assert store.sources.get("b").serial == "S1"
    assert store.sources.delete("b")
    assert not store.sources.delete("b")
    assert store.sources.get("b") is None


def test_activity(store):
    write(store, arrival(1, source="x"), arrival(2, source="y"), arrival(3, source="x", problem="torn"))
    found = store.sources.activity()
    assert list(found) == ["x", "y"]
    assert (found["x"].payloads, found["x"].events, found["x"].quarantined, found["x"].last_seen_ns) == (1, 1, 1, 3000)
    assert list(store.sources.activity(limit=1)) == ["x"]
    assert store.sources.activity_of("nobody") is None


def test_who_was_given_and_showed_which_credential(store):
    """Only what a source sent itself counts, and only the last time; a change of the record notes when."""
    write(store, arrival(1, source="x", credential="old"), arrival(2, source="x", credential="new"))
    write(store, arrival(3, source="x", credential="old", problem="torn"), arrival(4, source="y", credential=""))
    write(store, arrival(5, source="x", credential="new", origin=Origin.IMPORT))
    assert store.sources.credential_uses() == {"x": {"old": 3000, "new": 2000}}
    assert store.sources.credential_uses("y") == {}
    store.sources.upsert(registry.changes([{"name": "x", "credential": "old"}]))
    given = store.sources.get("x").credential_given_ns
    store.sources.upsert(registry.changes([{"name": "x", "credential": "old", "serial": "S"}]))
    assert (store.sources.get("x").credential, store.sources.get("x").credential_given_ns) == ("old", given)


def test_normalised_payload_survives_the_store(store):
    """What the normaliser lets through the store takes, whatever the bytes."""
    body = b'{"Events":[{"Message":"a\\ud800\\u0000","MessageArgs":["\\udfff"],"Oem":{"\\ud800":NaN,"big":1e999}}]}'
    write(store, arrival(1, records=normalise(body).records))
    assert store.log.read_events_after(0, 1)[0].message == "a\ufffd\ufffd"


def test_an_event_of_our_own_is_told_once(store):
    """The same thing told twice, by whomever, is one event; what its body says is what the record says."""
    told = {"unique": "silent:bmc1:7", "now_ns": 5_000_000_000, "level": Level.WARN, "about": "bmc1"}
    first = own_arrival("SourceSilent", "bmc1 fell silent", arguments=["bmc1"], details={"since": 7}, **told)
    assert store.log.add([first]).events == 1
    assert store.log.add([own_arrival("SourceSilent", "bmc1 fell silent, again", **told)]).events == 0
    (event,) = store.queries.find(Query(source=("bmc1",))).events
    assert (event.type, event.level, event.category) == ("RedfleetEvents.SourceSilent", Level.WARN, Category.ALERT)
    assert (event.address, event.origin) == ("event-listener", Origin.LIVE)
    assert event.record["Oem"] == {"redfleet": {"since": 7}}
    assert normalise(first.body).records == first.records
    assert store.sources.activity_of("bmc1") is None  # it isn't the source that spoke


def test_a_proof_is_stored_with_its_event_and_the_last_one_stays(store):
    """The first arrival counts; old announcements are forgotten, a source's last proof never."""
    day = 24 * 3600 * 10**9
    first = announce(Announcement(sources=["bmc1", "bmc2"], message_keys=["Test"], seconds=1), 1000)
    store.proofs.announce(first, 1000)
    assert {proof.source for proof in store.proofs.waiting(2000)} == {"bmc1", "bmc2"}
    assert store.proofs.waiting(2 * 10**9) == []
    for seq, received in ((1, 5000), (2, 6000)):
        settled = [Settled(first[0].marker, received, f"{JOURNAL}-{seq}-0", "marker")]
        store.log.write([arrival(seq)], CURSOR, seq, settled)
    assert store.proofs.last_proven() == {"bmc1": 5000}
    (proof, _) = store.proofs.batch(first[0].batch)
    assert (proof.received_ns, proof.event_id, proof.matched) == (5000, f"{JOURNAL}-1-0", "marker")

    version = store.proofs.version()
    store.proofs.announce(announce(Announcement(sources=["bmc1"]), 3 * day), 3 * day)
    assert store.proofs.version() > version
    assert [one.source for one in store.proofs.batch(first[0].batch)] == ["bmc1"]
    assert store.proofs.last_proven() == {"bmc1": 5000}
    assert store.proofs.last_asked() == {"bmc1": 3 * day}


def test_the_oldest_rejections_give_way(store):
    """Of the sink that has too many, a tenth of the bound; counted and told once, and the total doesn't fall."""
    for unit_seq in range(1, 13):
        store.rejections.add("amqp", "event", unit_seq, "too large")
    store.rejections.add("other", "event", 1, "too large")
    assert store.rejections.give_up(20, 2) == 0
    assert store.rejections.forgotten("amqp") == 0
    assert store.rejections.give_up(10, 2) == 4
    assert [item.unit_seq for item in store.rejections.list("amqp")] == list(range(12, 4, -1))
    assert store.rejections.counts() == {"amqp": 12, "other": 1}
    assert (store.rejections.forgotten("amqp"), store.rejections.forgotten("other")) == (4, 0)
    assert store.rejections.give_up(10, 2) == 0
    assert store.given_up.counts() == {"rejected": 4}
    (told,) = store.log.read_events_after(0, 10)
    assert told.type == "RedfleetEvents.RejectionsGivenUp"
    assert "4 notes of what a sink refused" in told.message
    assert "those of sink amqp reached their bound of 10 (disk.rejected)" in told.message
