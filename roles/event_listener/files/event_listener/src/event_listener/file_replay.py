# SPDX-License-Identifier: GPL-3.0-or-later
"""What a file sink would write, written once more into a file of its own: for a log that was lost, for an auditor."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from event_listener.settings import Settings
from event_listener.sinks import load, sections
from event_listener.store import Store

_BATCH = 500
STDOUT = "-"


class NotAFileSinkError(ValueError):
    """The name is of no sink that writes files; the text says which there are."""


def write(
    settings: Settings, store: Store, name: str, position: int, since_ns: int, source: str, out: IO[bytes]
) -> int:
    """Write all units of the log after ``position`` (an event's), counted from 1; returns how many.

    ``since_ns`` leaves out what was received before, ``source`` what others sent; 0 and empty: nothing. Raises
    NotAFileSinkError, StoreUnavailableError, OSError.
    """
    sink = _file_sink(settings, name)
    count = 0
    for unit in _units(store, sink.unit, position):
        if unit.received_ns >= since_ns and source in ("", unit.source):
            count += 1
            out.write(sink.render(unit, count))
    return count


@contextlib.contextmanager
def new_file(path: str) -> Iterator[IO[bytes]]:
    """A new file, on the disk at the end, gone after an error; ``-`` is standard output. Raises OSError."""
    if path == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
    try:
        with open(descriptor, "wb") as out:
            yield out
            out.flush()
            os.fsync(descriptor)
    except BaseException:
        Path(path).unlink(missing_ok=True)
        raise


def _file_sink(settings: Settings, name: str) -> Any:
    found = {kind: section for kind, section in sections(settings) if hasattr(section, "directory")}
    if name not in found:
        raise NotAFileSinkError(f"{name} writes no files; those that do: {', '.join(found) or 'none'}")
    return load(name)(found[name], settings.state_dir)


def _units(store: Store, unit: str, position: int) -> Iterator[Any]:
    """Payloads or events, oldest first. A payload comes before its events, so it is looked for from theirs on."""
    read: Any = store.log.read_events_after
    if unit == "payload":
        read = store.log.read_payloads_after
        before = store.log.read_events_after(position - 1, 1) if position else []
        first = store.log.read_events_after(position, 1)
        position = before[0].payload_id if before else 0
        if first and before and first[0].payload_id == before[0].payload_id:
            position -= 1  # an event from the middle of a payload: all of it
    while batch := read(position, _BATCH):
        yield from batch
        position = batch[-1].seq
