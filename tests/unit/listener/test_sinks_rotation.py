# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotation by the relay: each unit once over all files, counts without a gap, whatever ends the process and when."""

import gzip
import os
import random
import re
import shutil
import sqlite3

import pytest
from event_listener.settings_files import FileSink, Rotate
from event_listener.sinks.base import Ok
from event_listener.sinks.file_sink import FileSink as Sink
from event_listener.sinks.marks import FileMark, Marks
from event_listener.sinks.rotation import Rotation, Tidier
from event_listener.sinks.text_log import TextLog

from tests.unit.listener.stores import payload

DAY = 86400.0
NAME = "Events_192.0.2.7.txt"
MOMENT = "20261122T065900.123456Z"


def text_log(tmp_path, **rotate):
    rotate = Rotate(**{"compress": False, **rotate})
    return TextLog(FileSink(directory=str(tmp_path / "logs"), max_open_files=8, rotate=rotate), tmp_path / "state")


def tidied(tmp_path, **rotate):
    """One pass of what otherwise runs beside the lane."""
    rotation = Rotation(Rotate(**rotate))
    Tidier(Rotate(**rotate), tmp_path / "logs", ".txt", rotation.happened).tidy()
    return files(tmp_path)


def crash(sink):
    """What kill -9 leaves: descriptors closed by the kernel, nothing settled."""
    sink._files.close()
    sink._files._marks.close()
    sink._tidier.end()


def files(tmp_path):
    return sorted(path.name for path in (tmp_path / "logs").iterdir())


def content(path):
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def whole(tmp_path, address="192.0.2.7"):
    """What all files of a source hold, oldest first: those set aside sort by their moment, the live one is last."""
    live = tmp_path / "logs" / f"Events_{address}.txt"
    aside = sorted(path for path in live.parent.iterdir() if path.name.startswith(f"{live.name}-"))
    return b"".join(
        content(path) for path in (*aside, live) if path.exists()
    )  # none is written to since it was renamed


def assert_once(tmp_path, units, address="192.0.2.7"):
    found = re.findall(rb'Count:(\d+)\n.*\n.*\{"n": (\d+)\}', whole(tmp_path, address))
    assert [int(number) for _, number in found] == [unit.seq for unit in units if unit.address == address]
    assert [int(count) for count, _ in found] == list(range(1, len(found) + 1))


def test_a_file_is_set_aside_by_size_and_the_count_goes_on(tmp_path):
    sink = text_log(tmp_path, size=200)
    sink.open(0)
    units = [payload(seq) for seq in range(1, 31)]
    for unit in units:
        assert sink.send([unit]) == Ok()
    sink.close()
    assert len(files(tmp_path)) > 5
    assert all(path.stat().st_size < 400 for path in (tmp_path / "logs").iterdir())
    assert_once(tmp_path, units)


def test_by_default_small_files_stay_as_the_dmtf_listener_has_them(tmp_path):
    sink = TextLog(FileSink(directory=str(tmp_path / "logs")), tmp_path / "state")
    sink.open(0)
    sink.send([payload(seq) for seq in range(1, 1001)])
    sink.close()
    assert files(tmp_path) == [NAME]


@pytest.mark.parametrize("seed", range(6))
def test_random_crashes_and_rotations_at_once(tmp_path, seed):
    """Crashes between any two steps, rotation by us and by another program, compression beside it: each unit once."""
    rng = random.Random(seed)
    units = [payload(seq, f"192.0.2.{rng.randrange(12)}") for seq in range(1, 401)]
    options = {"size": 300, "compress": bool(seed % 2), "keep": 0}
    sink = text_log(tmp_path, **options)
    sink.open(0)
    while sink.position() < len(units):
        batch = units[sink.position() : sink.position() + rng.randrange(1, 30)]
        assert sink.send(batch) == Ok()
        if rng.random() < 0.3:
            sink.settle(idle=True)
            if rng.random() < 0.3:  # logrotate comes by, right after a mark
                live = rng.choice([path for path in (tmp_path / "logs").iterdir() if path.suffix == ".txt"])
                sink._rotation.set_aside(sink._files._folder, live.name)
        if rng.random() < 0.3:
            crash(sink)
            sink = text_log(tmp_path, **options)
            sink.open(0)
    sink.close()
    tidied(tmp_path, keep=0)
    for address in {unit.address for unit in units}:
        assert_once(tmp_path, units, address)
    assert any(name.endswith(".gz") for name in files(tmp_path))
    assert not any(name.endswith(".part") for name in files(tmp_path))


