# SPDX-License-Identifier: GPL-3.0-or-later
"""Append to many files so that each unit is in them exactly once, whatever ends the process.

A *mark* holds, in one durable transaction, the cursor and for each file its inode, size and count. Marks are made
after the files were synced: at once when the lane is idle, every ``sync_interval`` seconds in a storm. Whatever goes
wrong (kill -9, power cut, full disk, failed fsync), the files are cut back to the last mark and written again from its
cursor. Content depends on the unit alone, so what is written again is the same. One way back for all failures.

Rotation (rotation.py) is a mark and a rename. A file that another program renamed or removed (logrotate) is begun
anew too, and its count goes on. A file that was cut from outside (copytruncate) is taken as it is, with a warning: what
was written since the copy is lost there, so use rename.
docs/adr/0004-event-log-and-text-log.md has the reasons.
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import re
import stat
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from pathlib import Path

from event_listener.filesystems import make_directory
from event_listener.sinks.marks import FileMark, Marks
from event_listener.sinks.rotation import Rotation

logger = logging.getLogger(__name__)

_SAFE = re.compile(r"[A-Za-z0-9_:-][A-Za-z0-9._:-]{0,199}")
_UNSAFE = re.compile(r"[^A-Za-z0-9_:-]")
# Above this many changed files, one syncfs() of the file system costs less than an fsync() for each.
_FEW_FILES = 64
# After a mark that took longer than the interval between marks, the disk is left alone for so many times that, and at
# most for so many seconds.
REST = 4.0
LONGEST_REST = 10.0


class FileRefusedError(OSError):
    """A file in the directory isn't one that may be written to."""


