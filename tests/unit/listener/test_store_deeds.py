# SPDX-License-Identifier: GPL-3.0-or-later
"""Archiving, deleting and purging: what is hidden, what is gone, what stays, and that it is all or nothing."""

import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from event_listener import tidy as tidying
from event_listener.event import Record
from event_listener.policy import Owner, Reach, Scope
from event_listener.settings import Settings
from event_listener.settings_disk import Disk
from event_listener.settings_events import EventPurge, EventSettings
from event_listener.settings_files import TextLogSink
from event_listener.store import Actor, Deed, NotThereError, Query, Store, TooMuchError, schema, text_index
from event_listener.store.purge import Purge
from event_listener.tidy import UNFINISHED, Tidy
from msgspec.structs import replace
from sqlalchemy import func, select, text

from tests.services.service import wait_until
from tests.unit.listener.stores import JOURNAL, arrival, write

ADA = Actor("ada", "192.0.2.9")
DAY = 86_400_000_000_000
OURS = Query(type=("A.*",))


@pytest.fixture
def log(emptied):
    """Ten events, all indexed; odd ones of domain /a/; one POST of two events at the end."""
    for seq in range(1, 10):
        record = Record(type=f"A.{seq % 3}", message=f"word{seq} odd{seq % 2}", record={})
        write(emptied, arrival(seq, records=(record,), owner=Owner("/a/" if seq % 2 else "/b/", "x")))
    two = (Record(type="A.0", message="twin", record={}), Record(type="A.1", message="twin", record={}))
    write(emptied, arrival(10, records=two, owner=Owner("/a/", "x")))
    emptied.search.step()
    return emptied


def seqs(store, **conditions):
    return [event.seq for event in store.queries.find(replace(OURS, **conditions)).events]


def do(store, deed, dry_run=False, **conditions):
    return store.deeds.do(deed, replace(Query(), **conditions), ADA, Owner("/a/"), dry_run=dry_run)


def told(store):
    return [
        (event.type, event.record["Oem"]["redfleet"]["count"], event.message_args[0])
        for event in store.queries.find(Query(category=("ActionEvent",), order="asc")).events
    ]


def test_archived_is_hidden_until_asked_for(log):
    assert do(log, Deed.ARCHIVE, keyword="odd1", dry_run=True) == 5
    assert seqs(log) == [11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]
    assert told(log) == []
    assert do(log, Deed.ARCHIVE, keyword="odd1") == 5
    assert seqs(log) == [11, 10, 8, 6, 4, 2]
    assert seqs(log, archived="only") == [9, 7, 5, 3, 1]
    assert seqs(log, archived="all", limit=3) == [11, 10, 9]
    assert {event.archived for event in log.queries.find(replace(OURS, archived="only")).events} == {True}
    assert log.queries.get(f"{JOURNAL}-1-0") is None
    assert log.queries.get(f"{JOURNAL}-1-0", archived="all").archived
    assert log.queries.total(replace(OURS, archived="only")) == 5
    assert log.queries.types(OURS) == [("A.0", 2), ("A.1", 2), ("A.2", 2)]
    assert do(log, Deed.ARCHIVE, keyword="odd1") == 0
    assert told(log) == [("EVENT.ARCHIVE", 5, "ada")]


def test_all_or_nothing(log):
    """One id that isn't there, or is out of reach, and nothing is changed."""
    for missing in (f"{JOURNAL}-99-0", f"{JOURNAL}-2-0"):
        with pytest.raises(NotThereError, match=f"there is no event {missing}; nothing was changed"):
            do(log, Deed.DELETE, id=(f"{JOURNAL}-1-0", missing), scope=Scope(Reach.SUBTREE, "/a/"))
    with pytest.raises(TooMuchError, match="nothing says which events to delete"):
        log.deeds.do(Deed.DELETE, Query(scope=Scope(Reach.SUBTREE, "/a/")), ADA, Owner())
    assert len(seqs(log)) == 11
    assert told(log) == []
    both = (f"{JOURNAL}-1-0", f"{JOURNAL}-3-0")
    assert do(log, Deed.DELETE, id=both, scope=Scope(Reach.SUBTREE, "/a/")) == 2
    assert told(log) == [("EVENT.DELETE", 2, "ada")]


