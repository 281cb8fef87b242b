# SPDX-License-Identifier: GPL-3.0-or-later
"""The relay's thread that keeps what is on the disk within its bounds, and tells what was given up for it.

Payloads that were acknowledged and aren't indexed yet are never given up: ingest refuses at the journal's bound
(journal_bound.py), and what it refused is told here. docs/adr/0022-disk-bounds.md has the reasons.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from event_listener.disk_use import DiskUse, Part, database_bytes, publish
from event_listener.journal import JournalBrokenError, JournalReader, JournalUnavailableError
from event_listener.journal_bound import REFUSED, Refusals
from event_listener.reserve import Reserve
from event_listener.settings import Settings
from event_listener.settings_files import FileSink
from event_listener.sinks import rotation
from event_listener.store import Loss, Store, StoreUnavailableError, sqlite_path

logger = logging.getLogger(__name__)

_COUNT_AGAIN = 3600.0  # seconds; entries that were tried again make quarantine smaller meanwhile
_FILES = {"text_log": ".txt", "json_lines": ".jsonl"}
_ROOM = 10  # at a bound, one part of so many is made free


class Steward:
    """One look after another; for one thread."""

    def __init__(self, settings: Settings, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._disk, self._store, self._clock = settings, settings.disk, store, clock
        self.reserve = Reserve(settings.state_dir, self._disk.reserve)
        self._quarantine = 0, 0  # bytes, and of which entries: up to this one
        self._counted = -_COUNT_AGAIN
        self.quarantined: int | None = None  # bytes; None before the first look

    def step(self) -> DiskUse:
        """Look once. Raises StoreUnavailableError, JournalUnavailableError, JournalBrokenError, OSError."""
        parts = [self._journal(), self._held(), *self._files()]
        self._refused_by_sinks()
        parts.append(Part("events", self._store.space.look(self.quarantined or 0).size, self._disk.events))
        if not self._settings.event_log.url:
            parts.append(Part("event_log", database_bytes(sqlite_path(self._settings.state_dir))))
        self.reserve.keep()
        parts.append(Part("reserve", self.reserve.held()))
        use = DiskUse(time.time_ns(), parts)
        publish(self._settings.state_dir, use)
        return use

    def _journal(self) -> Part:
        """Measure it, and tell what ingest refused since the last look."""
        with JournalReader(self._settings.state_dir) as reader:
            for key, value in reader.notes(REFUSED).items():
                refused = msgspec.json.decode(value, type=Refusals)
                self._tell(
                    Loss(
                        what="refused",
                        count=refused.count,
                        first_ns=refused.first_ns,
                        last_ns=refused.last_ns,
                        reason=refused.reason,
                        unique=f"{reader.journal_id}:{refused.first_ns}",
                    )
                )
                reader.forget_note(key)
            return Part("journal", reader.used_bytes(), self._disk.journal)

    def _held(self) -> Part:
        """Measure quarantine, and remove its oldest entries at the bound."""
        if self._clock() - self._counted >= _COUNT_AGAIN:
            self._quarantine, self._counted = (0, 0), self._clock()
        size, through = self._quarantine
        more, through = self._store.quarantine.bytes_after(through)
        size += more
        bound = self._disk.quarantine
        excess = size - bound + bound // _ROOM if 0 < bound <= size else 0
        while excess > 0:
            give_up = functools.partial(self._store.quarantine.give_up, excess, bound)
            count, gone = self.reserve.lend(give_up, StoreUnavailableError)
            logger.warning("%d payloads were removed from quarantine: it reached disk.quarantine", count)
            size, excess = size - gone, excess - gone if count else 0
        self._quarantine = max(0, size), through
        self.quarantined = max(0, size)
        return Part("quarantine", max(0, size), bound)

    def _refused_by_sinks(self) -> None:
        """Remove the oldest notes of a sink that has as many as it may."""
        if bound := self._disk.rejected:
            give_up = functools.partial(self._store.rejections.give_up, bound, max(1, bound // _ROOM))
            if count := self.reserve.lend(give_up, StoreUnavailableError):
                logger.warning("%d notes of what sinks refused were removed: they reached disk.rejected", count)

    def _files(self) -> list[Part]:
        found = []
        for name, suffix in _FILES.items():
            sink: FileSink = getattr(self._settings.sinks, name)
            if sink.enabled:
                found.append(self._files_of(name, Path(sink.directory), suffix))
        return found

    def _files_of(self, name: str, directory: Path, suffix: str) -> Part:
        """Measure the files of a sink, and remove the oldest that were set aside at the bound."""
        bound = self._disk.files
        size, aside = rotation.measure(directory, suffix)
        if not 0 < bound <= size:
            return Part(name, size, bound)
        gone = rotation.oldest(aside, size - bound + bound // _ROOM)
        if gone:
            lost = sum(taken for _item, taken in gone)
            first, last = gone[0][0], gone[-1][0]
            # Told before: what is gone and wasn't told, since we were killed in between, nobody would ever know.
            self._tell(
                Loss(
                    what=name,
                    count=len(gone),
                    size=lost,
                    first_ns=_moment(first.stamp),
                    last_ns=_moment(last.stamp),
                    reason=f"the files in {directory} reached their bound of {bound} bytes (disk.files)",
                    unique=f"{self._store.place}:{first.name}:{last.name}:{len(gone)}",
                )
            )
            rotation.remove(directory, (item for item, _taken in gone))
            size -= lost
        return Part(name, size, bound)

    def _tell(self, loss: Loss) -> None:
        if self.reserve.lend(lambda: self._store.given_up.tell(loss), StoreUnavailableError):
            logger.warning("given up: %d of %s: %s", loss.count, loss.what, loss.reason)


class StewardThread(threading.Thread):
    """Looks every ``seconds`` until told to stop."""

    def __init__(self, steward: Steward, seconds: float, stop: threading.Event) -> None:
        super().__init__(name="steward")
        self._steward, self._seconds, self._stopped = steward, seconds, stop

    def run(self) -> None:
        """Until told to stop."""
        failed = ""
        while not self._stopped.is_set():
            try:
                self._steward.step()
                failed = ""
            except (StoreUnavailableError, JournalUnavailableError, JournalBrokenError, OSError) as error:
                if str(error) != failed:  # once per cause
                    failed = str(error)
                    logger.warning("the use of the disk can't be looked after now: %s", error)
            self._stopped.wait(self._seconds)


def _moment(stamp: str) -> int:
    return int(datetime.strptime(stamp, rotation.STAMP).replace(tzinfo=UTC).timestamp() * 1e9)
