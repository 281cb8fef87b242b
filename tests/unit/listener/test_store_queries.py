# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking the event log: by every condition, page by page, with and without the database."""

import random

import pytest
from event_listener.event import Category, Level, Origin, Record
from event_listener.policy import Owner, Reach, Scope
from event_listener.store import Given, Query

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
