# SPDX-License-Identifier: GPL-3.0-or-later
"""The text log and the JSON lines: DMTF's bytes, each unit exactly once, whatever ends the process."""

import json
import os
import random
import time
from pathlib import Path

import pytest
from event_listener.event import Event, Payload, as_json
from event_listener.settings import Settings, Sinks
from event_listener.settings_files import FileSink
from event_listener.sinks import SINKS, configured, load
from event_listener.sinks.base import LocalSink, Ok, Retry
from event_listener.sinks.exact_files import file_part
from event_listener.sinks.json_lines import JsonLines
from event_listener.sinks.marks import Marks
from event_listener.sinks.text_log import TextLog
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.listener.stores import NOON, payload

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def _utc(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def event(seq, address="192.0.2.7"):
    return Event(
        seq=seq,
        id=f"0123456789ab-{seq}-0",
        source="bmc",
        address=address,
        received_ns=NOON,
        payload_id=seq,
        type="A.B",
        record={"ü": seq},
    )


def text_log(tmp_path, **options):
    return TextLog(FileSink(directory=str(tmp_path / "logs"), **options), tmp_path / "state")


def entry(count, seq, address="192.0.2.7"):
    return f'Time:2026-11-22 12:14:34.123456 Count:{count}\nHost IP:{address}\nEvent Details:{{"n": {seq}}}\n'.encode()


def content(tmp_path, name="Events_192.0.2.7.txt"):
    return (tmp_path / "logs" / name).read_bytes()


GOLDEN = (
    b"Time:2026-11-22 12:14:34.123456 Count:1\n"
    b"Host IP:192.0.2.7\n"
    b'Event Details:{"Events": [{"EventId": "1", "Message": "\\u00dcbel \\"x\\"", "n": 1.0, '
    b'"big": 12345678901234567890123, "e": 1e+22, "nan": NaN, "t": true, "z": null, "dup": 2}]}\n'
)
SENT = (
    '{"Events":[{"EventId":"1","Message":"Übel \\"x\\"","n":1.0,"big":12345678901234567890123,"e":1E22,"nan":NaN,'
    '"t":true,"z":null,"dup":1,"dup":2}]}'
)


def test_the_bytes_of_the_dmtf_listener(tmp_path):
    """DMTF 1.1.7 writes json.dumps(json.loads(body)) and two lines before it."""
    sink = text_log(tmp_path)
    sink.open(0)
    assert sink.send([payload(1, body=SENT.encode())]) == Ok()
    assert content(tmp_path) == GOLDEN


def test_time_without_microseconds_has_no_fraction(tmp_path):
    """str(datetime) leaves the fraction out when it is zero; DMTF's does too."""
    sink = text_log(tmp_path)
    assert sink.render(payload(1), 1).startswith(b"Time:2026-11-22 12:14:34.123456 ")
    whole = payload(1).__class__(
        **{**{n: getattr(payload(1), n) for n in Payload.__struct_fields__}, "received_ns": 10**9}
    )
    assert sink.render(whole, 1).startswith(b"Time:1970-01-01 00:00:01 Count:1\n")


def test_counts_per_file_go_on_over_restarts(tmp_path):
    for start in (1, 3):
        sink = text_log(tmp_path)
        assert sink.open(0) == start - 1
        assert sink.send([payload(start, "192.0.2.8"), payload(start + 1)]) == Ok()
        sink.close()
    assert content(tmp_path) == entry(1, 2) + entry(2, 4)
    assert content(tmp_path, "Events_192.0.2.8.txt") == entry(1, 1, "192.0.2.8") + entry(2, 3, "192.0.2.8")


def test_the_count_of_a_dmtf_file_goes_on(tmp_path):
    """Migration: the directory of the DMTF listener becomes ours, its files are appended to."""
    (tmp_path / "logs").mkdir()
    before = (
        entry(1, 1)
        + entry(41, 2)
        + b'Time:x Count:9 is no head\nEvent Details:{"a": "Time:y Count:7"}\n'
        + b"z" * 3_000_000
    )
    (tmp_path / "logs" / "Events_192.0.2.7.txt").write_bytes(before)
    sink = text_log(tmp_path)
    sink.open(0)
    sink.send([payload(1)])
    assert content(tmp_path) == before + entry(42, 1)


def crash(sink):
    """What kill -9 leaves: descriptors closed by the kernel, nothing settled."""
    sink._files.close()
    sink._files._marks.close()


def test_a_busy_disk_is_left_to_who_acknowledges(tmp_path, monkeypatch):
    """After a mark that took long the next one waits, also when there is nothing else to do; the last one doesn't."""
    clock = [1000.0]

    def slow(_descriptor):
        clock[0] += 1.5

    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(os, "fsync", slow)
    sink = text_log(tmp_path)
    sink.open(0)
    clock[0] += 100

    def settled(seq):
        sink.send([payload(seq)])
        assert sink.settle(idle=True) == Ok()
        return sink.confirmed()

    assert settled(1) == 1
    clock[0] += 2.0
    assert settled(2) == 1
    clock[0] += 10.0
    assert settled(3) == 3
    assert settled(4) == 3
    sink.close()
    assert Marks(tmp_path / "state" / "sinks" / "text_log.db").load()[0] == 4


@pytest.mark.parametrize("torn", [0, 1, 17])
def test_after_a_crash_each_unit_is_there_once(tmp_path, torn):
    """Everything after the last mark is cut off and written again, also half an entry."""
    sink = text_log(tmp_path)
    sink.open(0)
    sink.send([payload(1)])
    assert sink.settle(idle=True) == Ok()
    assert sink.confirmed() == 1
    sink.send([payload(2), payload(3)])
    assert sink.confirmed() == 1
    crash(sink)
    path = tmp_path / "logs" / "Events_192.0.2.7.txt"
    if torn:
        os.truncate(path, path.stat().st_size - torn)
    sink = text_log(tmp_path)
    assert sink.open(0) == 1
    assert content(tmp_path) == entry(1, 1)
    sink.send([payload(2), payload(3)])
    sink.close()
    assert content(tmp_path) == entry(1, 1) + entry(2, 2) + entry(3, 3)


@pytest.mark.parametrize("seed", range(5))
def test_random_crashes(tmp_path, seed):
    """Random batches, settles and crashes over many files with few open: the files equal one pass without crashes."""
    rng = random.Random(seed)
    total = 300
    units = [payload(seq, f"192.0.2.{rng.randrange(40)}") for seq in range(1, total + 1)]
    sink = text_log(tmp_path, max_open_files=8)
    sink.open(0)
    while sink.position() < total:
        batch = units[sink.position() : sink.position() + rng.randrange(1, 30)]
        assert sink.send(batch) == Ok()
        if rng.random() < 0.4:
            sink.settle(idle=True)
        if rng.random() < 0.3:
            crash(sink)
            sink = text_log(tmp_path, max_open_files=8)
            sink.open(0)
    sink.close()
    counts, expected = {}, {}
    for unit in units:
        counts[unit.address] = counts.get(unit.address, 0) + 1
        name = f"Events_{unit.address}.txt"
        expected[name] = expected.get(name, b"") + entry(counts[unit.address], unit.seq, unit.address)
    assert {path.name: path.read_bytes() for path in (tmp_path / "logs").iterdir()} == expected


def test_many_changed_files_are_synced_together(tmp_path):
    """More than 64 changed files take the path of one syncfs; the marks are as good."""
    sink = text_log(tmp_path, max_open_files=16)
    sink.open(0)
    sink.send([payload(seq, f"10.0.0.{seq}") for seq in range(1, 201)])
    sink.settle(idle=True)
    crash(sink)
    sink = text_log(tmp_path)
    assert sink.open(0) == 200
    assert len(os.listdir(tmp_path / "logs")) == 200
    assert content(tmp_path, "Events_10.0.0.200.txt") == entry(1, 200, "10.0.0.200")


def test_open_files_are_bounded(tmp_path):
    sink = text_log(tmp_path, max_open_files=8)
    sink.open(0)
    before = len(os.listdir("/proc/self/fd"))
    sink.send([payload(seq, f"10.0.0.{seq}") for seq in range(1, 101)])
    assert len(os.listdir("/proc/self/fd")) - before <= 10


def test_settling_waits_in_a_storm(tmp_path):
    """A sync per batch would be slow: it happens once per interval unless there is nothing else to do."""
    sink = text_log(tmp_path, sync_interval=60)
    sink.open(0)
    sink.send([payload(1)])
    sink.settle(idle=False)
    assert sink.confirmed() == 0
    sink.settle(idle=True)
    assert sink.confirmed() == 1


def test_rotation_by_renaming(tmp_path):
    """logrotate renames: a new file begins, its count goes on, and a crash afterwards repeats nothing in either."""
    sink = text_log(tmp_path)
    sink.open(0)
    sink.send([payload(1)])
    path = tmp_path / "logs" / "Events_192.0.2.7.txt"
    path.rename(path.with_suffix(".1"))
    sink.send([payload(2)])
    crash(sink)
    sink = text_log(tmp_path)
    assert sink.open(0) == 1
    sink.send([payload(2)])
    assert path.with_suffix(".1").read_bytes() == entry(1, 1)
    assert path.read_bytes() == entry(2, 2)


def test_a_removed_file_begins_again(tmp_path):
    sink = text_log(tmp_path)
    sink.open(0)
    sink.send([payload(1)])
    (tmp_path / "logs" / "Events_192.0.2.7.txt").unlink()
    sink.send([payload(2)])
    assert content(tmp_path) == entry(2, 2)


def test_copytruncate_is_survived_with_a_warning(tmp_path, caplog):
    sink = text_log(tmp_path)
    sink.open(0)
    sink.send([payload(1)])
    os.truncate(tmp_path / "logs" / "Events_192.0.2.7.txt", 0)
    assert sink.send([payload(2)]) == Ok()
    assert content(tmp_path) == entry(2, 2)
    assert "copytruncate" in caplog.text


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_symbolic_link_is_refused(tmp_path, when):
    """Nobody makes us write outside of the directory; once the link is gone, everything is written."""
    outside = tmp_path / "outside"
    outside.write_bytes(b"precious")
    sink = text_log(tmp_path)
    sink.open(0)
    link = tmp_path / "logs" / "Events_192.0.2.7.txt"
    if when == "after":
        sink.send([payload(1)])
        link.unlink()
    link.symlink_to(outside)
    outcome = sink.send([payload(2)])
    assert isinstance(outcome, Retry)
    assert "symbolic link" in outcome.reason
    assert str(link) in outcome.reason
    assert outside.read_bytes() == b"precious"
    link.unlink()
    assert isinstance(sink.send([payload(2)]), Retry)
    todo = [payload(seq) for seq in (1, 2)][sink.position() :]
    assert sink.send(todo) == Ok()
    assert link.read_bytes().count(b"Host IP") == len(todo)
    sink.close()


@pytest.mark.parametrize("kind", ["fifo", "directory"])
def test_what_is_no_file_is_refused(tmp_path, kind):
    sink = text_log(tmp_path)
    sink.open(0)
    path = tmp_path / "logs" / "Events_192.0.2.7.txt"
    os.mkfifo(path) if kind == "fifo" else path.mkdir()
    outcome = sink.send([payload(1)])
    assert isinstance(outcome, Retry)
    assert "no regular file" in outcome.reason
    sink.close()


def test_a_full_disk_is_waited_for(tmp_path):
    """/dev/full answers ENOSPC: nothing is torn, and it goes on when there is room (a small file system in the CI)."""
    sink = text_log(tmp_path)
    sink.open(0)
    sink.send([payload(1)])
    sink.settle(idle=True)
    descriptor = sink._files._open["Events_192.0.2.7.txt"]
    saved = os.dup(descriptor)
    read_only = os.open(tmp_path / "logs" / "Events_192.0.2.7.txt", os.O_RDONLY)
    os.dup2(read_only, descriptor)  # every write fails from here on
    assert isinstance(sink.send([payload(2)]), Retry)
    os.dup2(saved, descriptor)
    os.close(saved)
    os.close(read_only)
    assert isinstance(sink.send([payload(2)]), Retry)
    assert sink.position() == 1
    assert sink.send([payload(2)]) == Ok()
    assert content(tmp_path) == entry(1, 1) + entry(2, 2)


def test_lost_marks_begin_at_the_copy(tmp_path):
    """Somebody deleted the marks: the cursor comes from the caller, the files and their counts stay."""
    sink = text_log(tmp_path)
    sink.open(0)
    sink.send([payload(1)])
    sink.close()
    for path in (tmp_path / "state" / "sinks").iterdir():
        path.unlink()
    sink = text_log(tmp_path)
    assert sink.open(1) == 1
    sink.send([payload(2)])
    assert content(tmp_path) == entry(1, 1) + entry(2, 2)


def test_json_lines(tmp_path):
    sink = JsonLines(FileSink(directory=str(tmp_path / "logs")), tmp_path / "state")
    sink.open(0)
    sink.send([event(1), event(2)])
    sink.settle(idle=True)
    sink.send([event(3)])
    crash(sink)
    sink = JsonLines(FileSink(directory=str(tmp_path / "logs")), tmp_path / "state")
    assert sink.open(0) == 2
    sink.send([event(3)])
    lines = content(tmp_path, "Events_192.0.2.7.jsonl").decode().splitlines()
    assert [json.loads(line) for line in lines] == [as_json(event(seq)) for seq in (1, 2, 3)]


ODD_NAMES = ["../../etc/passwd", "a/b", "..", ".hidden", "", "ä", "a\nb", "a" * 300, "a\x00b", "unix", "fe80::1"]


@pytest.mark.parametrize("address", ODD_NAMES)
def test_any_address_makes_a_file_inside(tmp_path, address):
    sink = text_log(tmp_path)
    sink.open(0)
    assert sink.send([payload(1, address)]) == Ok()
    (name,) = os.listdir(tmp_path / "logs")
    assert name.startswith("Events_")


@given(st.text(max_size=300), st.text(max_size=300))
def test_file_parts(one, other):
    """Safe, short, and different for different addresses."""
    part = file_part(one)
    assert "/" not in part
    assert "\x00" not in part
    assert not part.startswith(".")
    assert len(os.fsencode(f"Events_{part}.jsonl")) <= 255
    assert (part == file_part(other)) == (one == other)


def test_addresses_name_files_as_they_are():
    for address in ("192.0.2.7", "fe80::1", "2001:db8::7", "bmc-1.example.com"):
        assert file_part(address) == address


def test_the_table_names_every_section_of_the_settings():
    """A kind of sink has a section of its name, the section a sink, and each its page and its test."""
    assert set(SINKS) == set(Sinks.__struct_fields__)
    for kind in SINKS:
        assert callable(load(kind).send)
        assert (ROOT / "docs" / "sinks" / f"{kind}.md").is_file()
        if kind not in ("text_log", "json_lines"):  # whose tests these are
            assert (ROOT / "tests" / "integration" / "bus" / f"test_sinks_{kind}.py").is_file()


def test_disabled_sinks_are_left_out():
    settings = Settings(sinks=Sinks(json_lines=FileSink(enabled=False)))
    assert [sink.name for sink in configured(settings)] == ["text_log"]
    assert all(isinstance(sink, LocalSink) for sink in configured(settings))
