# SPDX-License-Identifier: GPL-3.0-or-later
"""How much a worker bears from an address that hasn't shown credentials. No I/O; one object per worker, no threads.

A *stranger* is a connection on which no request was authenticated yet. Strangers and refusals are counted per address,
and an address with too many of either is turned away before the TLS handshake, which is the dearest part. What has
authenticated is never counted, and an address that did so within the hour, or is registered, is *known*: behind it may
be a NAT with a thousand BMCs that a power event made speak at once. IPv6 addresses that aren't known count per /64,
because who has one address there has them all.
"""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

WINDOW_SECONDS = 60.0
KNOWN_SECONDS = 3600.0
# Addresses remembered; the oldest goes first. Bounds the memory, whoever knocks.
_TABLE = 16384

Value = TypeVar("Value")


class Visit:
    """One connection. It counts as a stranger from `enter` until `welcome` or `leave`."""

    def __init__(self, admission: Admission, address: str, key: str) -> None:
        self._admission = admission
        self._address = address
        self._key = key
        self.stranger = True

    def welcome(self) -> None:
        """A request on it was authenticated."""
        self._admission.remember(self._address)
        self.leave()

    def leave(self) -> None:
        """It ended, or counts no more; again does no harm."""
        if self.stranger:
            self.stranger = False
            self._admission.left(self._key)


class Admission:
    """`strangers` and `refusals` (a minute) are what one unknown address may have; `registered` knows addresses.

    A known address may have `known_strangers` at once. An address of "" (a Unix socket, a trusted proxy) stands for
    many and isn't limited.
    """

    def __init__(
        self,
        *,
        strangers: int,
        known_strangers: int,
        refusals: int,
        registered: Callable[[str], bool] = lambda _address: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = strangers, known_strangers
        self._refusals = refusals
        self._registered = registered
        self._clock = clock
        self._strangers: dict[str, int] = {}
        self._known: OrderedDict[str, float] = OrderedDict()
        self._refused: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def enter(self, address: str) -> Visit | str:
        """Return the visit of a new connection, or why there is none: "connections" or "refusals"."""
        known = self.is_known(address)
        key = _key(address, exact=known)
        held = self._strangers.get(key, 0)
        if address and held >= self._limits[known]:
            return "connections"
        if not known and self.is_flooding(address):
            return "refusals"
        self._strangers[key] = held + 1
        return Visit(self, address, key)

    def left(self, key: str) -> None:
        """Count a stranger less."""
        held = self._strangers.pop(key) - 1
        if held:
            self._strangers[key] = held

    def remember(self, address: str) -> None:
        """Authenticated just now: the address is known for the next hour."""
        _put(self._known, address, self._clock())

    def is_known(self, address: str) -> bool:
        """Whether the address authenticated within the hour, or is registered."""
        seen = self._known.get(address)
        return (seen is not None and self._clock() - seen < KNOWN_SECONDS) or self._registered(address)

    def refused(self, address: str) -> None:
        """Count a refusal, for credentials or for what isn't HTTP or TLS."""
        if not address:
            return
        key, window = _key(address, exact=False), self._window()
        began, count = self._refused.get(key, (window, 0))
        _put(self._refused, key, (window, count + 1 if began == window else 1))

    def is_flooding(self, address: str) -> bool:
        """Whether the address was refused too often within this minute."""
        began, count = self._refused.get(_key(address, exact=False), (0, 0))
        return count >= self._refusals and began == self._window()

    def wait_seconds(self) -> int:
        """Return how long a flooding address has to wait, at least 1."""
        return max(1, int(WINDOW_SECONDS - self._clock() % WINDOW_SECONDS))

    def _window(self) -> int:
        return int(self._clock() // WINDOW_SECONDS)


def _key(address: str, *, exact: bool) -> str:
    if exact or ":" not in address:
        return address
    try:
        return str(ipaddress.IPv6Network((address, 64), strict=False))
    except ValueError:
        return address


def _put(table: OrderedDict[str, Value], key: str, value: Value) -> None:
    table[key] = value
    table.move_to_end(key)
    if len(table) > _TABLE:
        table.popitem(last=False)
