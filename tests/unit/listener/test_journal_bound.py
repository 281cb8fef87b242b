# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal's bound: refused is what doesn't fit, never what was acknowledged; how many and why is on record."""

from __future__ import annotations

import os

import msgspec
import pytest
from event_listener.journal import Journal, JournalReader, JournalUnavailableError
from event_listener.journal_bound import REFUSED, BoundedJournal, Refusals
from event_listener.reserve import Reserve

from tests.unit.listener.test_journal import entry

BOUND = 1 << 20


@pytest.fixture
def ticks():
    return iter(range(1_000_000))


@pytest.fixture
def bounded(tmp_path, ticks):
    journal = Journal(tmp_path)
    yield BoundedJournal(journal, BOUND, Reserve(tmp_path, 1 << 20), clock=lambda: next(ticks))
    journal.close()


def test_at_its_bound_it_refuses_until_there_is_room(tmp_path, bounded):
    """All that was acknowledged stays, in order; the record has the number, the times and the reason."""
    stored = []

    def fill():
        for number in range(1, 1000):
            stored.extend(bounded.append([entry(number, body=b"x" * 16384)] * 2))

    with pytest.raises(JournalUnavailableError, match=r"disk\.journal") as refusal:
        fill()
    assert stored == list(range(1, len(stored) + 1))
    assert len(stored) * 16384 < BOUND + 3 * 16384
    with pytest.raises(JournalUnavailableError):
        bounded.append([entry(1)])
    with JournalReader(tmp_path) as reader:
        assert [seq for seq, _entry in reader.read_after(0)] == stored
        assert reader.notes(REFUSED) == {}
        reader.delete_through(stored[-1])
        assert bounded.append([entry(1)]) == [len(stored) + 1]
        ((key, value),) = reader.notes(REFUSED).items()
        told = msgspec.json.decode(value, type=Refusals)
        assert (told.count, told.reason) == (3, str(refusal.value))
        assert 0 < told.first_ns <= told.last_ns
        reader.forget_note(key)
        bounded.append([entry(1)])
        assert reader.notes(REFUSED) == {}


def test_it_leaves_a_spent_reserve_to_what_removes(tmp_path, bounded, monkeypatch):
    """As long as the disk has no more than that."""
    bounded.append([entry(1)])
    (tmp_path / "reserve").write_bytes(b"")
    found = os.statvfs(tmp_path)
    little = os.statvfs_result([4096, 4096, found.f_blocks, 0, 16, 0, 0, 0, 0, 255])
    with monkeypatch.context() as patched:
        patched.setattr(os, "statvfs", lambda _path: little)
        with pytest.raises(JournalUnavailableError, match="is for what removes"):
            bounded.append([entry(2)])
    assert bounded.append([entry(3)]) == [2]


def test_a_refused_note_is_stored_with_its_entries_or_not_at_all(tmp_path, bounded):
    """A batch that fails takes its note back; it comes with the next one that is stored."""
    for _ in range(2):
        with pytest.raises(JournalUnavailableError):
            bounded.append([entry(1), entry(2, status="strange")])
    with JournalReader(tmp_path) as reader:
        assert reader.notes(REFUSED) == {}
        assert bounded.append([entry(3)]) == [1]
        assert [msgspec.json.decode(value)["count"] for value in reader.notes(REFUSED).values()] == [4]
