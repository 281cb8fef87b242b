# SPDX-License-Identifier: GPL-3.0-or-later
"""What every store must do. One suite, parametrised by backend."""

import random
import sqlite3
import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from event_listener import registry
from event_listener.event import Category, Level, Origin, Record
from event_listener.message_registry import parse
from event_listener.normalise.redfish import normalise
from event_listener.policy import Owner, Reach, Scope
from event_listener.proofs import Announcement, announce
from event_listener.store import (
    Arrival,
    FencedError,
    Given,
    Query,
    RegistriesFullError,
    Settled,
    Store,
    StoreUnavailableError,
    migrations,
    own_arrival,
    schema,
)
from event_listener.store.backend import SQLiteBackend
from event_listener.store.postgresql import PostgreSQLBackend
from sqlalchemy import text

from tests.services.fixtures import postgresql

__all__ = ["postgresql"]  # a fixture

JOURNAL = "0123456789ab"
CURSOR = f"journal:{JOURNAL}"


@pytest.fixture(params=["postgresql", "sqlite"])
def backend(request, tmp_path):
    if request.param == "sqlite":
        backend = SQLiteBackend(tmp_path / "log" / "events.db")
    else:
        server = request.getfixturevalue("postgresql")
        backend = PostgreSQLBackend(server.without_password(server.new_database()), server.password)
    yield backend
    backend.close()


@pytest.fixture
def store(backend):
    return Store(backend)


def arrival(seq, *, source="bmc1", records=None, problem="", **fields):
    if records is None:
        records = () if problem else (Record(type="Test.Event", message=f"m{seq}", record={"n": seq}),)
    return Arrival(
        journal_id=JOURNAL,
        journal_seq=seq,
        received_ns=seq * 1000,
        source=source,
        address=f"addr-{source}",
        peer="192.0.2.1",
        content_type="application/json",
        body=b"{%d}" % seq,
        records=records,
        problem=problem,
        **{"credential": "bmcs", **fields},
    )


def write(store, *arrivals):
    return store.log.write(arrivals, CURSOR, max(item.journal_seq for item in arrivals))


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

    def understands(body):
        return (Record(type="Now.Understood", record=None),) if body == b"{3}" else ()

    outcome = store.quarantine.retry([item.seq for item in held] + [99], understands)
    assert outcome == {held[0].seq: False, held[1].seq: True, 99: False}
    assert store.queries.get(f"{JOURNAL}-3-0").type == "Now.Understood"
    assert [item.journal_seq for item in store.quarantine.list()] == [2]
    assert store.log.read_payloads_after(1, 9)[0].body == b"{3}"


@pytest.fixture
def many(store):
    """Ten events; sources, levels and types by turns."""
    for seq in range(1, 11):
        record = Record(
            type=f"T.{seq % 3}",
            level=Level.ERROR if seq % 5 == 0 else Level.INFO,
            record=None,
            origin=Origin.TEST if seq == 7 else Origin.LIVE,
            category=Category.ALERT if seq % 2 else Category.USAGE,
            resource_id=f"/r/{seq}",
        )
        write(store, arrival(seq, source=f"bmc{seq % 2}", records=(record,)))
    return store


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]),
        ({"order": "asc"}, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        ({"after": 7}, [10, 9, 8]),
        ({"after": 7, "order": "asc"}, [8, 9, 10]),
        ({"before": 3}, [2, 1]),
        ({"source": ("bmc1",)}, [9, 7, 5, 3, 1]),
        ({"source": ("bmc1", "bmc0"), "limit": 3}, [10, 9, 8]),
        ({"type": ("T.0",)}, [9, 6, 3]),
        ({"level": ("ERROR",)}, [10, 5]),
        ({"level": ("ERROR",), "source": ("bmc1",)}, [5]),
        ({"origin": ("test",)}, [7]),
        ({"category": ("AlertEvent",), "after": 5}, [9, 7]),
        ({"since_ns": 4000, "until_ns": 6000}, [5, 4]),
        ({"id": (f"{JOURNAL}-4-0",)}, [4]),
        ({"resource_id": ("/r/4", "/r/5")}, [5, 4]),
        ({"source": ("'; DROP TABLE event; --",)}, []),
    ],
)
def test_query(many, conditions, expected):
    page = many.queries.find(Query(**conditions))
    assert [event.seq for event in page.events] == expected
    assert page.head == 10


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_join_without_gap_or_repeat(many, order):
    seen, position = [], {}
    while True:
        page = many.queries.find(Query(order=order, limit=3, source=("bmc1",), **position))
        seen += [event.seq for event in page.events]
        if page.next is None:
            break
        position = {"after" if order == "asc" else "before": page.next}
    assert seen == sorted([1, 3, 5, 7, 9], reverse=order == "desc")


