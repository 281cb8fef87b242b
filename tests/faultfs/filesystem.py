# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk that fails on purpose, as a FUSE file system over a backing directory.

    filesystem.py BACKING MOUNTPOINT

Orders come as JSON lines on standard input, one answer each on standard output; its end unmounts. See disk.py, which
is what tests use. `volatile.py` knows what a power cut takes back.
"""

from __future__ import annotations

import errno
import functools
import json
import os
import random
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mfusepy

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.faultfs.volatile import Volatile

_STAT = ("st_ino", "st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_blocks")
_BLOCK = 4096


class Trouble:
    """What the disk does wrong now."""

    def __init__(self) -> None:
        self.sync_seconds = 0.0
        self.failing_syncs = 0
        self.read_only = False
        self.capacity = 1 << 40
        self.cut = False
        self.cut_after_syncs = -1
        self.syncs = 0

    def check(self, *, writes: bool = False) -> None:
        """Raise OSError where a call can't be served."""
        if self.cut:
            raise OSError(errno.EIO, "there is no power")
        if writes and self.read_only:
            raise OSError(errno.EROFS, "read-only")

    def sync(self, work: Callable[[], None]) -> bool:
        """Whether an fsync succeeds; raises OSError when the power goes during it."""
        self.check(writes=False)
        time.sleep(self.sync_seconds)
        self.check(writes=False)
        self.syncs += 1
        if self.cut_after_syncs == 0:
            self.cut = True
            raise OSError(errno.EIO, "the power went during an fsync")
        self.cut_after_syncs -= self.cut_after_syncs > 0
        if self.failing_syncs > 0:
            self.failing_syncs -= 1
            return False
        work()
        return True


def _served(writes: bool = False) -> Callable[[Any], Any]:
    """Refuse the call where the disk can't serve it."""

    def decorate(method: Any) -> Any:
        @functools.wraps(method)
        def call(self: FaultFilesystem, *arguments: Any) -> Any:
            self.trouble.check(writes=writes)
            return method(self, *arguments)

        return call

    return decorate


