# SPDX-License-Identifier: GPL-3.0-or-later
"""The reserve: freed on a full disk so that something can be removed, then kept again."""

from __future__ import annotations

import os

import pytest
from event_listener import reserve
from event_listener.reserve import FULL, Reserve


class DiskFullError(Exception):
    pass


@pytest.fixture
def disk(tmp_path, monkeypatch):
    """What statvfs says of a disk of 8 GiB; the test sets what is free."""

    class Disk:
        free = 1 << 30

        def statvfs(self, _path):
            held = os.stat(tmp_path / "reserve").st_size if (tmp_path / "reserve").exists() else 0
            values = [4096, 4096, (8 << 30) // 4096, 0, max(0, self.free - held) // 4096, 0, 0, 0, 0, 255]
            return os.statvfs_result(values)

    made = Disk()
    monkeypatch.setattr(reserve.os, "statvfs", made.statvfs)
    return made


def test_it_takes_space_and_lends_it(tmp_path, disk):
    """What fails on a full disk is run again without the reserve, which is kept again when there is space."""
    kept = Reserve(tmp_path, 1 << 20)
    assert kept.keep()
    assert kept.held() == 1 << 20
    assert os.stat(kept.path).st_blocks * 512 >= 1 << 20
    disk.free = 1 << 20
    tries = []

    def remove():
        tries.append(kept.is_spent())
        if not tries[-1]:
            raise DiskFullError
        return "gone"

    assert kept.lend(remove, DiskFullError) == "gone"
    assert tries == [False, True]
    assert kept.is_spent()
    assert kept.is_full()
    assert not kept.keep()
    disk.free = (1 << 30) - FULL
    assert kept.keep()
    assert not kept.is_spent()
    assert kept.lend(lambda: "as it was", DiskFullError) == "as it was"


def test_on_a_disk_with_space_a_failure_is_something_else(tmp_path, disk):
    """Then nothing is spent; nor twice, and another error is nobody's business here."""
    kept = Reserve(tmp_path, 1 << 20)
    kept.keep()

    def fail():
        raise DiskFullError

    with pytest.raises(DiskFullError):
        kept.lend(fail, DiskFullError)
    assert not kept.is_spent()
    disk.free = 0
    for _ in range(2):
        with pytest.raises(DiskFullError):
            kept.lend(fail, DiskFullError)
    assert kept.is_spent()


def test_it_is_small_and_never_fills_a_disk(tmp_path, disk):
    """A hundredth at most; made where there is space for it twice; 0 is none."""
    assert Reserve(tmp_path, 1 << 40).size() == (8 << 30) // 100
    disk.free = (1 << 20) + FULL
    assert not Reserve(tmp_path, 1 << 20).keep()
    disk.free = (2 << 20) + FULL
    assert Reserve(tmp_path, 1 << 20).keep()
    nothing = Reserve(tmp_path / "elsewhere", 0)
    assert not nothing.keep()
    assert not nothing.is_spent()


def test_on_a_disk_that_stays_full_it_takes_what_is_left(tmp_path, disk):
    """What was removed leaves room within the databases: ingest can go on, so the reserve must not stay spent."""
    kept = Reserve(tmp_path, 1 << 20)
    kept.keep()
    os.truncate(kept.path, 0)
    disk.free = FULL + (700 << 10)
    assert kept.keep()
    assert kept.held() == 700 << 10
    disk.free = 1 << 30
    assert kept.keep()
    assert kept.held() == 1 << 20
