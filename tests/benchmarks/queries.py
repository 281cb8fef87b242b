# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast a large event log answers while events come in, and what purging costs who stores them.

A log of `--events` events of 200 types, 2,000 sources and 20 domains is made, then `--rate` events/s go on coming in:
  filters   the first page of each filter, 99th percentile (asked of it: 100 ms; a keyword: 500 ms)
  depth     page 10,000, by its cursor, beside page 1: of all, of a pattern, of a word (asked of it: the same)
  purge     batches stored per second while the oldest fifth is removed, beside without (asked of it: 0.9)
Each store takes `--minutes` at most, two thirds of them to be filled: 5,000,000 events are 5 GB in SQLite.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import multiprocessing
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from multiprocessing.synchronize import Event
from pathlib import Path

from event_listener.policy import Reach, Scope
from event_listener.settings import Settings
from event_listener.settings_events import EventPurge, EventSettings
from event_listener.settings_files import TextLogSink
from event_listener.store import Query, Store
from event_listener.store.backend import Backend, SQLiteBackend
from event_listener.store.postgresql import PostgreSQLBackend
from event_listener.store.selection import Selection
from event_listener.tidy import Tidy, TidyThread
from msgspec.structs import replace
from sqlalchemy import desc

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.benchmarks._event_load import CURSOR, arrival, load
from tests.services.postgresql import PostgreSQL

PAGE, ASKS = 100, 100
DEEP = 10_000  # the page in the depth; half of the pages there are, where they are fewer
LOAD_PART, ASK_PART = 2 / 3, 1 / 6  # of the minutes
FEWEST_ASKS = 10  # of a filter that is slow, so that the end comes in time
SECONDS = 15.0  # of storing; the thread begins at the first row each time, which costs more than to go on
PURGE_ROUNDS = 3
DAY_NS = 86_400_000_000_000


@dataclasses.dataclass
class Feeder:
    """Stores events; ``number`` is the last one."""

    store: Store
    number: int = 0

    def feed(self, count: int, received_ns: int | None = None) -> None:
        """Store some, in one batch."""
        moment = received_ns or time.time_ns()
        batch = [arrival(self.number + one, moment) for one in range(1, count + 1)]
        self.number += count
        self.store.log.write(batch, CURSOR, self.number)

    def flood(self, seconds: float) -> float:
        """Events/s that are stored without a pause."""
        began, before = time.monotonic(), self.number
        while time.monotonic() - began < seconds:
            self.feed(200)
        return (self.number - before) / (time.monotonic() - began)


