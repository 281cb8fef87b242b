# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for events at the listener: what counts as the expected one, and that nothing is skipped."""

import pytest
from ansible_collections.redfleet.events.plugins.module_utils._listener_wait import PAGE, Wait, first_query, match


def event(seq, source="bmc1", **fields):
    return {
        "seq": seq,
        "source": source,
        "event_id": None,
        "message": None,
        "message_args": [],
        "message_id": None,
        **fields,
    }


class Log:
    """A listener's log that answers queries as the API does."""

    def __init__(self, events):
        self.events, self.asked = events, []

    def ask(self, query):
        self.asked.append(dict(query))
        found = [one for one in self.events if one["seq"] > query.get("after", 0)]
        found = [one for one in found if one["source"] in query.get("source", [one["source"]])][: query["limit"] + 1]
        more = len(found) > query["limit"]
        found = found[: query["limit"]]
        head = max((one["seq"] for one in self.events), default=0)
        return {"events": found, "next": found[-1]["seq"] if more else None, "head": head}


@pytest.mark.parametrize(
    ("expectation", "fields", "verdict"),
    [
        ({"marker": "m-1"}, {"event_id": "m-1"}, True),
        ({"marker": "m-1"}, {"message": "a m-1 b"}, True),
        ({"marker": "m-1"}, {"message_args": ["x", "m-1"]}, True),
        ({"marker": "m-1"}, {"message": "m-2"}, None),
        ({"marker": "m-1", "message_key": "TestMessage"}, {"message_id": "ResourceEvent.1.3.TestMessage"}, False),
        ({"message_key": "TestMessage"}, {"message_id": "TestMessage"}, False),
        ({"message_key": "TestMessage"}, {"message_id": "X.1.0.NoTestMessage"}, None),
        ({"marker": "m-1", "after": 5}, {"event_id": "m-1"}, None),
        ({"marker": "m-1", "after": 4}, {"event_id": "m-1"}, True),
        ({"marker": "m-1", "source": "bmc2"}, {"event_id": "m-1"}, None),
    ],
)
def test_match(expectation, fields, verdict):
    assert match({"source": "bmc1", **expectation}, event(5, **fields)) is verdict


def test_first_query():
    assert first_query([{"source": "b", "after": 7}, {"source": "a", "after": 5}]) == {
        "order": "asc",
        "limit": PAGE,
        "after": 5,
        "source": ["a", "b"],
    }
    assert first_query([{"source": "a", "after": 5}, {"source": "b"}])["since"] == "10m"
    assert "source" not in first_query([{"source": str(number), "after": 0} for number in range(101)])


def test_all_pages_are_read():
    """The expected event is on the third page."""
    log = Log([event(seq) for seq in range(1, 2500)] + [event(2500, event_id="m")])
    wait = Wait([{"source": "bmc1", "marker": "m", "after": 0}], log.ask)
    wait.run(0, 0.01)
    assert [(item["source"], item["exact"], item["event"]["seq"]) for item in wait.found] == [("bmc1", True, 2500)]
    assert [query["after"] for query in log.asked] == [0, 1000, 2000]


def test_what_comes_later_is_found():
    log = Log([event(1)])

    def ask(query):
        page = log.ask(query)
        log.events.append(event(len(log.events) + 1, event_id="m" if len(log.events) == 4 else None))
        return page

    wait = Wait([{"source": "bmc1", "marker": "m"}], ask)
    wait.run(5, 0.001)
    assert wait.missing == []
    assert "since" in log.asked[0]
    assert all("since" not in query for query in log.asked[1:])


def test_missing():
    wait = Wait(
        [{"source": "bmc1", "marker": "m", "after": 0}, {"source": "bmc2", "marker": "m", "after": 0}],
        Log([event(1, event_id="m")]).ask,
    )
    wait.run(0.05, 0.01)
    assert wait.missing == ["bmc2"]
    assert len(wait.found) == 1
