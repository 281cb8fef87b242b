# SPDX-License-Identifier: GPL-3.0-or-later
"""Which file system a path is on. SQLite's locks and fsync can't be trusted over a network."""

from __future__ import annotations

import os
from pathlib import Path

MOUNTINFO = "/proc/self/mountinfo"
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
