# SPDX-License-Identifier: GPL-3.0-or-later
"""What the file sinks share: one file per source, each unit exactly once."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from event_listener.event import Event, Origin, Payload
from event_listener.settings_files import FileSink as FileSinkSettings
from event_listener.sinks.base import Ok, Outcome, Retry, UnitName
from event_listener.sinks.exact_files import ExactFiles, file_part
from event_listener.sinks.rotation import Rotation, Tidier

U = TypeVar("U", Payload, Event)


class FileSink(Generic[U]):
    """Appends each unit to ``Events_<address><suffix>``."""

    name: ClassVar[str]
    unit: ClassVar[UnitName]
    suffix: ClassVar[str]

    def __init__(self, settings: FileSinkSettings, state_dir: str | Path) -> None:
        self._settings = settings
        self._rotation = Rotation(settings.rotate)
        self._tidier: Tidier | None = None
        self._files = ExactFiles(
            Path(settings.directory),
            Path(state_dir) / "sinks" / f"{self.name}.db",
            sync_interval=settings.sync_interval,
            max_open=settings.max_open_files,
            count_in=self.count_in,
            rotation=self._rotation,
        )
        self._head = 0
        self._broken = False

    def render(self, unit: U, count: int) -> bytes:
        """The text of a unit, the ``count``-th of its file. The same for the same arguments, always."""
        raise NotImplementedError

    def count_in(self, descriptor: int, size: int) -> int:  # noqa: ARG002 - for those whose files hold a count
        """The count that a file from before us ends with."""
        return 0

    def open(self, head: int) -> int:
        """Make good what a crash left; returns the cursor. Raises OSError."""
        self._head, self._broken = head, False
        position = self._files.open(head)
        if self._tidier is None:
            settings = self._settings
            self._tidier = Tidier(settings.rotate, Path(settings.directory), self.suffix, self._rotation.happened)
            self._tidier.start()
        return position

    def position(self) -> int:
        """The unit after which to go on."""
        return self._files.position

    def confirmed(self) -> int:
        """Everything up to here survives a power cut."""
        return self._files.confirmed

    def send(self, batch: Sequence[U]) -> Outcome:
        """Write a batch."""
        units = [
            (f"Events_{file_part(unit.address)}{self.suffix}", functools.partial(self.render, unit))
            for unit in batch
            if unit.origin is not Origin.IMPORT  # it comes from such a file
        ]
        return self._guarded(lambda: self._files.append(units, batch[-1].seq))

    def settle(self, *, idle: bool) -> Outcome:
        """Confirm what is written, where it is time."""
        return self._guarded(lambda: self._files.settle(idle=idle))

    def _guarded(self, action: Callable[[], None]) -> Outcome:
        """Do it; after an error, and before anything else is written, go back to the last mark."""
        try:
            if self._broken:
                self._files.open(self._head)
                self._broken = False
                return Retry("cut back to the last mark", after=0.0)
            action()
        except OSError as error:
            self._broken = True
            return Retry(_sentence(error))
        return Ok()

    def close(self) -> None:
        """Confirm what is written, as far as that can be done, and let go of the files."""
        if not self._broken:
            self._guarded(self._files.finish)
        self._files.shut()
        if self._tidier is not None:
            self._tidier.end()
            self._tidier = None


def _sentence(error: OSError) -> str:
    return f"{os.strerror(error.errno)}: {error.filename}" if error.errno and error.filename else str(error)
