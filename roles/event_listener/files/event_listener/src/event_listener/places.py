# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a lane's cursor is kept, and who may move it: with a local sink's files, or in the store under a lease."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Protocol

from event_listener.sinks.base import LocalSink, Ok, Outcome, Sink
from event_listener.store import FencedError, Lease, Store, StoreUnavailableError

LEASE_SECONDS = 10.0


class Place(Protocol):
    """Where a lane's cursor is kept."""

    def begin(self) -> bool:
        """Find the cursor; False while another process runs this lane. Raises OSError, StoreUnavailableError."""

    def position(self) -> int:
        """The unit after which to go on."""

    def advance(self, position: int, counts: Mapping[str, int]) -> None:
        """The sink took everything up to ``position``. Raises FencedError, StoreUnavailableError."""

    def taken_by(self) -> str:
        """Who keeps the lane from running here; empty for nobody. Raises StoreUnavailableError."""

    def ours(self) -> bool:
        """Whether the lane still is where :meth:`begin` and :meth:`advance` left it. Raises StoreUnavailableError."""

    def renew(self) -> None:
        """Keep the lane. Raises FencedError, StoreUnavailableError."""

    def settle(self, *, idle: bool) -> Outcome:
        """Confirm. Raises FencedError, StoreUnavailableError."""

    def end(self) -> None:
        """Let another process have the lane."""


class OwnPlace:
    """A local sink keeps its cursor; the store gets a copy of what is confirmed, for lag and retention."""

    def __init__(self, sink: LocalSink, store: Store) -> None:
        self._sink, self._store = sink, store
        self._copied: int | None = None

    def begin(self) -> bool:
        """A new sink, and one whose own cursor was lost, begins at the store's."""
        self._sink.open(admit(self._sink, self._store))
        self._copy()
        return True

    def position(self) -> int:
        """As the sink says."""
        return self._sink.position()

    def advance(self, position: int, counts: Mapping[str, int]) -> None:
        """The sink did so itself."""

    def taken_by(self) -> str:
        """Files are never paused, and belong to their host."""
        return ""

    def ours(self) -> bool:
        """They are."""
        return True

    def renew(self) -> None:
        """There is no lease."""

    def settle(self, *, idle: bool) -> Outcome:
        """Have the sink confirm, and copy its cursor."""
        outcome = self._sink.settle(idle=idle)
        self._copy()
        return outcome

    def _copy(self) -> None:
        if (confirmed := self._sink.confirmed()) != self._copied:
            self._store.cursors.advance(cursor_name(self._sink.name), confirmed)
            self._copied = confirmed

    def end(self) -> None:
        """Confirm what is written; the copy follows at the next start."""
        self._sink.close()


class LeasedPlace:
    """A cursor in the store, under a lease: several relays may run, one of them runs this lane.

    The lease is renewed by :class:`Keeper` as long as the process lives, also while the sink waits for its peer.
    """

    def __init__(self, sink: Sink, store: Store, holder: str, ttl: float = LEASE_SECONDS) -> None:
        self._sink, self._store, self._holder, self._ttl = sink, store, holder, ttl
        self._renewing = threading.Lock()
        self._lease: Lease | None = None
        self._position = 0
        self._renewed = 0.0

    def begin(self) -> bool:
        """Take the lease and read the cursor."""
        with self._renewing:
            self._lease = self._store.cursors.acquire(self._sink.name, self._holder, self._ttl)
            if self._lease is None:
                return False
            self._renewed = time.monotonic()
        self._position = admit(self._sink, self._store)
        return True

    def position(self) -> int:
        """The last unit that the sink confirmed."""
        return self._position

    def advance(self, position: int, counts: Mapping[str, int]) -> None:
        """Move the cursor while the lease holds."""
        named = {f"{self._sink.name}:{what}": count for what, count in counts.items() if count}
        self._store.cursors.advance(cursor_name(self._sink.name), position, self._lease, named)
        self._position = position

    def taken_by(self) -> str:
        """Who holds the lease; an operator who paused the sink is one of them."""
        holder = self._store.cursors.holder(self._sink.name)
        return "" if holder == self._holder else holder

    def ours(self) -> bool:
        """False once the lane, having begun, was paused, rewound or taken over."""
        return self._lease is None or self._store.cursors.holds(self._lease)

    def settle(self, *, idle: bool) -> Outcome:  # noqa: ARG002 - renewing is due in a storm too
        """Renew the lease where it is time."""
        self.renew()
        return Ok()

    def renew(self) -> None:
        """Renew the lease once a third of it is over; from any thread. Raises FencedError when it is lost."""
        with self._renewing:
            if self._lease is None or time.monotonic() - self._renewed < self._ttl / 3:
                return
            renewed = self._store.cursors.acquire(self._sink.name, self._holder, self._ttl)
            if renewed is None or renewed.fence != self._lease.fence:
                raise FencedError(f"lane {self._sink.name} was paused, rewound or taken over")
            self._lease, self._renewed = renewed, time.monotonic()

    def end(self) -> None:
        """Release the lease, so that another relay needn't wait for its end."""
        self._sink.close()
        with self._renewing:
            if self._lease is not None:
                self._store.cursors.release(self._lease)
            self._lease = None


class Keeper(threading.Thread):
    """Renews the leases of a relay, so that a sink that waits long for its peer isn't taken over by another relay."""

    def __init__(self, places: Iterable[Place], stop: threading.Event, every: float = LEASE_SECONDS / 6) -> None:
        super().__init__(name="lease-keeper", daemon=True)
        self._places, self._stop_event, self._every = list(places), stop, every

    def run(self) -> None:
        """Until ``stop`` is set."""
        while not self._stop_event.wait(self._every):
            for place in self._places:
                # Whatever it is, the lane meets it too, and says so; a lease that isn't renewed just ends.
                with contextlib.suppress(FencedError, StoreUnavailableError):
                    place.renew()


def cursor_name(sink: str) -> str:
    """The name of a sink's cursor in the store."""
    return f"sink:{sink}"


def admit(sink: Sink, store: Store) -> int:
    """The cursor of a sink in the store; a new sink gets one, at the last unit. Raises StoreUnavailableError."""
    name = cursor_name(sink.name)
    position = store.cursors.get(name)
    if position is None:
        position = store.cursors.begin(name, store.log.payload_head() if sink.unit == "payload" else store.log.head())
    return position