def test_a_crash_right_after_the_rename_repeats_nothing(tmp_path):
    """The mark comes first: what is set aside is never written again."""
    sink = text_log(tmp_path, size=1)
    sink.open(0)
    sink.send([payload(1)])
    sink._files.mark()
    sink._rotation.set_aside(sink._files._folder, NAME)
    crash(sink)
    sink = text_log(tmp_path, size=1)
    assert sink.open(0) == 1
    sink.send([payload(2)])
    sink.close()
    assert_once(tmp_path, [payload(1), payload(2)])


@pytest.mark.parametrize(
    ("every", "later", "due"),
    [
        ("day", 0.0, False),
        ("day", DAY, True),
        ("week", 7 * DAY, True),
        ("month", 32 * DAY, True),
        ("never", DAY, False),
    ],
)
def test_a_file_is_set_aside_in_a_new_period(every, later, due):
    now = 1_795_349_674.0
    rotation = Rotation(Rotate(every=every), clock=lambda: now + later)
    assert rotation.due(FileMark(NAME, 1, 1, 10, 1, int(now * 1e9))) is due
    assert not rotation.due(FileMark(NAME, 1, 1, 0, 0, int(now * 1e9)))  # an empty file never is


@pytest.mark.parametrize("kind", ["", ".gz"])
@pytest.mark.parametrize("fraction", [0.0, 0.3, 0.50009, 0.9])
def test_no_file_takes_the_name_of_another(tmp_path, fraction, kind):
    """On a clock that stands or was set back, also by a process that knows nothing of those before."""
    folder = os.open(tmp_path, os.O_RDONLY)
    for number in range(100):
        rotation = Rotation(Rotate(), clock=lambda: 1795357881 + fraction * 1e-6)
        for part in (0, 1):
            (tmp_path / NAME).write_text(f"{number} {part}")
            rotation.set_aside(folder, NAME)
        for path in list(tmp_path.glob("*Z")):
            path.rename(f"{path}{kind}")
    os.close(folder)
    kept = [path.read_text() for path in sorted(tmp_path.iterdir())]
    assert kept == [f"{number} {part}" for number in range(100) for part in (0, 1)]


def test_yesterdays_file_is_set_aside_before_todays_first_entry(tmp_path):
    """Also after a restart: when a file was begun is in its mark, and a file from before us has its own time."""
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / NAME).write_bytes(b'Time:x Count:1\nHost IP:192.0.2.7\nEvent Details:{"n": 1}\n')
    os.utime(logs / NAME, (1_700_000_000, 1_700_000_000))
    for seq in (2, 3):
        sink = text_log(tmp_path, every="day")
        sink.open(seq - 1)
        sink.send([payload(seq)])
        sink.close()
    # The adopted file is marked when it is first written to, and set aside before the second entry.
    assert len(files(tmp_path)) == 2
    assert_once(tmp_path, [payload(1), payload(2), payload(3)])


def test_what_is_set_aside_is_compressed_and_the_oldest_goes(tmp_path):
    logs = tmp_path / "logs"
    logs.mkdir()
    for day in range(1, 8):
        (logs / f"{NAME}-202611{day:02d}T000000.000000Z").write_bytes(b"day %d" % day)
    (logs / NAME).write_bytes(b"live")
    (logs / f"Events_192.0.2.8.txt-{MOMENT}").write_bytes(b"another source")
    (logs / f"{NAME}-20261107T000000.000000Z.gz.part").write_bytes(b"half")
    kept = tidied(tmp_path, keep=3)
    assert kept == [
        NAME,
        *(f"{NAME}-202611{day:02d}T000000.000000Z.gz" for day in (5, 6, 7)),
        f"Events_192.0.2.8.txt-{MOMENT}.gz",
    ]
    assert content(logs / kept[1]) == b"day 5"
    assert tidied(tmp_path, keep=3) == kept


