# SPDX-License-Identifier: GPL-3.0-or-later
"""What the listener takes of the disk, as the relay measured it last; how it is handed to the management server."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec


class Part(msgspec.Struct, frozen=True):
    """Bytes that a part takes, and its bound (0: none)."""

    name: str
    used: int
    bound: int = 0

    @property
    def is_full(self) -> bool:
        """Whether it has reached its bound."""
        return 0 < self.bound <= self.used


class DiskUse(msgspec.Struct, frozen=True):
    """All parts, and when they were measured (ns)."""

    measured_ns: int
    parts: list[Part] = []


def _path(state_dir: str | Path) -> Path:
    return Path(state_dir) / "run" / "disk.json"


def publish(state_dir: str | Path, use: DiskUse) -> None:
    """Replace what was measured before. Raises OSError."""
    path = _path(state_dir)
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(msgspec.json.encode(use))
    os.chmod(temporary, 0o640)
    temporary.replace(path)


def published(state_dir: str | Path) -> DiskUse | None:
    """What was measured last; None before the first time, or where it can't be read."""
    try:
        return msgspec.json.decode(_path(state_dir).read_bytes(), type=DiskUse)
    except (OSError, msgspec.DecodeError):
        return None


def database_bytes(path: Path) -> int:
    """Bytes of an SQLite file and what stands beside it; 0 where there is none. Raises OSError."""
    total = 0
    for ending in ("", "-wal", "-shm"):
        try:
            total += os.stat(f"{path}{ending}").st_size
        except FileNotFoundError:
            continue
    return total