def test_deleted_is_gone_at_once_and_stays_so(log):
    do(log, Deed.ARCHIVE, source=("bmc1",), since_ns=8000)
    assert do(log, Deed.DELETE, until_ns=3000) == 2
    assert do(log, Deed.DELETE, source=("bmc1",), since_ns=8000) == 0  # they are archived, and not meant
    assert do(log, Deed.DELETE, type=("A.*",), since_ns=8000, archived="all", dry_run=True) == 4
    assert do(log, Deed.DELETE, type=("A.*",), since_ns=8000, archived="all") == 4
    for archived in ("no", "only", "all"):
        assert seqs(log, archived=archived) == ([] if archived == "only" else [7, 6, 5, 4, 3])
    assert log.queries.get(f"{JOURNAL}-1-0", archived="all") is None
    with pytest.raises(NotThereError):
        do(log, Deed.ARCHIVE, id=(f"{JOURNAL}-1-0",))


def test_what_is_not_indexed_yet_is_meant_too(log):
    write(log, arrival(11, records=(Record(type="A.0", message="odd1 fresh", record={}),)))
    assert do(log, Deed.DELETE, keyword="odd1") == 6
    assert seqs(log, keyword="odd1") == []


def settings(tmp_path, **purge):
    return Settings(
        state_dir=str(tmp_path), disk=Disk(reserve=0), event=EventSettings(purge=EventPurge(batch=10, **purge))
    )


def purge(store, told, now_ns=0):
    tidy = Tidy(told, store, now_ns=lambda: now_ns)
    return sum(tidy.removing())


def left(store, table):
    with store._backend.read() as connection:
        return connection.execute(select(func.count()).select_from(schema.metadata.tables[table])).scalar_one()


def test_purging_removes_every_trace(log, tmp_path):
    """Row, words, mark, and the payload with its last event; counts follow."""
    log.cursors.advance("sink:text_log", 100)
    do(log, Deed.DELETE, id=(f"{JOURNAL}-1-0", f"{JOURNAL}-10-0"))
    log.search.step()
    before = left(log, "event"), left(log, "payload")
    assert purge(log, settings(tmp_path)) == 2
    assert (left(log, "event"), left(log, "payload")) == (before[0] - 2, before[1] - 1)
    assert left(log, "event_mark") == 0
    assert log.queries.counts() == {"event": left(log, "event"), "payload": left(log, "payload"), "quarantine": 0}
    assert words_of(log, "word1") == 0
    assert words_of(log, "twin") == 1
    do(log, Deed.DELETE, id=(f"{JOURNAL}-10-1",))
    assert purge(log, settings(tmp_path)) == 1
    assert log.queries.payload(10) is None


def words_of(store, word):
    """How many events the index itself has with a word."""
    sqlite = "SELECT count(*) FROM event_words WHERE event_words MATCH :word"
    postgresql = "SELECT count(*) FROM event_words WHERE words @@ CAST(:word AS tsquery)"
    with store._backend.read() as connection:
        statement = sqlite if connection.dialect.name == "sqlite" else postgresql
        return connection.execute(text(statement), {"word": word}).scalar_one()


def test_old_events_go_and_archived_ones_stay(log, tmp_path):
    log.cursors.advance("sink:text_log", 100)
    do(log, Deed.ARCHIVE, until_ns=3000)
    told_so = settings(tmp_path, delay=2, archived_delay=3)
    now = 2 * DAY + 7000
    assert purge(log, told_so, now) == 0  # the first time it isn't due
    now += 2 * DAY
    old = settings(tmp_path, delay=4)
    assert purge(log, old, now) == 4
    assert seqs(log, archived="all") == [11, 10, 9, 8, 7, 2, 1]
    assert purge(log, old, now) == 0  # not due again before the interval is over
    with log._backend.write() as connection:
        connection.execute(text("UPDATE event_mark SET at_ns = 5000"))
    assert purge(log, settings(tmp_path, delay=0, archived_delay=3, interval=1), now + 2 * 10**9) == 2
    assert seqs(log, archived="all") == [11, 10, 9, 8, 7]


