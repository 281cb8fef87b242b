# SPDX-License-Identifier: GPL-3.0-or-later
"""What is on the disk stays within its bounds, and what is given up for it is told once, with how many and why."""

from __future__ import annotations

import pytest
from event_listener import status
from event_listener.disk_use import published
from event_listener.journal import Journal, JournalUnavailableError
from event_listener.journal_bound import BoundedJournal
from event_listener.reserve import Reserve
from event_listener.settings import Settings
from event_listener.settings_disk import Disk
from event_listener.settings_files import FileSink
from event_listener.steward import Steward
from event_listener.store import Store

from tests.unit.listener.stores import arrival, write
from tests.unit.listener.test_journal import entry

BODY = b"x" * 1000


@pytest.fixture
def host(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "logs").mkdir()
    journal = Journal(tmp_path)
    yield journal
    journal.close()


def steward(tmp_path, store: Store, **disk) -> Steward:
    files = FileSink(directory=str(tmp_path / "logs"))
    return Steward(
        Settings(
            state_dir=str(tmp_path),
            disk=Disk(**disk),
            sinks=type(Settings().sinks)(text_log=files, json_lines=files),
        ),
        store,
    )


def told(store: Store) -> list[tuple[str, str]]:
    events = store.log.read_events_after(0, 100)
    return [(event.type.removeprefix("RedfleetEvents."), event.message) for event in events]


def part(tmp_path, name: str):
    return next(part for part in published(tmp_path).parts if part.name == name)


@pytest.mark.usefixtures("host")
def test_quarantine_gives_up_its_oldest(tmp_path, store):
    """A tenth below the bound, oldest first; entries that came later are counted without reading all of it again."""
    write(store, *(arrival(seq, problem="broken", body=BODY) for seq in range(1, 10)))
    keeper = steward(tmp_path, store, quarantine=10_000)
    keeper.step()
    assert (part(tmp_path, "quarantine").used, told(store)) == (9000, [])
    write(store, arrival(10, problem="broken", body=BODY), arrival(11, problem="broken", body=BODY))
    keeper.step()
    keeper.step()
    assert [held.journal_seq for held in store.quarantine.list()] == list(range(3, 12))
    ((key, text),) = told(store)
    assert key == "QuarantineGivenUp"
    assert "2 payloads in quarantine (2000 bytes)" in text
    assert "10000 bytes (disk.quarantine)" in text
    assert (store.given_up.counts(), part(tmp_path, "quarantine").used) == ({"quarantine": 2}, 9000)
    # Another process with a fresh count agrees.
    steward(tmp_path, store, quarantine=10_000).step()
    assert part(tmp_path, "quarantine").used == 9000


@pytest.mark.usefixtures("host")
def test_files_give_up_what_was_set_aside_first(tmp_path, store):
    """Of one sink, whichever source it is from; the live file never, and it says so when nothing else is left."""
    for name in ("1.txt-20260101T000000.000000Z.gz", "2.txt-20260102T000000.000000Z", "1.txt", "1.jsonl", "2.txt"):
        (tmp_path / "logs" / f"Events_192.0.2.{name}").write_bytes(BODY)
    (tmp_path / "logs" / "others.txt").write_bytes(BODY * 10)
    steward(tmp_path, store, files=4000).step()
    left = sorted(path.name for path in (tmp_path / "logs").iterdir())
    assert left == ["Events_192.0.2.1.jsonl", "Events_192.0.2.1.txt", "Events_192.0.2.2.txt",
                    "Events_192.0.2.2.txt-20260102T000000.000000Z", "others.txt"]  # fmt: skip
    ((key, text),) = told(store)
    assert (key, store.given_up.counts()) == ("FilesGivenUp", {"text_log": 1})
    assert "1 text logs (1000 bytes), set aside from 2026-01-01T00:00:00" in text
    steward(tmp_path, store, files=1500).step()
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == [*left[:3], "others.txt"]
    (check,) = status.bounds(tmp_path)
    assert (check.name, check.status) == ("disk.text_log", "degraded")
    assert "sinks.text_log.rotate.size" in check.reason


def test_what_ingest_refused_is_told_once(tmp_path, host, store):
    """With the number and the reason, also by two relays; a journal at its bound isn't ready."""
    ticks = iter(range(1000))
    bounded = BoundedJournal(host, 1, Reserve(tmp_path), clock=lambda: next(ticks))
    for _ in range(3):
        with pytest.raises(JournalUnavailableError):
            bounded.append([entry(1), entry(2)])
    keeper = steward(tmp_path, store, journal=1)
    keeper.step()
    assert told(store) == []
    assert [(check.name, check.status) for check in status.bounds(tmp_path)] == [("disk.journal", "unready")]
    bounded._most = 1 << 30
    bounded.append([entry(3)])
    keeper.step()
    keeper.step()
    ((key, text),) = told(store)
    assert key == "EventsRefused"
    assert text.startswith("6 payloads were answered 503 from ")
    assert "its bound is 1 (disk.journal)" in text
    assert store.given_up.counts() == {"refused": 6}
