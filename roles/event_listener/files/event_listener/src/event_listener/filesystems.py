# SPDX-License-Identifier: GPL-3.0-or-later
"""Which file system a path is on, directories that survive a power cut, and SQLite's files on a disk that takes none.

SQLite's locks and fsync can't be trusted over a network.
"""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

_PART = 1 << 20
MOUNTINFO = "/proc/self/mountinfo"
_DESCRIPTORS = "/proc/self/fd"
NETWORK_TYPES = frozenset(
    {
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "davfs",
        "gfs2",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "orangefs",
        "smb2",
        "smb3",
        "smbfs",
    }
)
NETWORK_FUSE = frozenset({"ceph", "ceph-fuse", "glusterfs", "gcsfuse", "rclone", "s3fs", "sshfs", "davfs", "juicefs"})


class NetworkFilesystemError(OSError):
    """The directory is on a network file system."""


def filesystem_type(path: Path, mountinfo: str = MOUNTINFO) -> str:
    """Return the kernel's name of the file system that holds `path` (proc(5), mountinfo); "" if it can't be told."""
    device = os.stat(path).st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    resolved = Path(os.path.realpath(path))
    best, kind = -1, ""
    for line in Path(mountinfo).read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        fields, _dash, rest = line.partition(" - ")
        number, point = fields.split(" ")[2], fields.split(" ")[4].replace("\\040", " ")
        # btrfs and overlays give files another device number than their mount, so the longest path decides then.
        score = len(point) + (100_000 if number == wanted else 0)
        if resolved.is_relative_to(point) and score > best:
            best, kind = score, rest.split(" ")[0]
    return kind


def refuse_network_filesystem(directory: Path, mountinfo: str = MOUNTINFO) -> None:
    """Raise NetworkFilesystemError when `directory` is on one, naming it and what to do."""
    kind = filesystem_type(directory, mountinfo)
    prefix, _dot, fuse = kind.partition(".")
    if kind in NETWORK_TYPES or (prefix == "fuse" and fuse in NETWORK_FUSE):
        raise NetworkFilesystemError(
            f"{directory} is on {kind}, a network file system, where locks and fsync can't be trusted; "
            "set state_dir to a local disk"
        )


def make_directory(path: Path, mode: int = 0o750) -> None:
    """Make a directory and its parents, and sync their names: what is in it is lost with its name. Raises OSError.

    Also one that was there is synced, since who made it may have been stopped before that.
    """
    path.mkdir(mode=mode, parents=True, exist_ok=True)
    for folder in (path, path.parent, path.parent.parent):
        sync_directory(folder)


def sync_again(path: Path) -> None:
    """Make sure that the disk has a file's bytes, also after an fsync of it has failed. Raises OSError.

    The kernel calls the pages of a failed fsync clean, and the next fsync a success; what is written again is synced.
    Nobody may write to the file meanwhile. A file that isn't there needs nothing.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        _write_again(descriptor)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_again(descriptor: int) -> None:
    offset = 0
    try:
        while part := os.pread(descriptor, _PART, offset):
            offset += os.pwrite(descriptor, part, offset)
    except OSError as error:
        # A full disk that copies on write takes not even this; then the sync alone has to do.
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise


def refuse_read_only(path: Path) -> None:
    """Raise OSError (EROFS) when SQLite could open a file's log for reading only: its disk takes no writes now.

    Call it after the first statement of each new connection, and close that connection. All connections of a process
    share how the log's index was opened until none is left at one moment: one that stayed to read would keep all others
    from writing long after the disk takes writes again. Asked of the kernel, as SQLite may say "busy" instead.
    """
    names = {os.path.realpath(path) + suffix for suffix in ("-wal", "-shm")}
    for number in os.listdir(_DESCRIPTORS):
        try:
            opened = os.readlink(f"{_DESCRIPTORS}/{number}")
            if opened not in names or fcntl.fcntl(int(number), fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY:
                continue
        except OSError:  # another thread has closed it
            continue
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable. One that we may not read isn't one that we made. Raises OSError."""
    if not os.access(path, os.R_OK):
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems have nothing to sync in a directory, and say so.
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)
