# SPDX-License-Identifier: GPL-3.0-or-later
"""The listener's own outages, and what is told about the upkeep of a fleet."""

from __future__ import annotations

import pytest
from event_listener.store import Care, Store, StoreUnavailableError
from event_listener.store.backend import SQLiteBackend
from event_listener.upkeep import InvalidUpkeepError, changes, coverage_of
from event_listener.watch import Watch

SECOND = 1_000_000_000


@pytest.fixture
def store(tmp_path):
    backend = SQLiteBackend(tmp_path / "events.db")
    yield Store(backend)
    backend.close()


def spans(store: Store) -> list[tuple[int, int]]:
    return [(one.began_ns // SECOND, one.ended_ns // SECOND) for one in store.upkeep.outages()]


def test_time_without_an_answer_is_an_outage(store):
    """From the last answer to the next; a missed one or two are none, and neither is the time before the first."""
    answers = iter([True, True, False, True, False, False, False, True])
    watch = Watch(store, lambda: next(answers))
    for second in (100, 105, 110, 115, 120, 125, 130, 135):
        watch.step(lambda second=second: second * SECOND)
    assert spans(store) == [(115, 135)]


def test_a_clock_that_is_set_back_hides_no_outage(store):
    """What passed since the last answer counts; without an outage a jump back is none."""
    passed = iter([1000, 1005, 1005, 1065, 1065])
    watch = Watch(store, lambda: True, lambda: next(passed) * SECOND)
    for second in (90_000, 80_000, 80_060):
        watch.step(lambda second=second: second * SECOND)
    assert spans(store) == [(80_000, 80_060)]


def test_a_start_counts_from_the_last_answer_before(store):
    """Who was switched off took nothing."""
    Watch(store, lambda: True).step(lambda: 100 * SECOND)
    Watch(store, lambda: True).step(lambda: 500 * SECOND)
    assert spans(store) == [(100, 500)]


def test_an_event_log_that_was_away_is_no_outage(store, monkeypatch):
    """Events were taken meanwhile; and an outage that couldn't be noted is noted later."""
    watch = Watch(store, lambda: True)
    watch.step(lambda: 100 * SECOND)
    note = store.upkeep.note_outages

    def down(*_arguments: object) -> None:
        raise StoreUnavailableError("down")

    monkeypatch.setattr(store.upkeep, "note_outages", down)
    for second in (105, 110, 115, 120, 125, 150):
        with pytest.raises(StoreUnavailableError):
            watch.step(lambda second=second: second * SECOND)
    monkeypatch.setattr(store.upkeep, "note_outages", note)
    watch.step(lambda: 155 * SECOND)
    assert spans(store) == [(125, 150)]


def test_care_keeps_what_is_not_told(store):
    """Each run tells what it did; a time in the future is now."""
    now = 1_700_000_000 * SECOND
    store.upkeep.take_care(changes([{"name": "b1", "verdict": "changed", "repaired": True}], now))
    assert store.upkeep.care() == {"b1": Care("b1", 0, now, now, "changed")}
    store.upkeep.take_care(changes([{"name": "b1", "complete": "2999-01-01T00:00:00Z"}], now + 1))
    assert store.upkeep.care() == {"b1": Care("b1", now + 1, now, now, "changed")}


@pytest.mark.parametrize(
    "document", [{}, [{}], [{"name": "a/b"}], [{"name": "b", "complete": "yesterday"}], [{"n": 1}]]
)
def test_what_is_no_care_is_refused(document):
    """With a sentence."""
    with pytest.raises(InvalidUpkeepError, match=r"^upkeep: "):
        changes(document, 0)


def test_coverage_has_known_findings_only():
    """A finding is a label of a metric."""
    assert coverage_of({"asked": 3, "findings": {"unread": ["b1"]}}).findings == {"unread": ["b1"]}
    with pytest.raises(InvalidUpkeepError, match="there are never_sent"):
        coverage_of({"asked": 3, "findings": {"else": []}})
