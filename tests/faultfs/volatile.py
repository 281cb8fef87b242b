# SPDX-License-Identifier: GPL-3.0-or-later
"""What a power cut would take back: the old content of pages, sizes and directory entries that were not synced.

The backing directory always holds the newest state; here is how to undo what no fsync has covered. A file's pages are
covered by an fsync of the file, its name by an fsync of its directory, as POSIX promises and no more.
"""

from __future__ import annotations

import contextlib
import os
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

PAGE = 4096


@dataclass
class _File:
    """``before``: page number to its durable bytes; ``dirty``: pages written since the last fsync, failed or not."""

    path: Path
    size: int
    before: dict[int, bytes] = field(default_factory=dict)
    dirty: set[int] = field(default_factory=set)
    lock: threading.RLock = field(default_factory=threading.RLock)


@dataclass
class _Step:
    """A change of a directory, and how to undo it."""

    directories: set[str]
    undo: Callable[[], None]
    settle: Callable[[], None]


class Volatile:
    """One per mounted disk; for many threads."""

    def __init__(self, backing: Path, graveyard: Path) -> None:
        self._backing = backing
        self._graveyard = graveyard
        self._files: dict[int, _File] = {}
        self._steps: list[_Step] = []
        self._buried = 0
        self._lock = threading.RLock()

    # Files.

    @contextlib.contextmanager
    def changing(self, descriptor: int, path: Path) -> Iterator[None]:
        """Hold the file against an fsync while it is written to or cut."""
        file = self._file(descriptor, path)
        with file.lock:
            yield

    def note(self, descriptor: int, path: Path, offset: int, size: int) -> None:
        """Remember the pages of ``[offset, offset + size)``, which are about to change."""
        file = self._file(descriptor, path)
        if not file.before and not file.dirty:
            file.size = os.fstat(descriptor).st_size
        for page in range(offset // PAGE, (offset + size + PAGE - 1) // PAGE):
            if page not in file.before:
                file.before[page] = os.pread(descriptor, PAGE, page * PAGE)
            file.dirty.add(page)

    def _file(self, descriptor: int, path: Path) -> _File:
        status = os.fstat(descriptor)
        with self._lock:
            return self._files.setdefault(status.st_ino, _File(path, status.st_size))

    def sync(self, descriptor: int, path: Path, work: Callable[[], bool]) -> None:
        """An fsync: what was written before it is durable once ``work`` returned true.

        False is a failed one: as on Linux its pages count as clean, so the next fsync doesn't cover them.
        """
        file = self._file(descriptor, path)
        with file.lock:
            good = work()
            if good:
                for page in file.dirty:
                    file.before.pop(page, None)
                file.size = os.fstat(descriptor).st_size
            file.dirty.clear()

    # Directories.

    def created(self, path: Path) -> None:
        """A file, a directory or a link was made."""
        inode = os.lstat(path).st_ino

        def undo() -> None:
            if _inode(path) == inode:
                self._bury(path)  # with all that is in it, however well that was synced

        self._did({path.parent}, undo)

    def unlink(self, path: Path) -> None:
        """Remove a file, so that it can be brought back. Raises OSError."""
        grave = self._bury(path)
        self._did({path.parent}, lambda: os.rename(grave, path), lambda: self._forget(grave))

    def rmdir(self, path: Path) -> None:
        """Remove a directory. Raises OSError."""
        path.rmdir()
        self._did({path.parent}, path.mkdir)

    def rename(self, old: Path, new: Path) -> None:
        """Give a file another name, over what has it now. Raises OSError."""
        grave = self._bury(new) if os.path.lexists(new) and not new.is_dir() else None
        os.rename(old, new)

        def undo() -> None:
            os.rename(new, old)
            if grave is not None:
                os.rename(grave, new)

        self._did({old.parent, new.parent}, undo, (lambda: self._forget(grave)) if grave else _nothing)
        with self._lock:
            inode = _inode(new)
            if inode in self._files:
                self._files[inode].path = new

    def _bury(self, path: Path) -> Path:
        with self._lock:
            self._buried += 1
            grave = self._graveyard / str(self._buried)
            os.rename(path, grave)
            inode = _inode(grave)
            if inode in self._files:
                self._files[inode].path = grave
        return grave

    def _forget(self, grave: Path) -> None:
        """The file is gone for good; its inode number may come back with another one."""
        with self._lock:
            self._files.pop(_inode(grave) or 0, None)
            grave.unlink(missing_ok=True)

    def _did(self, directories: set[Path], undo: Callable[[], None], settle: Callable[[], None] | None = None) -> None:
        with self._lock:
            self._steps.append(_Step(set(map(str, directories)), undo, settle or _nothing))

    def sync_directory(self, path: Path) -> None:
        """An fsync of a directory: its entries are durable."""
        with self._lock:
            done = [step for step in self._steps if str(path) in step.directories]
            self._steps = [step for step in self._steps if str(path) not in step.directories]
        for step in done:
            step.settle()

    def sync_all(self) -> None:
        """A syncfs."""
        with self._lock:
            for step in self._steps:
                step.settle()
            self._steps.clear()
            self._files.clear()

    # The power cut.

    def lose(self, rng: random.Random | None = None) -> int:
        """Take back what wasn't synced: all of it, or with ``rng`` a random part. Returns how many things.

        A file system may write pages in any order, and directory changes in theirs; ``rng`` picks such a state.
        """
        lost = 0
        with self._lock:
            for file in self._files.values():
                lost += _revert(file, rng)
            keep = rng.randrange(len(self._steps) + 1) if rng else 0
            for step in reversed(self._steps[keep:]):
                step.undo()
                lost += 1
            for step in self._steps[:keep]:
                step.settle()
            self._steps.clear()
            self._files.clear()
        return lost


def _revert(file: _File, rng: random.Random | None) -> int:
    if not file.before or not file.path.exists():
        return 0
    lost = 0
    with file.path.open("r+b") as opened:
        descriptor = opened.fileno()
        size = rng.choice([file.size, os.fstat(descriptor).st_size]) if rng else file.size
        for page, old in file.before.items():
            if rng is None or rng.random() < 0.5:
                os.pwrite(descriptor, old.ljust(PAGE, b"\0"), page * PAGE)
                lost += 1
        os.ftruncate(descriptor, size)
    return lost


def _inode(path: Path) -> int | None:
    try:
        return os.lstat(path).st_ino
    except FileNotFoundError:
        return None


def _nothing() -> None:
    """Nothing is left to clean up."""
