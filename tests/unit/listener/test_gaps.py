# SPDX-License-Identifier: GPL-3.0-or-later
"""What was missed is found, and what arrived is not taken for missed: the rule of docs/backfill.md, case by case."""

from __future__ import annotations

from typing import Any

import pytest
from event_listener.event import rfc3339
from event_listener.gaps import Seen, missing, seen
from event_listener.normalise.log_entry import NAME, event_of
from event_listener.normalise.redfish import records
from hypothesis import given
from hypothesis import strategies as st

START = 1_800_000_000_000_000_000
SECOND = 1_000_000_000
TOLERANCE = 5 * SECOND
LOG = "/redfish/v1/Systems/system/LogServices/EventLog/Entries"


def event(seconds: float = 0, key: str = "PowerOn", uri: str = "", **fields: Any) -> Seen:
    values = {"arguments": (), "message": "", "origin": "", **fields}
    return Seen(key=key, moment_ns=START + int(seconds * SECOND), uri=uri, **values)


@pytest.mark.parametrize(
    ("entry", "known"),
    [
        (event(), event()),
        (event(5), event()),
        (event(-5), event()),
        (event(arguments=("PSU1",)), event(arguments=("PSU1",))),
        (event(arguments=("PSU1",)), event()),
        (event(message="On"), event(message="On")),
        (event(arguments=("1",), message="a"), event(arguments=("1",), message="b")),
        (event(origin="/a"), event()),
        (event(uri=f"{LOG}/7"), event(uri=f"{LOG}/7")),
        (event(uri=f"{LOG}/7"), event(uri="/redfish/v1/Managers/1/LogServices/Sel/Entries/3")),
    ],
)
def test_what_arrived_is_known(entry: Seen, known: Seen):
    """Whatever one side doesn't tell is no difference."""
    assert missing([entry], [known], TOLERANCE) == []


@pytest.mark.parametrize(
    ("entry", "known"),
    [
        (event(5.1), event()),
        (event(key="PowerOff"), event()),
        (event(arguments=("PSU1",)), event(arguments=("PSU2",))),
        (event(message="On"), event(message="Off")),
        (event(origin="/a"), event(origin="/b")),
        (event(uri=f"{LOG}/7"), event(uri=f"{LOG}/8")),
    ],
)
def test_what_differs_was_missed(entry: Seen, known: Seen):
    """Rather one event too many than one too few."""
    assert missing([entry], [known], TOLERANCE) == [0]


def test_one_event_accounts_for_one_entry():
    """Of two equal ones of which one arrived, the farther one is missing."""
    assert missing([event(2), event(0.2)], [event()], TOLERANCE) == [0]
    assert missing([event(2), event(0.2)], [event(), event(2)], TOLERANCE) == []


def test_the_same_entry_is_matched_before_a_nearer_one():
    """A link to the LogEntry is surer than a time."""
    entries = [event(1, uri=f"{LOG}/1"), event(0, uri=f"{LOG}/2")]
    assert missing(entries, [event(0.5, uri=f"{LOG}/1")], TOLERANCE) == [1]


def test_two_logs_that_note_the_same_add_it_once():
    """Dell's Lclog and Sel."""
    entries = [event(0, uri="/Lclog/Entries/1"), event(9, uri="/Lclog/Entries/2"), event(1, uri="/Sel/Entries/5")]
    assert missing(entries, [], TOLERANCE) == [0, 1]


@given(st.lists(st.tuples(st.integers(0, 60), st.sampled_from(["A", "B"]), st.booleans()), max_size=12))
def test_a_second_backfill_adds_nothing(happened: list[tuple[int, str, bool]]):
    """Whatever arrived and whatever was missed: afterwards all is there, once, and the next run changes nothing."""
    entries = [event(at, key, uri=f"{LOG}/{number}") for number, (at, key, _in) in enumerate(happened)]
    arrived = [entry for entry, (_at, _key, was_in) in zip(entries, happened, strict=True) if was_in]
    added = [entries[index] for index in missing(entries, arrived, TOLERANCE)]
    assert sorted(arrived + added, key=entries.index) == entries
    assert missing(entries, arrived + added, TOLERANCE) == []


@given(st.lists(st.tuples(st.integers(0, 20), st.sampled_from("AB"), st.booleans()), max_size=10))
def test_also_without_links_the_number_is_right(happened: list[tuple[int, str, bool]]):
    """BMCs whose events don't name their LogEntry: as many are in the log afterwards as happened."""
    entries = [event(at, key, uri=f"{LOG}/{number}") for number, (at, key, _in) in enumerate(happened)]
    arrived = [event(at, key) for at, key, was_in in happened if was_in]
    assert len(arrived) + len(missing(entries, arrived, 0)) == len(entries)


def test_an_entry_becomes_the_event_that_its_bmc_would_have_sent():
    """Vendors' registries differ in version and prefix between log and event; the key is the same."""
    entry = {
        "@odata.id": f"{LOG}/7/",
        "Id": "7",
        "Created": "2026-11-22T02:54:34Z",
        "MessageId": "PWR1001",
        "Message": "Power is on.",
        "MessageArgs": ["PSU1"],
        "Severity": "Critical",
        "Links": {"OriginOfCondition": {"@odata.id": "/redfish/v1/Chassis/1"}},
    }
    document = event_of([entry])
    assert document["Name"] == NAME
    (record,) = records(document).records
    assert (record.level, record.resource_id, record.message) == ("ERROR", "/redfish/v1/Chassis/1", "Power is on.")
    assert record.record["Oem"]["redfleet"]["LogEntry"] == entry
    found = seen(record)
    assert rfc3339(found.moment_ns) == "2026-11-22T02:54:34.000000Z"
    assert (found.key, found.uri, found.arguments) == ("PWR1001", f"{LOG}/7", ("PSU1",))
    (live,) = records({"Events": [{"MessageId": "IDRAC.2.8.PWR1001", "EventTimestamp": entry["Created"]}]}).records
    assert missing([found], [seen(live)], 0) == []


def test_an_event_without_a_time_happened_when_it_was_received():
    """Old firmware leaves EventTimestamp out."""
    (record,) = records({"Events": [{"MessageId": "A.1.0.B", "EventTimestamp": "00:00"}]}).records
    assert seen(record, 17).moment_ns == 17
