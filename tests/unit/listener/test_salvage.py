# SPDX-License-Identifier: GPL-3.0-or-later
"""Corrupt files: bytes flipped, cut off, overwritten. What can be read is kept, ids are never given twice."""

import random
import sqlite3

import pytest
from event_listener import salvage
from event_listener.event import Record
from event_listener.journal import Entry, Journal, JournalReader
from event_listener.store import Arrival, Query, open_store, sqlite_path

COUNT = 400


def entry(number):
    body = b'{"Id": "%d", "pad": "%s"}' % (number, b"x" * 500)
    return Entry(number, f"s{number}", "192.0.2.1", "c", "", "ok", "", body)


def filled_journal(state_dir):
    journal = Journal(state_dir)
    journal.append([entry(number) for number in range(1, COUNT + 1)])
    journal.close()
    with JournalReader(state_dir) as reader:
        identity = reader.journal_id
    return state_dir / "journal" / "journal.db", identity


def flip(path, count=1, seed=1, first=0):
    """Overwrite whole pages with noise, not the first ones."""
    pages = path.stat().st_size // 4096
    rng = random.Random(seed)
    chosen = rng.sample(range(first, pages), count)
    with path.open("r+b") as file:
        for page in chosen:
            file.seek(page * 4096)
            file.write(rng.randbytes(4096))


def test_a_good_file_has_no_problems(tmp_path):
    path, _ = filled_journal(tmp_path)
    assert salvage.problems(path) == []
    assert salvage.problems(tmp_path / "none") == []


@pytest.mark.parametrize("how", ["noise", "cut off"])
def test_a_corrupt_journal_keeps_what_can_be_read(tmp_path, how):
    """What is not beyond the cursor is in the event log already; the next id is after all that were given."""
    path, identity = filled_journal(tmp_path)
    if how == "noise":
        flip(path, count=2, first=10)
    else:
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size * 2 // 3 // 4096 * 4096)
    assert salvage.problems(path)
    done = salvage.journal(tmp_path, {identity: 100})
    assert salvage.problems(path) == []
    with JournalReader(tmp_path) as reader:
        kept = reader.read_after(0, COUNT)
        assert reader.journal_id == identity
    assert done.kept == {"journal": len(kept)}
    assert COUNT * 0.3 < len(kept) < COUNT - 100
    assert len(kept) + done.lost == COUNT - 100
    assert all(found == entry(seq) for seq, found in kept)
    assert min(seq for seq, _ in kept) > 100
    assert Journal(tmp_path).append([entry(0)]) == [COUNT + 1]
    assert (done.aside / "journal.db").stat().st_size > 0


def test_a_journal_of_noise_begins_anew(tmp_path):
    """Nothing can be read: the id is the one that the event log knows, and its numbers go on far behind."""
    path, identity = filled_journal(tmp_path)
    path.write_bytes(random.Random(2).randbytes(path.stat().st_size))
    done = salvage.journal(tmp_path, {identity: 250})
    assert done.kept == {"journal": 0}
    with JournalReader(tmp_path) as reader:
        assert reader.journal_id == identity
        assert reader.head() > 1_000_000


def test_a_journal_behind_its_cursor_goes_on_after_it(tmp_path):
    """Numbers 300 to 400 were given twice: what the event log doesn't know is given new ones."""
    path, _ = filled_journal(tmp_path)
    assert salvage.renumber(tmp_path, 1000, known=lambda seq: seq < 300) == 101
    with JournalReader(tmp_path) as reader:
        kept = reader.read_after(0, COUNT)
    assert [found.received_ns for _, found in kept] == list(range(300, 401))
    assert [seq for seq, _ in kept] == list(range(1001, 1102))
    assert salvage.problems(path) == []


def filled_log(state_dir):
    with open_store(state_dir) as store:
        for start in range(1, COUNT, 50):
            store.log.write([arrival(number) for number in range(start, start + 50)], "journal:abc", start + 49)
        store.cursors.begin("sink:x", 17)
    path = sqlite_path(state_dir)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return path


def arrival(number):
    sent = {"EventId": str(number), "pad": "x" * 300}
    record = Record(type="A.B", message_id="A.1.0.B", event_id=str(number), record=sent)
    return Arrival(
        journal_id="abc", journal_seq=number, received_ns=number, source="s", address="192.0.2.1", peer="192.0.2.1",
        credential="c", content_type="", body=b"x" * 600, records=(record,),
    )  # fmt: skip


@pytest.mark.parametrize("how", ["noise", "cut off"])
def test_a_corrupt_event_log_keeps_what_can_be_read(tmp_path, how):
    """Same ids and numbers; the cursors stand where they stood; the loss is an event of our own."""
    path = filled_log(tmp_path)
    if how == "noise":
        flip(path, count=6, first=60, seed=3)
    else:
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size * 2 // 3 // 4096 * 4096)
    assert salvage.problems(path)
    done = salvage.event_log(tmp_path, path, "abc")
    assert salvage.problems(path) == []
    assert done.lost
    assert done.kept["event"] > COUNT / 4
    with open_store(tmp_path) as store:
        assert store.cursors.get("journal:abc") == COUNT
        assert store.cursors.get("sink:x") == 17
        found = store.queries.find(Query(order="asc", limit=1000)).events
        *events, told = found
        assert len(events) == done.kept["event"]
        assert all(event.id == f"abc-{event.event_id}-0" and event.seq == int(event.event_id) for event in events)
        assert told.type == "RedfleetEvents.LogSalvaged"
        assert told.seq > COUNT
        assert len(store.log.read_payloads_after(0, 1000)) >= len(events)
