# SPDX-License-Identifier: GPL-3.0-or-later
"""What only a shared database can get wrong: late commits, others' transactions, restarts, several hosts."""

import subprocess
import sys
import threading
import time

import psycopg
import pytest
import yaml
from event_listener import places, registry, status
from event_listener.event import Record
from event_listener.journal import JournalReader
from event_listener.settings import EventLogSettings, Secret
from event_listener.store import Arrival, Store, StoreUnavailableError, open_store
from event_listener.store.backend import SQLiteBackend
from event_listener.store.log import insert_good
from event_listener.store.move import Move, MoveRefusedError
from event_listener.store.postgresql import PostgreSQLBackend
from msgspec.structs import replace
from sqlalchemy.exc import SQLAlchemyError

from tests.services.postgresql import PostgreSQL


@pytest.fixture
def connect(postgresql):
    """Backends of one new database, as many as asked for."""
    database, opened = postgresql.new_database(), []

    def make(**options):
        backend = PostgreSQLBackend(postgresql.without_password(database), postgresql.password, **options)
        opened.append(backend)
        return backend

    make.database = database
    yield make
    for backend in opened:
        backend.close()


def arrival(seq, journal="a" * 12):
    return Arrival(
        journal_id=journal,
        journal_seq=seq,
        received_ns=seq,
        source="s",
        address="a",
        peer="p",
        credential="c",
        content_type="",
        body=b"{}",
        records=(Record(type="A.B", record={}),),
    )


def put(store, seq, journal="a" * 12):
    store.log.write([arrival(seq, journal)], f"journal:{journal}", seq)


def ids(store, after=0):
    return [event.id for event in store.log.read_events_after(after, 100)]


def test_what_commits_late_is_not_skipped(connect):
    """A relay took its numbers and is slow to commit: nobody gets ahead of it, so no reader's cursor passes it."""
    backend = connect()
    slow, fast = Store(backend), Store(connect())
    put(slow, 1)
    with backend.write() as connection:
        insert_good(connection, [arrival(2)])
        other = threading.Thread(target=put, args=(fast, 1, "b" * 12))
        other.start()
        other.join(0.5)
        assert other.is_alive()
        assert ids(fast) == [f"{'a' * 12}-1-0"]
    other.join(10)
    assert ids(fast, after=1) == [f"{'a' * 12}-2-0", f"{'b' * 12}-1-0"]


def test_a_foreign_transaction_that_idles_stalls_nobody(connect, postgresql):
    """Somebody's psql sits in a transaction that has read and written: no look at snapshots, so no wait for it."""
    store = Store(connect())
    put(store, 1)
    with psycopg.connect(postgresql.url(database=connect.database)) as foreign:
        foreign.execute("CREATE TABLE theirs (n int)")
        foreign.execute("SELECT * FROM event")
        began = time.monotonic()
        put(store, 2)
        assert len(ids(store)) == 2
        Store(connect())
        assert time.monotonic() - began < 25
        foreign.rollback()


def hold_while(backend, action):
    """Have an open transaction meanwhile."""
    with backend.write() as connection:
        connection.exec_driver_sql("SELECT 1")
        action()
        connection.exec_driver_sql("SELECT 1")


def test_our_own_stopped_transaction_gives_way(connect):
    """A relay is stopped (SIGSTOP, host gone) while it holds the lock: the server ends its transaction."""
    paused = connect(idle_ms=500)
    store = Store(connect())
    with pytest.raises(StoreUnavailableError):
        hold_while(paused, lambda: put(store, 1))
    assert len(ids(store)) == 1
    with paused.write() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1


def test_lanes_do_not_wait_for_an_append(connect):
    """A cursor moves while another host writes a batch."""
    backend = connect()
    store = Store(connect())
    Store(backend)
    with backend.write():
        lease = store.cursors.acquire("amqp", "one", 60)
        store.cursors.advance("sink:amqp", 5, lease)
    assert store.cursors.get("sink:amqp") == 5


