# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal: what append returned is on disk, in order, under a number that is never used again."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from event_listener import journal
from event_listener.journal import Entry, Journal, JournalBrokenError, JournalReader, JournalUnavailableError


def entry(number: int = 1, **changes) -> Entry:
    """Return an entry that can be told from others by its time."""
    values = {
        "received_ns": number, "source": "bmc-1", "peer": "10.0.0.1", "credential": "basic",
        "content_type": "application/json", "status": "ok", "reason": "", "body": b'{"a":\x00\xff}',
    }  # fmt: skip
    return Entry(**(values | changes))


@pytest.fixture
def writer(tmp_path: Path):
    made = Journal(tmp_path)
    yield made
    made.close()


@pytest.fixture
def reader(tmp_path: Path):
    with JournalReader(tmp_path) as made:
        yield made


def test_what_goes_in_comes_out(writer: Journal, reader: JournalReader):
    """Every field, the body byte by byte."""
    entries = [entry(1), entry(2, source=None, status="malformed", reason="why")]
    assert writer.append(entries) == [1, 2]
    assert reader.read_after(0) == [(1, entries[0]), (2, entries[1])]
    assert reader.read_after(1) == [(2, entries[1])]
    assert reader.read_after(0, limit=1) == [(1, entries[0])]


def test_numbers_are_never_reused(writer: Journal, reader: JournalReader):
    """A cursor that waits at 3 must see what comes after everything was deleted."""
    writer.append([entry(), entry(), entry()])
    assert reader.delete_through(3) == 3
    assert (reader.head(), reader.read_after(0)) == (3, [])
    assert writer.append([entry()]) == [4]


def test_deleting_keeps_what_is_behind(writer: Journal, reader: JournalReader):
    """In several transactions, up to and including the number."""
    writer.append([entry(number) for number in range(journal.DELETE_BATCH + 10)])
    assert reader.delete_through(journal.DELETE_BATCH + 5) == journal.DELETE_BATCH + 5
    assert [number for number, _ in reader.read_after(0)] == list(
        range(journal.DELETE_BATCH + 6, journal.DELETE_BATCH + 11)
    )


def test_a_batch_is_whole_or_absent(writer: Journal, reader: JournalReader):
    """One bad row, and nothing of the batch is there."""
    with pytest.raises(JournalUnavailableError, match="nothing was acknowledged"):
        writer.append([entry(1), entry(2, status="strange")])
    assert reader.read_after(0) == []
    assert writer.append([entry(3)])


def test_the_journal_has_one_name(tmp_path: Path, writer: Journal, reader: JournalReader):
    """Reader and writer agree on it, and it survives."""
    writer.append([entry()])
    first = reader.journal_id
    assert len(first) == 12
    with JournalReader(tmp_path) as again:
        assert again.journal_id == first


def test_it_is_synced_and_in_wal_mode(tmp_path: Path, writer: Journal):
    """synchronous=FULL, or an acknowledgement would be a lie after a power cut."""
    writer.append([entry()])
    connection = writer._file.connection()
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert (tmp_path / "journal" / "journal.db-wal").stat().st_size > 0


def test_a_replaced_file_is_noticed(tmp_path: Path, writer: Journal):
    """Rows appended to a deleted file would be acknowledged and gone."""
    writer.append([entry()])
    for path in (tmp_path / "journal").glob("journal.db*"):
        path.unlink()
    assert writer.append([entry(7)]) == [1]
    with JournalReader(tmp_path) as reader:
        assert [item.received_ns for _, item in reader.read_after(0)] == [7]


def test_a_directory_that_is_gone_is_unavailable_then_back(tmp_path: Path, writer: Journal):
    """503 while it lasts, without a restart afterwards."""
    writer.append([entry()])
    (tmp_path / "journal").rename(tmp_path / "away")
    with pytest.raises(JournalUnavailableError, match=r"journal\.db can't be used"):
        writer.append([entry()])
    (tmp_path / "away").rename(tmp_path / "journal")
    assert writer.append([entry()]) == [2]
    writer.check()


def test_a_closed_one_leaves_no_file_open(tmp_path: Path):
    """Readiness probes and the relay's threads open one every few seconds, for months."""

    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    Journal(tmp_path).close()  # it makes its directory
    before = descriptors()
    for _ in range(3):
        writer = Journal(tmp_path, create=False)
        writer.append([entry()])
        writer.close()
        with JournalReader(tmp_path) as reader:
            assert reader.read_after(0)
    assert descriptors() == before


def test_a_full_disk_is_unavailable(tmp_path: Path):
    """The limit on file sizes stands for the disk: SQLite's write fails in the middle of a batch."""
    program = textwrap.dedent(
        f"""
        import resource, signal
        from event_listener.journal import Entry, Journal, JournalUnavailableError
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        writer = Journal({str(tmp_path)!r})
        item = Entry(1, None, "p", "c", "t", "ok", "", b"x" * 100_000)
        stored = len(writer.append([item]))
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
        try:
            while stored < 100:
                stored += len(writer.append([item]))
        except JournalUnavailableError as error:
            print("unavailable", stored)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        print("again", writer.append([item]) == [stored + 1])
        """
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    first, second = done.stdout.splitlines()
    assert first.startswith("unavailable")
    assert second == "again True"


def test_a_failed_fsync_ends_the_process():
    """Told apart from all else by SQLite's name for it: the file must not be tried again."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorname = "SQLITE_IOERR_FSYNC"
    assert isinstance(journal._translated(error, Path("/j")), JournalBrokenError)
    error.sqlite_errorname = "SQLITE_FULL"
    assert isinstance(journal._translated(error, Path("/j")), JournalUnavailableError)


def test_several_processes_append_in_turn(tmp_path: Path):
    """Nobody starves, no number is given twice, each process finds its own in order."""
    program = textwrap.dedent(
        f"""
        import sys, time
        from event_listener.journal import Entry, Journal
        writer, who = Journal({str(tmp_path)!r}), sys.argv[1]
        writer.check()
        print("ready", flush=True)
        sys.stdin.read(1)
        end = time.monotonic() + 1.0
        numbers = []
        while time.monotonic() < end:
            numbers += writer.append([Entry(len(numbers), who, "p", "c", "t", "ok", "", b"{{}}")])
        print(*numbers)
        """
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", program, str(who)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for who in range(3)
    ]
    assert [process.stdout.readline() for process in processes] == [b"ready\n"] * 3
    for process in processes:  # all at once, or there would be nobody to take turns with
        process.stdin.write(b"x")
        process.stdin.flush()
    given = [[int(number) for number in process.communicate(timeout=60)[0].split()] for process in processes]
    everything = sorted(number for numbers in given for number in numbers)
    assert everything == list(range(1, len(everything) + 1))
    assert all(numbers == sorted(numbers) for numbers in given)
    shares = sorted(len(numbers) for numbers in given)
    assert shares[0] * 4 > shares[-1], f"unfair: {shares}"
    with JournalReader(tmp_path) as reader:
        rows = reader.read_after(0, limit=10**6)
    for who in range(3):
        assert [item.received_ns for _, item in rows if item.source == str(who)] == list(range(len(given[who])))
