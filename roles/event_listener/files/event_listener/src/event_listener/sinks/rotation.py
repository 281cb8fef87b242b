# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that were written long enough: when they are set aside, how they are named then, what becomes of them.

Setting a file aside is one rename, right after a mark: everything in it is confirmed, so that nothing of it is ever
written again. Everything after that (compressing, removing) is found out from the names in the directory alone and may
be killed at any moment: a `.part` is begun anew, a file whose `.gz` is complete is removed.
"""

from __future__ import annotations

import contextlib
import gzip
import logging
import os
import re
import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from event_listener.clock import cautious_ns
from event_listener.settings_files import Rotate
from event_listener.sinks.marks import FileMark

logger = logging.getLogger(__name__)

STAMP = "%Y%m%dT%H%M%S.%fZ"
_ASIDE = re.compile(r"(?P<file>.+)-(?P<stamp>\d{8}T\d{6}\.\d{6}Z)(?P<kind>|\.gz|\.gz\.part)", re.DOTALL)
_PERIODS = {"day": "%Y-%m-%d", "week": "%G-%V", "month": "%Y-%m"}
_EPOCH = datetime.fromtimestamp(0, UTC)
_CHUNK = 1 << 20
_LOOK_SECONDS = 3600.0  # for what becomes too old


class Aside(NamedTuple):
    """A file that was set aside: the one it came from, when, its name, and ``.gz`` where it is compressed."""

    file: str
    stamp: str
    name: str
    kind: str


class Rotation:
    """Decides and names. ``clock`` says seconds since 1970."""

    def __init__(self, settings: Rotate, clock: Callable[[], float] = time.time) -> None:
        self._settings, self._clock = settings, clock
        self._last_us = 0
        self.happened = threading.Event()

    def now_ns(self) -> int:
        """The clock, for marks."""
        return int(self._clock() * 1e9)

    def due(self, mark: FileMark) -> bool:
        """Whether a file is to be set aside before more is written into it."""
        if not mark.size:
            return False  # nothing to set aside
        if 0 < self._settings.size <= mark.size:
            return True
        period = _PERIODS.get(self._settings.every)
        return period is not None and _local(mark.began_ns / 1e9, period) != _local(self._clock(), period)

    def set_aside(self, folder: int, name: str) -> None:
        """Rename a file. Raises OSError; one that another program has just renamed is fine."""
        # Whole microseconds, as in the name: of two fractions that differ by one, both may round to the same.
        self._last_us = max(int(self._clock() * 1e6), self._last_us + 1)
        while _is_taken(folder, aside := f"{name}-{_EPOCH + timedelta(microseconds=self._last_us):{STAMP}}"):
            self._last_us += 1  # the clock was set back, and this is another process
        try:
            os.rename(name, aside, src_dir_fd=folder, dst_dir_fd=folder)
        except FileNotFoundError:
            return
        self.happened.set()


class Tidier(threading.Thread):
    """Compresses and removes what was set aside of one sink's files: after each rotation, and once an hour."""

    def __init__(self, settings: Rotate, directory: Path, suffix: str, happened: threading.Event) -> None:
        super().__init__(name=f"tidier{suffix}", daemon=True)
        self._settings, self._directory, self._suffix = settings, directory, suffix
        self._happened = happened
        self._ended = False

    def run(self) -> None:
        """Until :meth:`end`."""
        failed = ""
        while not self._ended:
            self._happened.clear()
            try:
                self.tidy()
                failed = ""
            except OSError as error:
                if str(error) != failed:  # once per cause; the files stay, and are looked at again
                    failed = str(error)
                    logger.warning("%s: what was rotated can't be compressed or removed: %s", self._directory, error)
            if not self._ended:
                self._happened.wait(_LOOK_SECONDS)

    def end(self, seconds: float = 10.0) -> None:
        """Stop; what is being compressed is begun anew the next time."""
        self._ended = True
        self._happened.set()
        if self.is_alive():
            self.join(seconds)

    def tidy(self) -> None:
        """Once: first remove, so that nothing is compressed for nothing. Raises OSError."""
        folder = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            found = self._aside(folder)
            gone = set(self._too_many(found)) | set(self._too_old(found))
            for item in gone:
                _remove(folder, item.name)
            if self._settings.compress:
                for item in found:
                    if not item.kind and item not in gone and not self._ended:
                        self._compress(folder, item)
        finally:
            os.close(folder)

    def _aside(self, folder: int) -> list[Aside]:
        """What was set aside, newest first; leftovers of a crash are removed."""
        found = []
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
        for name in names:
            match = _ASIDE.fullmatch(name)
            if match is None or not match["file"].endswith(self._suffix):
                continue
            if match["kind"] == ".gz.part":
                os.unlink(name, dir_fd=folder)
            else:
                found.append(Aside(match["file"], match["stamp"], name, match["kind"]))
        whole = {(item.file, item.stamp) for item in found if item.kind}
        for item in [item for item in found if not item.kind and (item.file, item.stamp) in whole]:
            os.unlink(item.name, dir_fd=folder)
            found.remove(item)
        return sorted(found, key=lambda item: item.stamp, reverse=True)

    def _too_many(self, found: list[Aside]) -> Iterator[Aside]:
        kept: dict[str, int] = {}
        for item in found:
            kept[item.file] = kept.get(item.file, 0) + 1
            if 0 < self._settings.keep < kept[item.file]:
                yield item

    def _too_old(self, found: list[Aside]) -> Iterator[Aside]:
        if self._settings.keep_days:
            oldest = datetime.fromtimestamp(cautious_ns() / 1e9 - self._settings.keep_days * 86400, UTC).strftime(STAMP)
            yield from (item for item in found if item.stamp < oldest)

    def _compress(self, folder: int, item: Aside) -> None:
        """The compressed file is complete and durable before the other one goes. Raises OSError."""
        part = f"{item.name}.gz.part"
        source = os.open(item.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            target = os.open(part, flags, 0o640, dir_fd=folder)
            try:
                if not self._copied(source, target):
                    return
            except OSError:
                os.unlink(part, dir_fd=folder)  # a full disk: not even this much may stay
                raise
            finally:
                os.close(target)
        finally:
            os.close(source)
        os.rename(part, f"{item.name}.gz", src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)
        _remove(folder, item.name)

    def _copied(self, source: int, target: int) -> bool:
        """False where it has to end before it is through."""
        with open(target, "wb", closefd=False) as plain, gzip.GzipFile("", "wb", 6, plain, 0) as packed:
            while data := os.read(source, _CHUNK):
                if self._ended:
                    return False
                packed.write(data)
        os.fsync(target)
        return True


def measure(directory: Path, suffix: str) -> tuple[int, list[tuple[Aside, int]]]:
    """Bytes of all files of a sink, and those that were set aside with their bytes, oldest first. Raises OSError."""
    total, aside = 0, []
    with os.scandir(directory) as entries:
        for entry in entries:
            match = _ASIDE.fullmatch(entry.name)
            ours = match["file"] if match else entry.name
            if not ours.startswith("Events_") or not ours.endswith(suffix):
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # compressed or removed meanwhile
            if not stat.S_ISREG(status.st_mode):
                continue
            total += status.st_size
            if match and match["kind"] != ".gz.part":
                aside.append((Aside(match["file"], match["stamp"], entry.name, match["kind"]), status.st_size))
    return total, sorted(aside, key=lambda item: item[0].stamp)


def oldest(aside: Sequence[tuple[Aside, int]], excess: int) -> list[tuple[Aside, int]]:
    """The first of these that together have at least `excess` bytes; all where they haven't."""
    found: list[tuple[Aside, int]] = []
    for item, size in aside:
        if excess <= 0:
            break
        found.append((item, size))
        excess -= size
    return found


def remove(directory: Path, aside: Iterable[Aside]) -> None:
    """Remove what was set aside. Raises OSError; what is gone already is fine."""
    folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for item in aside:
            _remove(folder, item.name)
    finally:
        os.close(folder)


def _is_taken(folder: int, name: str) -> bool:
    """Whether a file has this name, or had it before it was compressed."""
    for known in (name, f"{name}.gz"):
        with contextlib.suppress(FileNotFoundError):
            os.stat(known, dir_fd=folder, follow_symlinks=False)
            return True
    return False


def _remove(folder: int, name: str) -> None:
    """Remove a file. Raises OSError; one that is gone already is fine."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


def _local(seconds: float, form: str) -> str:
    return time.strftime(form, time.localtime(seconds))