class FaultFilesystem(mfusepy.Operations):
    """Calls with a path and a handle, which is a descriptor of the backing file."""

    use_ns = True

    def __init__(self, backing: Path, graveyard: Path) -> None:
        self.root = backing
        self.trouble = Trouble()
        self.volatile = Volatile(backing, graveyard)
        self._space = threading.Lock()
        self._used = sum(path.stat().st_size for path in backing.rglob("*") if path.is_file())

    def _real(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    # Looking.

    @_served()
    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        status = os.fstat(fh) if fh is not None else os.lstat(self._real(path))
        times = {f"st_{name}time": getattr(status, f"st_{name}time_ns") for name in "amc"}
        return {name: getattr(status, name) for name in _STAT} | times

    @_served()
    def readdir(self, path: str, fh: int) -> list[str]:  # noqa: ARG002 - the library's signature
        return [".", "..", *os.listdir(self._real(path))]

    @_served()
    def readlink(self, path: str) -> str:
        return os.readlink(self._real(path))

    @_served()
    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:  # noqa: ARG002 - same
        return os.pread(fh, size, offset)

    def statfs(self, path: str) -> dict[str, int]:  # noqa: ARG002 - same
        free = max(0, self.trouble.capacity - self._used) // _BLOCK
        total = self.trouble.capacity // _BLOCK
        return {"f_bsize": _BLOCK, "f_frsize": _BLOCK, "f_blocks": total, "f_bfree": free, "f_bavail": free}

    # Files.

    def open(self, path: str, flags: int) -> int:
        writes = bool(flags & (os.O_WRONLY | os.O_RDWR))
        self.trouble.check(writes=writes)
        # The handle also serves what the kernel's cache has to read or to write.
        return os.open(self._real(path), os.O_RDWR if writes else os.O_RDONLY)

    @_served(writes=True)
    def create(self, path: str, mode: int, fi: Any = None) -> int:  # noqa: ARG002 - same
        self._need_room()
        real = self._real(path)
        descriptor = os.open(real, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
        self.volatile.created(real)
        return descriptor

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        # What SQLite shares between processes is mapped memory. A kernel keeps its pages while a disk is read-only;
        # here it would drop those that it couldn't write back, and read old ones again.
        self.trouble.check(writes=not path.endswith("-shm"))
        real = self._real(path)
        with self.volatile.changing(fh, real):
            self._take(max(0, offset + len(data) - os.fstat(fh).st_size))
            self.volatile.note(fh, real, offset, len(data))
            return os.pwrite(fh, data, offset)

    @_served(writes=True)
    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        real = self._real(path)
        descriptor = os.open(real, os.O_RDWR) if fh is None else fh
        try:
            with self.volatile.changing(descriptor, real):
                size = os.fstat(descriptor).st_size
                self._take(length - size)
                self.volatile.note(descriptor, real, min(length, size), abs(length - size))
                os.ftruncate(descriptor, length)
        finally:
            if fh is None:
                os.close(descriptor)
        return 0

    def _take(self, size: int) -> None:
        """Use up space, or give it back. Raises OSError when there is none."""
        with self._space:
            if size > 0 and self._used + size > self.trouble.capacity:
                raise OSError(errno.ENOSPC, "no space")
            self._used += size

    def _need_room(self) -> None:
        """A new name needs some space, too."""
        with self._space:
            if self._used >= self.trouble.capacity:
                raise OSError(errno.ENOSPC, "no space")

    def fsync(self, path: str, datasync: int, fh: int) -> int:  # noqa: ARG002 - same
        failed = False

        def work() -> bool:
            nonlocal failed
            failed = not self.trouble.sync(lambda: None)
            return not failed

        self.volatile.sync(fh, self._real(path), work)
        if failed:
            raise OSError(errno.EIO, "fsync failed, as ordered")
        return 0

    def fsyncdir(self, path: str, datasync: int, fh: int) -> int:  # noqa: ARG002 - same
        if not self.trouble.sync(lambda: self.volatile.sync_directory(self._real(path))):
            raise OSError(errno.EIO, "fsync failed, as ordered")
        return 0

    def release(self, path: str, fh: int) -> int:  # noqa: ARG002 - same
        os.close(fh)
        return 0

    # Names.

    @_served(writes=True)
    def unlink(self, path: str) -> int:
        real = self._real(path)
        size = os.lstat(real).st_size
        self.volatile.unlink(real)
        self._take(-size)
        return 0

    @_served(writes=True)
    def rename(self, old: str, new: str) -> int:
        real = self._real(new)
        replaced = os.lstat(real).st_size if os.path.lexists(real) and not real.is_dir() else 0
        self.volatile.rename(self._real(old), real)
        self._take(-replaced)
        return 0

    @_served(writes=True)
    def mkdir(self, path: str, mode: int) -> int:
        self._need_room()
        self._real(path).mkdir(mode)
        self.volatile.created(self._real(path))
        return 0

    @_served(writes=True)
    def rmdir(self, path: str) -> int:
        self.volatile.rmdir(self._real(path))
        return 0

    @_served(writes=True)
    def symlink(self, target: str, source: str) -> int:
        os.symlink(source, self._real(target))
        self.volatile.created(self._real(target))
        return 0

    @_served(writes=True)
    def chmod(self, path: str, mode: int) -> int:
        os.chmod(self._real(path), mode)
        return 0

    @_served(writes=True)
    def chown(self, path: str, uid: int, gid: int) -> int:
        os.lchown(self._real(path), uid, gid)
        return 0

    @_served(writes=True)
    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        os.utime(self._real(path), ns=times, follow_symlinks=False)
        return 0


def _obey(disk: FaultFilesystem, order: dict[str, Any]) -> object:
    """Carry out one order. The power cut comes first, then, with nobody left who uses the disk, the loss."""
    trouble = disk.trouble
    if order["do"] == "set":
        for name, value in order["values"].items():
            if not hasattr(trouble, name):
                raise ValueError(f"there is no trouble called {name}")
            setattr(trouble, name, value)
    elif order["do"] == "lose":
        seed = order["seed"]
        return disk.volatile.lose(None if seed is None else random.Random(seed))
    return {"syncs": trouble.syncs, "cut": trouble.cut, "used": disk._used}


def _listen(disk: FaultFilesystem) -> None:
    """Take orders until nobody is there who gives them; then the file system goes with us."""
    for line in sys.stdin:
        try:
            answer = {"answer": _obey(disk, json.loads(line))}
        except (OSError, ValueError) as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)
    os._exit(0)


def main() -> None:
    """Mount, and serve until it is unmounted."""
    backing, mountpoint = Path(sys.argv[1]), sys.argv[2]
    graveyard = backing.with_name(backing.name + ".graves")
    shutil.rmtree(graveyard, ignore_errors=True)  # nobody brings back what an earlier mount buried
    graveyard.mkdir()
    os.umask(0)
    disk = FaultFilesystem(backing.resolve(), graveyard.resolve())
    threading.Thread(target=_listen, args=(disk,), daemon=True).start()
    # kernel_cache: as with a disk, what was read or mapped stays in memory when the file is opened again.
    options = {"kernel_cache": True, "fsname": "faultfs", "subtype": "faultfs", "auto_unmount": True, "max_threads": 16}
    semantics = {"use_ino": True, "hard_remove": True, "default_permissions": True, "allow_other": True}
    mfusepy.FUSE(disk, mountpoint, foreground=True, attr_timeout=0, entry_timeout=0, **options, **semantics)


if __name__ == "__main__":
    main()