def relay(where: str, password: str, first: int, rate: int, stop: Event) -> None:
    """What the relay does meanwhile, in a process of its own: store so many events/s, and index them."""
    store, told = Store(opened(where, password)), threading.Event()
    still = Settings(state_dir=tempfile.gettempdir(), event=EventSettings(purge=EventPurge(delay=0)))
    thread = TidyThread(Tidy(still, store), told)
    thread.start()
    feeder, due = Feeder(store, first), time.monotonic()
    parent = multiprocessing.parent_process()
    while not stop.is_set() and parent is not None and parent.is_alive():
        feeder.feed(max(1, rate // 10))
        due += 0.1
        stop.wait(max(0.0, due - time.monotonic()))
    told.set()
    thread.join()
    store.close()


def opened(where: str, password: str) -> Backend:
    """A database by its path or URL."""
    return PostgreSQLBackend(where, password) if where.startswith("postgresql:") else SQLiteBackend(Path(where))


def filters(now_ns: int) -> dict[str, Query]:
    """Each filter by itself, with something common and something rare."""
    return {
        "none": Query(),
        "type, common": Query(type=("Registry1.Message0",)),
        "type, rare": Query(type=("Registry1.Message19",)),
        "type, pattern": Query(type=("Registry1.*",)),
        "type, no such": Query(type=("Nothing*",)),
        "source": Query(source=("bmc1900",)),
        "category": Query(category=("ResourceStateEvent",)),
        "level": Query(level=("ERROR", "WARN")),
        "state": Query(state=("Started",)),
        "resource": Query(resource_id=("/redfish/v1/Chassis/1/Part/7",)),
        "start id": Query(start_id=("nothing",)),
        "domain": Query(domain=("/dc1/row3/",)),
        "subtree": Query(below="/dc1/"),
        "account": Query(account=("team3",)),
        "domain admin": Query(scope=Scope(Reach.SUBTREE, "/dc2/")),
        "domain admin, type": Query(scope=Scope(Reach.SUBTREE, "/dc2/"), type=("Registry1.Message0",)),
        "domain admin, rare": Query(scope=Scope(Reach.SUBTREE, "/dc2/"), type=("Registry1.Message19",)),
        "user": Query(scope=Scope(Reach.ACCOUNT, "/dc1/row1/", "team1")),
        "old period": Query(until_ns=now_ns - 20 * DAY_NS),
        "archived": Query(archived="only"),
        "keyword, common": Query(keyword="fan"),
        "keyword, rare": Query(keyword="unit777"),
        "keyword, beginning": Query(keyword="unit77*"),
        "keywords": Query(keyword="fan drive cable", type=("Registry2.*",)),
    }


def milliseconds(ask: Callable[[], object], times: int, seconds: float) -> list[float]:
    """How long each call took, sorted; fewer calls than ``times`` where they take longer than ``seconds``."""
    found: list[float] = []
    while len(found) < times and (sum(found) < seconds * 1000 or len(found) < FEWEST_ASKS):
        began = time.perf_counter()
        ask()
        found.append((time.perf_counter() - began) * 1000)
    return sorted(found)


def loaded(where: str, password: str, events: int, seconds: float) -> int:
    """Fill an empty database, by connections of its own; returns how many events it has."""
    backend, old = opened(where, password), events // 5
    with Store(backend) as store:
        return load(store, backend, events, old, time.time_ns() - 30 * DAY_NS, seconds)


def measure(where: str, password: str, events: int, rate: int, minutes: float) -> list[str]:
    """Run all of it on one database; returns what was too slow."""
    began = time.monotonic()
    number = loaded(where, password, events, minutes * 60 * LOAD_PART)
    backend = opened(where, password)
    store, name, now = Store(backend), backend.name, time.time_ns()
    spawning = multiprocessing.get_context("spawn")
    stop = spawning.Event()
    process = spawning.Process(target=relay, args=(where, password, number, rate, stop), daemon=True)
    process.start()
    while (head := store.log.head()) == number:
        time.sleep(0.05)
    asking = time.monotonic()
    slow = asked(store, name, now, minutes * 60 * ASK_PART) + depths(store, backend)
    took = time.monotonic() - asking
    print(f"{name}: {(store.log.head() - head) / took:.0f} events/s came in meanwhile, in {took:.0f} s", flush=True)
    stop.set()
    process.join()
    ratio = purged(store, name, Feeder(store, store.log.head()))
    store.close()
    print(f"{name}: done in {(time.monotonic() - began) / 60:.1f} minutes", flush=True)
    return slow + ([f"{name}: storing keeps {ratio:.2f} of its rate during a purge, below 0.9"] if ratio < 0.9 else [])


def asked(store: Store, name: str, now: int, seconds: float) -> list[str]:
    """The first page of each filter; returns what was too slow."""
    slow, queries = [], filters(now)
    for title, query in queries.items():
        ask = functools.partial(store.queries.find, replace(query, limit=PAGE))
        times = milliseconds(ask, ASKS, seconds / len(queries))
        middle, high = times[len(times) // 2], times[len(times) * 99 // 100]
        print(f"{name}: {title:20} {middle:8.1f} ms median {high:8.1f} ms p99 of {len(times)}", flush=True)
        limit = 500 if title.startswith("keyword") else 100
        if high > limit:
            slow.append(f"{name}: {title} took {high:.0f} ms, above {limit}")
    return slow


def depths(store: Store, backend: Backend) -> list[str]:
    """Page 10,000 beside page 1, in turns; returns what was too slow."""
    slow = []
    for title, query in (
        ("no filter", Query()),
        ("type, pattern", Query(type=("*.Message0",))),
        ("keyword, common", Query(keyword="fan")),
    ):
        page, before = deep(backend, query)
        first: list[float] = []
        far: list[float] = []
        for _round in range(FEWEST_ASKS):
            for times, start in ((first, None), (far, before)):
                ask = functools.partial(store.queries.find, replace(query, limit=PAGE, before=start))
                times.extend(milliseconds(ask, 5, 1.0))
        one, other = statistics.median(first), statistics.median(far)
        print(f"{backend.name}: {title}: page {page:,} {other:.1f} ms, page 1 {one:.1f} ms: ratio {other / one:.2f}")
        if other > 1.5 * one + 5:
            slow.append(f"{backend.name}: {title}: page {page:,} took {other:.0f} ms, page 1 {one:.0f}")
    return slow


def deep(backend: Backend, query: Query) -> tuple[int, int]:
    """The number of a page in the depth, and the ``before`` that leads to it."""
    with backend.read() as connection:
        found = Selection(connection, query)
        page = max(2, min(DEEP, found.count() // PAGE // 2))
        last = found.all().order_by(desc("seq")).offset((page - 1) * PAGE - 1).limit(1)
        return page, int(connection.execute(last).scalar_one())


def purged(store: Store, name: str, feeder: Feeder) -> float:
    """The rate of storing while the relay's thread purges, of that without; in turns, medians.

    The thread makes new events searchable, too, which counts against purging here: without it nothing does.
    """
    settings = Settings(
        state_dir=tempfile.gettempdir(),
        event=EventSettings(purge=EventPurge(delay=15, interval=1)),
        sinks=replace(Settings().sinks, text_log=TextLogSink(required=False)),
    )
    store.purge.is_due(time.time_ns() - 2 * 10**9, 1)  # the first time it isn't
    alone, beside, gone = [], [], 0
    for _round in range(PURGE_ROUNDS):
        alone.append(feeder.flood(SECONDS))
        before, stop = store.queries.counts()["event"] - feeder.number, threading.Event()
        # As it is while the journal isn't empty; what one thread broke off the next one goes on with.
        thread = TidyThread(Tidy(settings, store, lambda: True), stop)
        thread.start()
        beside.append(feeder.flood(SECONDS))
        gone += before - (store.queries.counts()["event"] - feeder.number)
        stop.set()
        thread.join()
    ratio = statistics.median(beside) / statistics.median(alone)
    rates = f"{statistics.median(beside):.0f} events/s stored while {gone / SECONDS / PURGE_ROUNDS:.0f}/s are purged"
    print(f"{name}: {rates}, {statistics.median(alone):.0f} without: ratio {ratio:.2f}")
    return ratio


def main() -> None:
    """Run, print, fail where it is too slow."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=15, help="of each store; fewer events are loaded then")
    parser.add_argument("--store", choices=["sqlite", "postgresql"], action="append", help="one of them; default: both")
    given = parser.parse_args()
    slow: list[str] = []
    with tempfile.TemporaryDirectory(prefix="queries-bench-") as directory:
        if "sqlite" in (given.store or ["sqlite"]):
            slow += measure(f"{directory}/log/events.db", "", given.events, given.rate, given.minutes)
    if "postgresql" in (given.store or ["postgresql"]):
        with PostgreSQL(durable=True) as server:
            where = server.without_password(server.new_database())
            slow += measure(where, server.password, given.events, given.rate, given.minutes)
    if slow:
        sys.exit("too slow:\n" + "\n".join(slow))


if __name__ == "__main__":
    main()
