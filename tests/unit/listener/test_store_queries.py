# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking the event log: by every condition, page by page, with and without the database."""

import collections
import random

import pytest
from event_listener.event import Category, Level, Origin, Record, State
from event_listener.policy import Owner, Reach, Scope
from event_listener.store import Deed, Given, Query, Store
from event_listener.store.actions import Actor
from event_listener.store.backend import SQLiteBackend
from msgspec.structs import replace
from sqlalchemy.event import listen

from tests.unit.listener.stores import JOURNAL, arrival, write


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


@pytest.mark.slow
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


def test_a_query_means_the_same_with_and_without_the_database(store):
    """The live stream decides in memory what a page would have found; a condition that one of the two lacks shows."""
    chance = random.Random(3)
    values = {
        "category": list(Category), "level": list(Level), "type": ["A.B", "C.D"], "origin": [Origin.LIVE, Origin.TEST],
        "resource_type": ["Fan", None], "resource_id": ["/f/1", None], "start_id": ["/t/1", None],
        "state": list(State), "message": ["A fan failed.", "The Fan_speed is 9%", "Lüfter: fan-fail", None],
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
        "site": ("dc1",), "state": ("Started", "Created"), "keyword": "FAN fail*",
        "scope": Scope(Reach.ACCOUNT, "/a/", "x"),
    }  # fmt: skip
    assert {*conditions, "limit", "order", "archived"} == set(Query.__struct_fields__)
    conditions |= {f"type {text}": text for text in ("A.*", "*.*", "?.B", "[A].B", "a.b", "A.B*", "%.B", "A_B", "*")}
    for through in (0, 20):  # nothing, some, and all of it is indexed
        if through:
            store.search.step(through)
        for name, value in conditions.items():
            single = {"type": (value,)} if name.startswith("type ") else {name: value}
            agrees(store, everything, Query(**single, limit=100, order="asc"))
        for days in ({"since_ns": 9000}, {"until_ns": 40_000}, {"since_ns": 9000, "until_ns": 40_000}):
            at_random(store, everything, conditions, chance, **days)
    store.search.step()
    for _number in range(25):
        at_random(store, everything, conditions, chance)


def at_random(store, everything, conditions, chance, **chosen):
    """Some conditions together, and those that are given."""
    some = chance.sample([name for name in conditions if " " not in name], chance.randint(2, 4))
    order, limit = chance.choice(["asc", "desc"]), chance.choice([3, 100])
    agrees(store, everything, Query(**{name: conditions[name] for name in some} | chosen, limit=limit, order=order))


def agrees(store, everything, asked):
    page = store.queries.find(asked)
    wanted = [event for event in everything if asked.holds(event)]
    assert page.events == sorted(wanted, key=lambda event: event.seq, reverse=asked.order == "desc")[: asked.limit]
    assert (page.next is None) is (len(wanted) <= asked.limit)
    assert store.queries.total(asked) == len(wanted)
    counts = collections.Counter(event.type for event in wanted)
    assert store.queries.types(asked) == sorted(counts.items())


KEYWORDS = {
    "fan": [3, 1],
    "Fan failed": [1],
    "fail*": [3, 1],
    "fail": [],
    "9%": [2],
    "bmc1": [3, 1],  # also by source, type and resource
    "temperature.toohigh*": [2],
    "lüfter": [3],
    "lufter": [],
    "chassis sensors": [2],
    "fan' OR \"x": [],
    "NOT fan": [],
    "x" * 70: [4],
}


def test_a_keyword(store):
    """Words, all of them, in whatever order, whole or by their beginning; indexed or just arrived."""
    told = [
        ("A.B", "Fan 1 failed", None),
        ("Temperature.TooHigh", "9% above", "/redfish/v1/Chassis/1/Sensors"),
        ("A.B", "Lüfter: fan_failure", None),
        ("A.B", "x" * 100 + " " + " ".join(f"w{n}" for n in range(300)), None),
    ]
    for seq, (type_, message, resource) in enumerate(told, 1):
        record = Record(type=type_, message=message, resource_id=resource, record={})
        write(store, arrival(seq, source=f"bmc{seq % 2}", records=(record,)))
    for indexed in (0, 2, 9):
        if indexed:
            store.search.step(indexed)
        for keyword, expected in KEYWORDS.items():
            asked = Query(keyword=keyword)
            assert [event.seq for event in store.queries.find(asked).events] == expected, (indexed, keyword)
            assert store.queries.total(asked) == len(expected)
        both = Query(keyword="fan", type=("A.*",), source=("bmc1",), before=3)
        assert [event.seq for event in store.queries.find(both).events] == [1]


def test_what_was_received_long_ago_is_found_among_new(store):
    """An import is late in the log and early in time; hosts that share a log overtake each other."""
    chance = random.Random(5)
    moments = [chance.choice([seq, seq - 3, 1]) * 1000 for seq in range(1, 40)]
    write(store, *(replace(arrival(seq), received_ns=moment) for seq, moment in enumerate(moments, 1)))
    store.search.step()
    for since in range(0, 40_000, 3000):
        page = store.queries.find(Query(since_ns=since, until_ns=since + 9000, limit=100, order="asc"))
        assert [event.seq for event in page.events] == [
            seq for seq, moment in enumerate(moments, 1) if since <= moment < since + 9000
        ]


@pytest.mark.parametrize("conditions", [{"until_ns": 50_000}, {"archived": "only"}], ids=["old period", "archived"])
def test_what_is_old_is_found_without_a_look_at_all_that_is_new(tmp_path, conditions):
    """While events come in, too: the newest few aren't indexed then, and it isn't known when they were received."""
    backend = SQLiteBackend(tmp_path / "events.db")
    steps = []
    listen(backend.engine, "connect", lambda raw, _: raw.set_progress_handler(lambda: steps.append(1) and None, 10))
    store = Store(backend)
    write(store, *map(arrival, range(1, 5001)))
    store.search.step(4990)
    store.deeds.do(Deed.ARCHIVE, Query(until_ns=50_000), Actor("ada", "192.0.2.9"), Owner())
    asked = Query(limit=10, **{"archived": "all"} | conditions)
    steps.clear()
    assert [event.seq for event in store.queries.find(asked).events] == list(range(49, 39, -1))
    # Five thousand events would be twenty thousand of SQLite's steps at least.
    assert len(steps) * 10 < 8000
    backend.close()
