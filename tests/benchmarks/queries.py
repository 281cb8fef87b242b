# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast a large event log answers while events come in, and what purging costs who stores them.

A log of `--events` events of 200 types, 2,000 sources and 40 domains is made, then `--rate` events/s go on coming in:
  filters   the first page of each filter, 99th percentile (asked of it: 100 ms; a keyword: 500 ms)
  depth     page 1 beside a page in the depth of the log, walked by its cursor (asked of it: the same)
  purge     batches stored per second while the oldest fifth is removed, beside without (asked of it: 0.9)
"""

from __future__ import annotations

import argparse
import dataclasses
import multiprocessing
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from multiprocessing.synchronize import Event
from pathlib import Path

from event_listener.event import Level, Record
from event_listener.policy import Owner, Reach, Scope
from event_listener.settings import Settings
from event_listener.settings_events import EventPurge, EventSettings
from event_listener.settings_files import TextLogSink
from event_listener.store import Arrival, Query, Store
from event_listener.store.backend import Backend, SQLiteBackend
from event_listener.store.postgresql import PostgreSQLBackend
from event_listener.tidy import Tidy, TidyThread
from msgspec.structs import replace

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.services.postgresql import PostgreSQL

JOURNAL, CURSOR = "benchmark", "journal:benchmark"
BATCH, PAGE, ASKS = 1000, 100, 100
SECONDS = 4.0
PURGE_ROUNDS = 5
DAY_NS = 86_400_000_000_000
WORDS = ("fan", "power", "supply", "cable", "removed", "failed", "restored", "above", "below", "drive", "sensor")
CHANCE = random.Random(1)


def arrival(number: int, received_ns: int) -> Arrival:
    """One POST with one event; few types, sources and words are common, many are rare."""
    source = int(2000 * CHANCE.random() ** 2)
    record = Record(
        type=f"Registry{CHANCE.randrange(10)}.Message{int(20 * CHANCE.random() ** 3)}",
        level=CHANCE.choices(list(Level), [90, 8, 2])[0],
        resource_id=f"/redfish/v1/Chassis/1/Part/{CHANCE.randrange(5000)}",
        message=f"{' '.join(CHANCE.choices(WORDS, k=5))} unit{CHANCE.randrange(100_000)}",
        record={"MessageId": "x", "n": number},
    )
    return Arrival(
        journal_id=JOURNAL,
        journal_seq=number,
        received_ns=received_ns,
        source=f"bmc{source}",
        address=f"10.0.{source // 250}.{source % 250}",
        peer="",
        credential="c",
        content_type="application/json",
        body=b'{"Events": [{"MessageId": "x"}]}' * 10,
        owner=Owner(f"/dc{source % 4}/row{source % 10}/", f"team{source % 7}"),
        records=(record,),
    )


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


def milliseconds(ask: Callable[[], object], times: int = ASKS) -> list[float]:
    """How long each of some calls took, sorted."""
    found = []
    for _number in range(times):
        began = time.perf_counter()
        ask()
        found.append((time.perf_counter() - began) * 1000)
    return sorted(found)


def measure(where: str, password: str, events: int, rate: int) -> list[str]:
    """Run all of it on one database; returns what was too slow."""
    backend = opened(where, password)
    store, name = Store(backend), backend.name
    feeder, began, now = Feeder(store), time.monotonic(), time.time_ns()
    while feeder.number < events:
        feeder.feed(BATCH, now - 30 * DAY_NS if feeder.number < events // 5 else now)
    stored = time.monotonic() - began
    while store.search.step():
        pass
    print(f"{name}: {events} events stored in {stored:.0f} s, indexed {time.monotonic() - began - stored:.0f} s later")
    spawning = multiprocessing.get_context("spawn")
    stop = spawning.Event()
    process = spawning.Process(target=relay, args=(where, password, feeder.number, rate, stop), daemon=True)
    process.start()
    while store.log.head() == feeder.number:
        time.sleep(0.05)
    slow = asked(store, name, now, events)
    stop.set()
    process.join()
    feeder.number = store.log.head()
    ratio = purged(store, name, feeder)
    store.close()
    return slow + ([f"{name}: storing keeps {ratio:.2f} of its rate during a purge, below 0.9"] if ratio < 0.9 else [])


def asked(store: Store, name: str, now: int, events: int) -> list[str]:
    """The filters and the depth; returns what was too slow."""
    slow = []
    for title, query in filters(now).items():
        times = milliseconds(lambda query=query: store.queries.find(replace(query, limit=PAGE)))
        middle, high = times[len(times) // 2], times[len(times) * 99 // 100]
        print(f"{name}: {title:20} {middle:8.1f} ms median {high:8.1f} ms p99")
        limit = 500 if title.startswith("keyword") else 100
        if high > limit:
            slow.append(f"{name}: {title} took {high:.0f} ms, above {limit}")
    pages = {
        depth: milliseconds(lambda before=before: store.queries.find(Query(type=("*.Message0",), before=before)))
        for depth, before in (("first", None), ("deep", events // 4))
    }
    first, deep = (times[len(times) // 2] for times in pages.values())
    print(f"{name}: a page in the depth {deep:.1f} ms, page 1 {first:.1f} ms: ratio {deep / first:.2f}")
    return slow


def purged(store: Store, name: str, feeder: Feeder) -> float:
    """The rate of storing while the relay's thread purges, of that without; in turns, medians."""
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
    parser.add_argument("--database", choices=["sqlite", "postgresql"], action="append")
    given = parser.parse_args()
    slow: list[str] = []
    with tempfile.TemporaryDirectory(prefix="queries-bench-") as directory:
        if "sqlite" in (given.database or ["sqlite"]):
            slow += measure(f"{directory}/log/events.db", "", given.events, given.rate)
        if "postgresql" in (given.database or ["postgresql"]):
            with PostgreSQL(durable=True) as server:
                where = server.without_password(server.new_database())
                slow += measure(where, server.password, given.events, given.rate)
    if slow:
        sys.exit("too slow:\n" + "\n".join(slow))


if __name__ == "__main__":
    main()