def test_what_is_too_old_goes(tmp_path):
    logs = tmp_path / "logs"
    logs.mkdir()
    now = Rotation(Rotate())
    (logs / NAME).write_bytes(b"live")
    folder = os.open(logs, os.O_RDONLY)
    now.set_aside(folder, NAME)
    os.close(folder)
    (logs / f"{NAME}-20200101T000000.000000Z.gz").write_bytes(b"old")
    assert len(tidied(tmp_path, keep_days=1.5, compress=False)) == 1
    assert len(files(tmp_path)) == 1


def test_a_file_that_is_compressed_already_is_not_kept_twice(tmp_path):
    """Killed between the last two steps of compressing: both files are there."""
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / f"{NAME}-{MOMENT}").write_bytes(b"x")
    (logs / f"{NAME}-{MOMENT}.gz").write_bytes(gzip.compress(b"x"))
    assert tidied(tmp_path) == [f"{NAME}-{MOMENT}.gz"]


def test_others_files_and_symbolic_links_are_left_alone(tmp_path):
    logs = tmp_path / "logs"
    logs.mkdir()
    outside = tmp_path / "outside"
    outside.write_bytes(b"precious")
    (logs / f"{NAME}-{MOMENT}").symlink_to(outside)
    (logs / f"{NAME}-20261122T070000.000000Z.gz.part").symlink_to(outside)
    for name in (f"{NAME}.1", f"{NAME}.2.gz", f"{NAME}-20261122", f"Events_192.0.2.7.jsonl-{MOMENT}"):
        (logs / name).write_bytes(b"not ours")
    before = files(tmp_path)
    assert tidied(tmp_path, keep=1) == before
    assert outside.read_bytes() == b"precious"


def test_a_full_disk_leaves_the_file_as_it_is(tmp_path):
    """What can't be compressed stays, nothing of the attempt does."""
    logs = tmp_path / "logs"
    logs.mkdir()
    name = f"{NAME}-{MOMENT}"
    (logs / name).write_bytes(random.Random(1).randbytes(300_000))
    (logs / f"{name}.gz.part").mkdir()  # nothing can be written there
    with pytest.raises(OSError, match="File exists"):
        tidied(tmp_path)
    shutil.rmtree(logs / f"{name}.gz.part")
    assert tidied(tmp_path) == [f"{name}.gz"]


def test_it_is_tidied_beside_the_lane(tmp_path):
    sink = text_log(tmp_path, size=1, compress=True, keep=2)
    assert isinstance(sink, Sink)
    sink.open(0)
    for seq in range(1, 8):
        sink.send([payload(seq)])
    sink._tidier.join(0.01)
    sink.close()
    assert len(tidied(tmp_path, keep=2)) == 3
    assert b"Count:7\n" in (tmp_path / "logs" / NAME).read_bytes()


def test_marks_from_before_rotation_are_taken(tmp_path):
    path = tmp_path / "marks.db"
    with sqlite3.connect(path) as old:
        old.execute("CREATE TABLE file (name TEXT PRIMARY KEY, device INT, inode INT, size INT, count INT)")
        old.execute("INSERT INTO file VALUES ('a', 1, 2, 3, 4)")
    old.close()
    marks = Marks(path)
    assert marks.load() == (None, [FileMark("a", 1, 2, 3, 4, 0)])
    marks.save([FileMark("a", 1, 2, 3, 4, 5)], 6)
    marks.close()
    assert Marks(path).load() == (6, [FileMark("a", 1, 2, 3, 4, 5)])
