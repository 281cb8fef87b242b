# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal is refused where fsync and locks can't be trusted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from event_listener import filesystems


def mountinfo(tmp_path: Path, mounts: list[tuple[str, str, str]]) -> str:
    """Write a file as proc(5) describes; each mount is (device, mount point, type)."""
    path = tmp_path / "mountinfo"
    path.write_text("".join(f"1 1 {device} / {point} rw shared:1 - {kind} src rw\n" for device, point, kind in mounts))
    return str(path)


def test_the_deepest_mount_counts(tmp_path: Path):
    """A network mount below a local one is found, by the path where the device doesn't tell."""
    inside = tmp_path / "a b"
    inside.mkdir()
    mounts = [("0:1", "/", "ext4"), ("0:2", str(inside).replace(" ", "\\040"), "nfs4"), ("0:3", "/other", "xfs")]
    assert filesystems.filesystem_type(inside, mountinfo(tmp_path, mounts)) == "nfs4"
    assert filesystems.filesystem_type(tmp_path, mountinfo(tmp_path, mounts)) == "ext4"


def test_the_device_counts_before_the_path(tmp_path: Path):
    """A bind mount elsewhere has our device."""
    device = tmp_path.stat().st_dev
    mounts = [(f"{os.major(device)}:{os.minor(device)}", "/", "xfs"), ("0:9", str(tmp_path.parent), "tmpfs")]
    assert filesystems.filesystem_type(tmp_path, mountinfo(tmp_path, mounts)) == "xfs"


def test_this_machine_is_local(tmp_path: Path):
    """The real file is understood."""
    assert filesystems.filesystem_type(tmp_path)
    filesystems.refuse_network_filesystem(tmp_path)


@pytest.mark.parametrize(
    ("kind", "refused"),
    [("nfs4", True), ("cifs", True), ("fuse.sshfs", True), ("ext4", False), ("fuse.gocryptfs", False)],
)
def test_network_types_are_refused(tmp_path: Path, kind: str, refused: bool):
    """By name, with what to do."""
    path = mountinfo(tmp_path, [("0:1", "/", kind)])
    if refused:
        with pytest.raises(filesystems.NetworkFilesystemError, match="set state_dir to a local disk"):
            filesystems.refuse_network_filesystem(tmp_path, path)
    else:
        filesystems.refuse_network_filesystem(tmp_path, path)