def test_nothing_goes_that_a_required_sink_lacks(log, tmp_path):
    """Also deleted ones; until it has them, or has waited for as long as it may."""
    do(log, Deed.DELETE, source=("bmc1",))
    log.search.step()
    assert purge(log, settings(tmp_path)) == 0
    log.cursors.advance("sink:text_log", 4)
    assert purge(log, settings(tmp_path)) == 4
    some = settings(tmp_path)
    some = replace(some, sinks=replace(some.sinks, text_log=TextLogSink(retain_for=1.0)))
    assert purge(log, some, 6001 + 10**9) == 2
    off = replace(some, sinks=replace(some.sinks, text_log=TextLogSink(enabled=False)))
    assert purge(log, off) == 5


def test_nothing_goes_that_is_not_indexed(log, tmp_path):
    write(log, arrival(11))
    log.cursors.advance("sink:text_log", 100)
    do(log, Deed.DELETE, source=("bmc1",))
    assert purge(log, settings(tmp_path)) == 11
    log.search.step()
    assert purge(log, settings(tmp_path)) == 1


def test_a_clock_that_is_set_forward_removes_nothing(emptied, tmp_path, monkeypatch):
    """It says that a month has passed, and it hasn't: what came a moment ago isn't old."""
    real, told_so = time.time_ns, settings(tmp_path, delay=15, interval=1)
    emptied.cursors.advance("sink:text_log", 100)
    write(emptied, replace(arrival(1), received_ns=real()))
    emptied.search.step()
    assert sum(Tidy(told_so, emptied).removing()) == 0
    monkeypatch.setattr(time, "time_ns", lambda: real() + 30 * DAY)
    assert sum(Tidy(told_so, emptied).removing()) == 0
    assert left(emptied, "event") == 1


def test_a_purge_that_was_broken_off_goes_on(log, tmp_path):
    """A kill between two batches; the next start goes on without waiting for the interval."""
    log.cursors.advance("sink:text_log", 100)
    told_so, now = settings(tmp_path, delay=1), 2 * DAY
    for seq in range(11, 40):
        write(log, arrival(seq))
    log.search.step()
    assert purge(log, told_so, now) == 0
    now += DAY
    first = Tidy(told_so, log, now_ns=lambda: now).removing()
    while next(first) == 0:
        pass
    del first  # killed
    assert log.cursors.get(UNFINISHED)
    again = Store(log._backend)
    assert purge(again, told_so, now + 1) == 30
    assert log.cursors.get(UNFINISHED) == 0
    began, ended = jobs_told(log)
    assert left(log, "event") == left(log, "payload") == 2
    assert (began.type, ended.type) == ("RedfleetEvents.JobStarted", "RedfleetEvents.JobCompleted")
    assert began.start_id == ended.start_id
    assert ended.message == "30 old events were removed for good since the relay went on with it."


def test_payloads_without_events_go_too(log, tmp_path):
    log.cursors.advance("sink:text_log", 100)
    write(log, arrival(11, records=()))
    told_so = settings(tmp_path, delay=1)
    purge(log, told_so, 1)
    assert purge(log, told_so, 3 * DAY) == 11
    assert left(log, "payload") == len(jobs_told(log)) == 2


def jobs_told(store):
    """What purges told of themselves, oldest first."""
    return store.queries.find(Query(category=("AsyncJobEvent",), order="asc")).events


def test_a_purge_that_removes_nothing_is_not_told(log, tmp_path):
    told_so = settings(tmp_path, delay=1)
    log.cursors.advance("sink:text_log", 100)
    assert purge(log, told_so, 1) == 0
    assert purge(log, told_so, DAY + 1) == 0  # it is due, and nothing is old
    assert jobs_told(log) == []
    assert purge(log, told_so, 3 * DAY) == 11
    assert [event.message_args[1:] for event in jobs_told(log)] == [(), ("11",)]