def test_counts(many):
    assert many.queries.counts() == {"event": 10, "payload": 10, "quarantine": 0}
    assert many.queries.payloads_of("addr-bmc1", 5) == 3


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
        store.cursors.reject("amqp", "event", unit_seq, "too large")
    assert [(item.unit_seq, item.reason) for item in store.cursors.rejected("amqp")] == [
        (2, "too large"),
        (1, "too large"),
    ]
    assert store.cursors.rejected_counts() == {"amqp": 2}


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


@pytest.mark.usefixtures("store")
def test_migrations_make_the_tables_of_the_queries(backend):
    """The two descriptions of the schema can't drift."""
    with backend.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []


def test_opening_again_keeps_everything(store, backend):
    write(store, arrival(1))
    assert Store(backend).log.head() == 1


def become(backend, revision, change="SELECT 1"):
    """As a newer version of the program does."""
    with backend.write() as connection:
        connection.exec_driver_sql(change)
        connection.execute(text("UPDATE alembic_version SET version_num = :number"), {"number": revision})


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("revision", ["9999", "9999_9998"])
def test_a_newer_schema_is_refused(backend, revision):
    become(backend, revision)
    with pytest.raises(migrations.NewerSchemaError, match=revision):
        Store(backend)


def test_a_schema_that_only_grew_is_used(store, backend):
    """Two versions side by side: one host was upgraded, the relay of another is restarted before its turn comes."""
    write(store, arrival(1))
    become(backend, "9999_0001", "ALTER TABLE event ADD COLUMN hint TEXT")
    older = Store(backend)
    write(older, arrival(2))
    assert [event.seq for event in older.log.read_events_after(0, 9)] == [1, 2]
    with backend.read() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == "9999_0001"


def test_sqlite_is_durable(tmp_path):
    """Entries are deleted from the journal after this commit, so it has to be synced."""
    backend = SQLiteBackend(tmp_path / "log" / "events.db")
    with backend.read() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    backend.close()


def test_a_broken_file_says_so(tmp_path):
    path = tmp_path / "log" / "events.db"
    path.parent.mkdir()
    path.write_bytes(b"this is no database" * 100)
    backend = SQLiteBackend(path)
    with pytest.raises(StoreUnavailableError, match=str(path)):
        Store(backend)
    backend.close()
    with pytest.raises(sqlite3.DatabaseError), sqlite3.connect(path) as connection:
        connection.execute("SELECT 1 FROM event")


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


