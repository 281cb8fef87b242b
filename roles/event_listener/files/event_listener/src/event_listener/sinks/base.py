# SPDX-License-Identifier: GPL-3.0-or-later
"""What a sink is and what it answers. A sink never sees the store; its lane (relay.py) does.

A *stream* sink gets batches in order and keeps order per source. ``unit`` says what a batch holds: payloads (POSTs, as
the text log shows them) or events. A *local* sink writes files of this host and keeps its own cursor together with
them; any other sink's cursor is kept in the store, under a lease.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import msgspec

from event_listener.event import Event, Payload

Unit = Payload | Event
UnitName = Literal["payload", "event"]


class Ok(msgspec.Struct, frozen=True):
    """The whole batch was taken."""


class Retry(msgspec.Struct, frozen=True):
    """The first ``done`` units were taken; the rest comes again, after ``after`` seconds or the usual back-off."""

    reason: str
    done: int = 0
    after: float | None = None


class Reject(msgspec.Struct, frozen=True):
    """The first ``done`` units were taken; the next one never will be. The lane keeps note of it and goes on."""

    reason: str
    done: int = 0


Outcome = Ok | Retry | Reject


def shifted(outcome: Outcome, by: int) -> Outcome:
    """The outcome of a part of a batch, ``by`` units of which were taken before it."""
    return outcome if isinstance(outcome, Ok) else msgspec.structs.replace(outcome, done=outcome.done + by)


class Sink(Protocol):
    """Where events go."""

    unit: ClassVar[UnitName]

    @property
    def name(self) -> str:
        """Names its lane, its cursor and its metrics."""

    def send(self, batch: Sequence[Any]) -> Outcome:
        """Take a batch of ``unit``, oldest first. Answers instead of raising for whatever the destination does."""

    def close(self) -> None:
        """Let go of connections and files; what isn't confirmed comes again."""


@runtime_checkable
class LocalSink(Sink, Protocol):
    """A sink that keeps its cursor itself, with what it wrote."""

    def open(self, head: int) -> int:
        """Make good what a crash left and return the cursor; a new sink begins at ``head``. Raises OSError."""

    def position(self) -> int:
        """The unit after which to go on."""

    def confirmed(self) -> int:
        """Everything up to here survives a power cut."""

    def settle(self, *, idle: bool) -> Outcome:
        """Confirm what is written, at once when there is nothing else to do, else from time to time."""