def test_a_long_purge_shows_that_it_lives(log, tmp_path):
    """Else it would be judged to hang."""
    log.cursors.advance("sink:text_log", 100)
    told_so, clock = settings(tmp_path, delay=1), itertools.count(0, 1000)
    purge(log, told_so, 1)
    assert sum(Tidy(told_so, log, now_ns=lambda: 3 * DAY, clock=lambda: next(clock)).removing()) == 11
    names = [event.type.removeprefix("RedfleetEvents.") for event in jobs_told(log)]
    assert (names[0], set(names[1:-1]), names[-1]) == ("JobStarted", {"JobProgress"}, "JobCompleted")
    assert {event.start_id for event in jobs_told(log)} == {f"purge:{3 * DAY}"}


def test_two_hosts_that_purge_at_once_remove_each_event_once(log, tmp_path):
    """Both hold what they found before either removes it; events and bare payloads, by the count and by the rows."""
    log.cursors.advance("sink:text_log@a", 100)
    for seq in range(11, 16):
        write(log, arrival(seq, records=()))
    hosts = [Store(log._backend, place) for place in ("a", "b")]
    waiting, found = Tidy(settings(tmp_path), hosts[0]).waiting(), threading.Barrier(2, timeout=60)

    class Together(Purge):
        """Goes on when the other one has read, too."""

        def __init__(self, backend):
            super().__init__(TwoStep(backend, found))

    def remove(host):
        purging = Together(host._backend)
        return [purging.old(DAY, 0, waiting, 100).count, purging.bare(DAY, 0, waiting, 100).count]

    with ThreadPoolExecutor(2) as pool:
        counts = list(pool.map(remove, hosts))
    assert sum(old for old, _bare in counts) == 11
    assert left(log, "event") == left(log, "payload") == 0
    assert log.queries.counts() == {"event": 0, "payload": 0, "quarantine": 0}


class TwoStep:
    """A backend whose writes wait until the other host has read what it would remove."""

    def __init__(self, backend, both):
        self._backend, self._both = backend, both
        self.read = backend.read

    def write(self):
        self._both.wait()
        return self._backend.write()


@pytest.mark.parametrize("dies", [False, True], ids=["ends", "dies"])
def test_one_host_purges_and_the_next_one_after_it(log, tmp_path, monkeypatch, dies):
    """Where hosts share the log; when it ends or dies, another goes on with what it had begun."""
    if dies:
        monkeypatch.setattr(tidying, "LEASE_SECONDS", 2.0)
    log.cursors.advance("sink:text_log@a", 100)
    told_so, now, moments = settings(tmp_path, delay=1), [2 * DAY], [0.0]
    one, two = (
        Tidy(told_so, Store(log._backend, place), now_ns=lambda: now[0], clock=lambda: moments[0])
        for place in ("a", "b")
    )

    def turn(tidy, seconds=11.0):
        """A step, so much later than the last one; how many events it removed."""
        before = left(log, "event") - len(jobs_told(log))
        moments[0] += seconds
        tidy.step()
        return before - (left(log, "event") - len(jobs_told(log)))

    assert [turn(tidy, 1.0) for _ in range(5) for tidy in (one, two)] == [0] * 10  # the first time it isn't due
    now[0] += DAY
    moments[0] += 11.0
    assert any(turn(one, 1.0) for _ in range(20))
    if not dies:
        assert [turn(two) for _ in range(5)] == [0] * 5
        one.let_go()

    def finished():
        turn(two)
        return left(log, "event") == len(jobs_told(log)) == 2

    wait_until(finished, "the other one goes on", 60)


def test_words_can_be_cleared(log):
    with log._backend.write() as connection:
        text_index.clear(connection)
    assert words_of(log, "twin") == 0