def file_part(address: str) -> str:
    """An address as part of a file name: itself where that is safe, else cleaned, with a hash so that two stay two."""
    if _SAFE.fullmatch(address):
        return address
    digest = hashlib.sha256(address.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{_UNSAFE.sub('_', address)[:150]}~{digest}"


class ExactFiles:
    """The files of one sink. Not for two threads at once; a lock on the state directory keeps other processes off."""

    def __init__(
        self,
        directory: Path,
        marks: Path,
        *,
        sync_interval: float,
        max_open: int,
        count_in: Callable[[int, int], int],
        rotation: Rotation,
    ) -> None:
        """``count_in(descriptor, size)`` finds the count in a file that was there before us."""
        self._directory = directory
        self._marks = Marks(marks)
        self._sync_interval = sync_interval
        self._max_open = max_open
        self._count_in = count_in
        self._rotation = rotation
        self._folder = -1
        self._files: dict[str, FileMark] = {}
        self._open: OrderedDict[str, int] = OrderedDict()
        self._changed: set[str] = set()
        self._made = False  # a file since the last mark
        self._position = 0
        self._confirmed = 0
        self._marked_at = 0.0
        self._rest = 0.0

    def open(self, head: int) -> int:
        """Cut the files back to the last mark; returns its cursor, ``head`` where there is none. Raises OSError."""
        self.close()
        make_directory(self._directory)
        self._folder = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        position, marks = self._marks.load()
        now = self._rotation.now_ns()  # stands for the beginning of files that were marked before that was noted
        self._files = {mark.name: mark if mark.began_ns else mark.begun(now) for mark in marks}
        self._position = self._confirmed = head if position is None else position
        if position is None:
            self._marks.save([], self._position)
        for name, mark in self._files.items():
            self._cut_back(name, mark)
        self._changed.clear()
        self._marked_at = time.monotonic()
        return self._position

    @property
    def position(self) -> int:
        """The last unit written."""
        return self._position

    @property
    def confirmed(self) -> int:
        """The last unit under a mark."""
        return self._confirmed

    def append(self, units: Iterable[tuple[str, Callable[[int], bytes]]], through: int) -> None:
        """Write units, each to the file it names, and move the cursor.

        A unit's text is made by calling it with its count in its file. Raises OSError; then call :meth:`open`.
        """
        texts: dict[str, list[Callable[[int], bytes]]] = {}
        for name, render in units:
            texts.setdefault(name, []).append(render)
        self._prepare(texts)
        for name, renders in texts.items():
            mark = self._files[name]
            data = b"".join(render(mark.count + number) for number, render in enumerate(renders, 1))
            self._write(name, mark, data)
            self._files[name] = mark.grown(len(data), len(renders))
            self._changed.add(name)
        self._position = through

    def settle(self, *, idle: bool) -> None:
        """Make a mark where it is time for one. Raises OSError; then call :meth:`open`."""
        since = time.monotonic() - self._marked_at
        due = (idle or since >= self._sync_interval) and since >= self._rest
        if self._position > self._confirmed and due:
            self.mark()

    def mark(self) -> None:
        """Sync what was written and note where the files stand. Raises OSError."""
        began = time.monotonic()
        self._sync()
        took = time.monotonic() - began
        # A disk this busy is also the one that acknowledging waits for: leave it most of the time.
        self._rest = min(REST * took, LONGEST_REST) if took > self._sync_interval else 0.0
        self._marks.save([self._files[name] for name in self._changed], self._position)
        self._changed.clear()
        self._confirmed = self._position
        self._marked_at = time.monotonic()

    def finish(self) -> None:
        """Make the last mark, where one is lacking. Raises OSError."""
        if self._position > self._confirmed:
            self.mark()

    def close(self) -> None:
        """Let go of all files."""
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()
        if self._folder >= 0:
            os.close(self._folder)
            self._folder = -1

    def shut(self) -> None:
        """Close for good."""
        self.close()
        self._marks.close()

    def _cut_back(self, name: str, mark: FileMark) -> None:
        status = self._status(name)
        if status is None or not mark.is_of(status) or status.st_size <= mark.size:
            return
        descriptor = self._descriptor(name)
        os.ftruncate(descriptor, mark.size)
        os.fsync(descriptor)

    def _prepare(self, names: Iterable[str]) -> None:
        """Notice files that are new, renamed away, changed by others or long enough, and note them before anything is
        written."""
        news: dict[str, FileMark | None] = {}
        due = []
        for name in names:
            status = self._status(name)
            mark = self._files.get(name)
            if mark is None or status is None or not mark.is_of(status) or mark.size != status.st_size:
                news[name] = mark
            elif self._rotation.due(mark):
                news[name] = mark
                due.append(name)
        if not news:
            return
        if any(mark is not None for mark in news.values()) and self._position > self._confirmed:
            # What the old file holds must not be written again into the new one.
            self.mark()
        for name in due:
            self._forget(name)
            self._rotation.set_aside(self._folder, name)
        begun = [self._begin(name, mark) for name, mark in news.items()]
        self._marks.save(begun, self._confirmed)
        self._files.update({mark.name: mark for mark in begun})

    def _begin(self, name: str, before: FileMark | None) -> FileMark:
        """Open a file as it is now: a new one, one that another program left, or ours after somebody changed it."""
        self._forget(name)
        descriptor = self._descriptor(name)
        status = os.fstat(descriptor)
        began = int(status.st_mtime * 1e9) if status.st_size else self._rotation.now_ns()
        if before is not None and before.is_of(status):
            began = before.began_ns
            how = "shorter" if status.st_size < before.size else "longer"
            logger.warning(
                "%s was made %s by another program; going on at its end. Rotate it by renaming, not by copytruncate",
                self._directory / name,
                how,
            )
        count = before.count if before is not None else self._count_in(descriptor, status.st_size)
        return FileMark(name, status.st_dev, status.st_ino, status.st_size, count, began)

    def _status(self, name: str) -> os.stat_result | None:
        try:
            status = os.stat(name, dir_fd=self._folder, follow_symlinks=False)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(status.st_mode):
            kind = "a symbolic link" if stat.S_ISLNK(status.st_mode) else "no regular file"
            raise FileRefusedError(f"{self._directory / name} is {kind}; remove it, then writing goes on")
        return status

    def _descriptor(self, name: str) -> int:
        """An open descriptor; those used longest ago are closed."""
        if name in self._open:
            self._open.move_to_end(name)
            return self._open[name]
        while len(self._open) >= self._max_open:
            os.close(self._open.popitem(last=False)[1])
        flags = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        try:
            descriptor = os.open(name, flags, dir_fd=self._folder)
        except FileNotFoundError:
            descriptor = os.open(name, flags | os.O_CREAT | os.O_EXCL, 0o640, dir_fd=self._folder)
            self._made = True
        self._open[name] = descriptor
        return descriptor

    def _forget(self, name: str) -> None:
        if name in self._open:
            os.close(self._open.pop(name))

    def _write(self, name: str, mark: FileMark, data: bytes) -> None:
        descriptor = self._descriptor(name)
        if not mark.is_of(os.fstat(descriptor)):
            raise FileRefusedError(f"{self._directory / name} was replaced while it was written to")
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]

    def _sync(self) -> None:
        if len(self._changed) > _FEW_FILES and _syncfs(self._folder):
            self._made = False
            return
        for name in self._changed:
            os.fsync(self._descriptor(name))
        if self._made:
            os.fsync(self._folder)
            self._made = False


def _syncfs(descriptor: int) -> bool:
    """Sync the whole file system; False where there is no such call. Raises OSError (since Linux 5.8)."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if call is None:
        return False
    if call(descriptor) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "syncfs")
    return True