def test_it_connects_again(connect, postgresql):
    """While the server is down the error says where, never the password; after it is back the next try succeeds."""
    store = Store(connect())
    put(store, 1)
    postgresql.kill()
    try:
        for _unused in range(2):
            with pytest.raises(StoreUnavailableError, match=f"{postgresql.address.host}/{connect.database}") as caught:
                ids(store)
            assert postgresql.password not in str(caught.value)
    finally:
        postgresql.start()
    assert len(ids(store)) == 1
    postgresql.kill()
    postgresql.start()
    put(store, 2)
    assert len(ids(store)) == 2


@pytest.fixture
def hosts(connect, postgresql, tmp_path, monkeypatch):
    """Two hosts with a journal each on one database: their stores, and their state directories."""
    monkeypatch.setenv("DB_PASSWORD", postgresql.password)
    where = EventLogSettings(url=postgresql.without_password(connect.database), password=Secret(env="DB_PASSWORD"))
    paths = [tmp_path / name for name in ("one", "two")]
    with open_store(paths[0], where) as one, open_store(paths[1], where) as two:
        yield dict(zip(paths, (one, two), strict=True))


def test_file_lanes_are_each_hosts_own(hosts):
    """Two hosts write text logs: neither's cursor, health or heartbeat is the other's. Other lanes are shared."""
    one, two = hosts.values()
    for store in (one, two):
        store.cursors.keep_here(["text_log"])
    one.cursors.advance(places.cursor_name("text_log"), 7)
    assert two.cursors.begin(places.cursor_name("text_log"), 3) == 3
    assert one.cursors.get(places.cursor_name("text_log")) == 7
    assert one.cursors.begin("sink:amqp", 4) == two.cursors.begin("sink:amqp", 9) == 4
    one.cursors.report("text_log", "payload", "retrying", "disk full")
    two.cursors.report("text_log", "payload", "ok", "")
    two.cursors.report("amqp", "event", "ok", "")
    names = [f"text_log@{JournalReader(path).journal_id}" for path in hosts]
    assert {lane.name: lane.state for lane in one.cursors.lanes()} == {
        names[0]: "retrying",
        names[1]: "ok",
        "amqp": "ok",
    }
    assert {sink.name: sink.position for sink in status.sinks(two)} == {names[0]: 7, names[1]: 3, "amqp": 4}
    one.cursors.beat("relay")
    assert (list(one.cursors.beats()), list(two.cursors.beats())) == (["relay"], [])


def test_a_relay_forgets_no_lane_of_another(hosts):
    """Host two starts without the broker sink that host one runs, and without files."""
    one, two = hosts.values()
    one.cursors.keep_here(["text_log"])
    one.cursors.report("text_log", "payload", "ok", "")
    lease = one.cursors.acquire("amqp", "one", 60)
    one.cursors.report("amqp", "event", "ok", "")
    two.cursors.forget_lanes(set())
    assert len(two.cursors.lanes()) == 2
    one.cursors.release(lease)
    two.cursors.forget_lanes(set())
    assert [lane.name.partition("@")[0] for lane in two.cursors.lanes()] == ["text_log"]
    one.cursors.forget_lanes(set())
    assert one.cursors.lanes() == []


def test_hosts_that_start_together_migrate_once(connect):
    """Four processes meet an empty database."""
    backends, failed = [connect() for _unused in range(4)], []

    def start(backend):
        try:
            Store(backend)
        except (StoreUnavailableError, SQLAlchemyError) as error:
            failed.append(error)

    threads = [threading.Thread(target=start, args=(backend,)) for backend in backends]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert failed == []
    assert Store(backends[0]).log.head() == 0


def event_listener(*arguments, prefix="pass"):
    program = f"import sys; {prefix}; from event_listener.cli import main; main({list(arguments)!r})"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)


@pytest.fixture
def config(tmp_path, postgresql):
    """Writes a configuration that is good but for the database."""
    (tmp_path / "password").write_text(postgresql.password)

    def write(url):
        settings = {
            "state_dir": str(tmp_path / "state"),
            "user": "root",
            "ingest": {"plain_http": True},
            "event_log": {"url": url, "password": {"file": str(tmp_path / "password")}},
        }
        (tmp_path / "config.yml").write_text(yaml.safe_dump(settings))
        return str(tmp_path / "config.yml")

    return write


