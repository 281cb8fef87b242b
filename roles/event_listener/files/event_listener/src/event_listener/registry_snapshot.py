# SPDX-License-Identifier: GPL-3.0-or-later
"""What the ingest process knows of the registry of sources: one JSON file, written by the relay after a change."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

from event_listener.addresses import canonical_address
from event_listener.path_secret import PathSecret

RECHECK_SECONDS = 1.0


class SourceEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """The part of a source that ingest needs."""

    name: str
    address: str | None = None
    state: str = "active"
    response_status: int | None = None
    path_secrets: list[PathSecret] = []


class Snapshot(msgspec.Struct, frozen=True):
    """The file's content."""

    sources: list[SourceEntry]


def snapshot_path(state_dir: str | Path) -> Path:
    """Return where the snapshot is."""
    return Path(state_dir) / "registry.json"


def write_snapshot(state_dir: str | Path, sources: Iterable[SourceEntry]) -> None:
    """Replace the snapshot atomically. Raises OSError."""
    path = snapshot_path(state_dir)
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(msgspec.json.encode(Snapshot(list(sources))))
    os.chmod(temporary, 0o640)
    temporary.replace(path)


class RegistryView:
    """The snapshot in memory, read again (at most once a second) when the file changed."""

    def __init__(self, state_dir: str | Path) -> None:
        self._path = snapshot_path(state_dir)
        self._stamp: tuple[int, int, int] | None = None
        self._checked = -RECHECK_SECONDS
        self._by_name: dict[str, SourceEntry] = {}
        self._by_address: dict[str, SourceEntry] = {}
        self.problem = ""

    def find(self, source: str | None, peer: str) -> SourceEntry | None:
        """Return the registered source of a POST: by the id in its path, without one by the peer's address."""
        self._refresh()
        if source is not None:
            return self._by_name.get(source)
        return self._by_address.get(peer)

    def _refresh(self) -> None:
        now = time.monotonic()
        if now - self._checked < RECHECK_SECONDS:
            return
        self._checked = now
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_ino, status.st_size)
            if stamp != self._stamp:
                self._load(msgspec.json.decode(self._path.read_bytes(), type=Snapshot))
                self._stamp = stamp
            self.problem = ""
        except FileNotFoundError:
            self._load(Snapshot([]))
            self._stamp = None
        except (OSError, msgspec.DecodeError) as error:
            # The last good registry stays in use: refusing a whole fleet for a torn file would be worse.
            self.problem = f"the registry snapshot {self._path} can't be read ({error}); the last one stays in use"

    def _load(self, snapshot: Snapshot) -> None:
        self._by_name = {entry.name: entry for entry in snapshot.sources}
        self._by_address = {
            canonical_address(entry.address): entry for entry in snapshot.sources if entry.address is not None
        }