def test_a_query_means_the_same_with_and_without_the_database(store):
    """The live stream decides in memory what a page would have found; a condition that one of the two lacks shows."""
    chance = random.Random(3)
    values = {
        "category": list(Category), "level": list(Level), "type": ["A.B", "C.D"], "origin": [Origin.LIVE, Origin.TEST],
        "resource_type": ["Fan", None], "resource_id": ["/f/1", None], "start_id": ["/t/1", None],
    }  # fmt: skip
    for seq in range(1, 61):
        records = (Record(**{name: chance.choice(choices) for name, choices in values.items()}, record={}),)
        owner = Owner(chance.choice(["/", "/a/", "/a/b/", "/ab/"]), chance.choice([None, "x"]))
        who = {"source": f"bmc{seq % 3}", "owner": owner}
        given = Given(id=f"far-{seq}-0", address="a", received_ns=seq * 1000, site="dc1", **who)
        write(store, arrival(seq, records=records, given=(given,) if seq % 5 == 0 else (), **who))
    everything = store.log.read_events_after(0, 100)
    conditions = {
        "after": 7, "before": 50, "since_ns": 9000, "until_ns": 40_000, "source": ("bmc1", "bmc2"),
        "id": tuple(event.id for event in everything[::2]), "category": ("AlertEvent",), "type": ("A.B",),
        "level": ("ERROR", "INFO"), "origin": ("test",), "resource_type": ("Fan",), "resource_id": ("/f/1",),
        "start_id": ("/t/1",), "domain": ("/a/",), "account": ("x",), "below": "/a/",
        "site": ("dc1",),
        "scope": Scope(Reach.ACCOUNT, "/a/", "x"),
    }  # fmt: skip
    assert {*conditions, "limit", "order"} == set(Query.__struct_fields__)
    for name, value in conditions.items():
        asked = Query(**{name: value, "limit": 100, "order": "asc"})
        found = store.queries.find(asked).events
        assert 0 < len(found) < len(everything), name
        assert found == [event for event in everything if asked.holds(event)], name


REGISTRY = {"registry": "R", "version": "1.0.0", "owner": "DMTF", "messages": {"A": {"message": "x" * 500}}}


def registries(store, *documents, limit=1 << 20, **options):
    options = {"origin": "bmc1", **options}
    return store.message_registries.put([parse(one) for one in documents], limit=limit, **options)


def register(store, **models):
    store.sources.upsert(registry.changes([{"name": name, "model": model} for name, model in models.items()]))


def test_message_registries_are_kept_once(store):
    """The same content is stored once; each make knows its own; a change is told to the relays."""
    before = store.versions()
    register(store, bmc1="m1", bmc2="m2", bmc3="m1")
    asked = store.message_registries.unread(["bmc1", "bmc2", "bmc3", "bmc4"])
    assert sorted(asked.values()) == ["m1", "m2"], "one BMC of each make"
    assert registries(store, REGISTRY, make="m1", check=True).changed
    assert store.message_registries.list() == []
    assert len(registries(store, REGISTRY, make="m1").added) == 1
    assert store.versions() == (before[0] + 1, before[1] + 1)
    assert not registries(store, REGISTRY, make="m1").changed
    assert registries(store, REGISTRY, make="m2").changed, "the make is news"
    [kept] = store.message_registries.list()
    assert (kept.registry, kept.owner, kept.messages, kept.makes) == ("R", "DMTF", 1, ["m1", "m2"])
    assert store.message_registries.get(kept.digest) == parse(REGISTRY)
    assert store.message_registries.unread(["bmc1", "bmc2"]) == {}
    assert store.message_registries.unread(["bmc2", "bmc3"], again=True) == {"bmc2": "m2", "bmc3": "m1"}
    assert store.message_registries.catalogue().find("m1", "R.1.0.A").message == "x" * 500
    assert store.message_registries.remove("R", "2.0.0") == 0
    assert store.message_registries.remove("R") == 1
    assert store.message_registries.unread(["bmc1"]) == {"bmc1": "m1"}, "what lacks one is read again"


def test_message_registries_are_bounded(store):
    """What no registered make has gives way, imports last; where that isn't enough, nothing is changed."""
    register(store, bmc1="m1")
    used, spare, own = ({**REGISTRY, "registry": name} for name in ("Used", "Spare", "Own"))
    registries(store, own, origin="import", limit=1800)
    registries(store, used, make="m1", limit=1800)
    registries(store, spare, make="gone", limit=1800)
    assert len(registries(store, REGISTRY, limit=1800).removed) == 1
    assert [one.registry for one in store.message_registries.list()] == ["Own", "R", "Used"]
    with pytest.raises(RegistriesFullError, match="registries_max_bytes"):
        registries(store, *({**REGISTRY, "registry": f"More{n}"} for n in range(3)), limit=1800)
    assert [one.registry for one in store.message_registries.list()] == ["Own", "R", "Used"]