def test_check_refuses_a_server_that_may_lose_events(config):
    """It names each setting and what to do; our sessions insist on synchronous commits whatever the default is."""
    with PostgreSQL(settings={"synchronous_commit": "off", "full_page_writes": "off"}) as server:
        run = event_listener("--config", config(server.without_password()), "check")
        assert run.returncode == 78
        for words in ("set fsync = on in postgresql.conf", "full_page_writes = off", "synchronous_commit is off"):
            assert words in run.stderr
        assert server.password not in run.stderr
        backend = PostgreSQLBackend(server.without_password(), server.password)
        with backend.read() as connection:
            assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
        backend.close()


def test_check_accepts_a_safe_server_and_one_that_is_down(config):
    """A database that is down must not keep a listener from being deployed: it needs none to acknowledge."""
    with PostgreSQL(durable=True) as server:
        path = config(server.without_password())
        assert event_listener("--config", path, "check").returncode == 0
    run = event_listener("--config", path, "check")
    assert run.returncode == 0
    assert "not checked: the event log at 127.0.0.1/postgres can't be used" in run.stderr


def test_without_the_driver_it_says_what_to_install(config, postgresql):
    path = config(postgresql.without_password())
    run = event_listener("--config", path, "check", prefix="sys.modules['psycopg'] = None")
    assert run.returncode == 78
    assert "redfleet-event-listener[postgresql]" in run.stderr


@pytest.fixture
def move(connect, tmp_path):
    """An old log with ten events, cursors and a source; the new database; what moves the one into the other."""
    old, new = SQLiteBackend(tmp_path / "events.db"), connect()
    source = Store(old)
    for seq in range(1, 11):
        put(source, seq)
    source.log.write([replace(arrival(11), problem="torn", records=())], f"journal:{'a' * 12}", 11)
    source.cursors.advance("sink:text_log", 8)
    source.cursors.advance("sink:amqp", 9)
    source.sources.upsert(registry.changes([{"name": "s", "serial": "X"}]))
    yield source, Store(new, "a" * 12), Move(old, new, "a" * 12, ["text_log"])
    source.close()


def test_a_moved_log_is_the_same(move):
    """Ids, numbers, cursors, quarantine, registry; what comes while it is copied, too; then the numbers go on."""
    source, target, mover = move
    mover.begin()
    mover.copy()
    put(source, 12)
    mover.begin()  # broken off and begun again
    mover.finish()
    *events, told = target.log.read_events_after(0, 100)
    assert events == source.log.read_events_after(0, 100)
    assert target.log.read_payloads_after(0, 100)[:-1] == source.log.read_payloads_after(0, 100)
    started = [event.start_id for event in events if event.type == "RedfleetEvents.JobStarted"]
    assert (told.type, [told.start_id]) == ("RedfleetEvents.JobCompleted", started), "a job, begun once"
    assert target.quarantine.list() == source.quarantine.list()
    assert target.sources.list() == source.sources.list()
    assert target.sources.activity() == source.sources.activity()
    target.cursors.keep_here(["text_log"])
    for name, position in ((f"journal:{'a' * 12}", 12), ("sink:text_log", 8), ("sink:amqp", 9)):
        assert target.cursors.get(name) == position
    assert "sink:text_log" not in target.cursors.all()
    put(target, 13)
    assert target.log.head() == source.log.head() + 2
    with pytest.raises(MoveRefusedError, match="moved already"):
        mover.begin()


def test_a_log_moves_only_into_an_empty_database(move):
    _source, target, mover = move
    put(target, 1, "b" * 12)
    with pytest.raises(MoveRefusedError, match="isn't empty"):
        mover.begin()
    assert len(ids(target)) == 1


def test_many_pages_are_copied(move, monkeypatch):
    source, target, mover = move
    monkeypatch.setattr("event_listener.store.move.PAGE", 3)
    mover.begin()
    assert mover.copy() == 22
    mover.finish()
    assert ids(target)[:-1] == ids(source)
