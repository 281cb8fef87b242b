# SPDX-License-Identifier: GPL-3.0-or-later
"""What a message bus is to the process that reads it. A bus is used by one thread, once: when it breaks, a new one is
made."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from event_listener.store import Store


class BusError(Exception):
    """The bus can't be used now; the text says which, and why. What wasn't confirmed comes again."""


class Message(msgspec.Struct, frozen=True):
    """One message as it arrived. ``labels`` is what the body doesn't say: a routing key, a partition's key."""

    body: bytes
    content_type: str = ""
    labels: Mapping[str, str] = {}


class Bus(Protocol):
    """A connection that delivers messages. All methods raise BusError."""

    @property
    def peer(self) -> str:
        """Who is at the other end, as the event log's ``peer``: ``host:port``."""

    def receive(self, seconds: float) -> Sequence[Message]:
        """What has arrived, waiting up to ``seconds`` for the first. Not called again before :meth:`confirm`."""

    def confirm(self) -> None:
        """What :meth:`receive` returned last is durable; the bus may forget it."""

    def idle(self, seconds: float) -> None:
        """Let time pass and stay alive to the peer, while what was received can't be stored."""

    def depth(self) -> int | None:
        """Messages that wait on the bus for us; None where that isn't known."""

    def lost(self) -> int:
        """Messages that the bus says it gave up since :meth:`forget_lost`, because too many waited."""

    def forget_lost(self) -> None:
        """What :meth:`lost` told is known."""

    def warnings(self) -> Sequence[str]:
        """What works only in part, a sentence each: an exchange that isn't there, for one."""

    def close(self) -> None:
        """Leave."""


class Opened(msgspec.Struct, frozen=True):
    """An input, ready to run. ``clean`` takes secrets out of a body before it is stored anywhere."""

    name: str
    """The source of its events."""
    connect: Callable[[], Bus]
    clean: Callable[[bytes], bytes]
    follow: Callable[[Store, threading.Event], threading.Thread] | None = None
    """What works with its events once they are in the event log: a thread that ends when told to stop."""
    problems: Callable[[], Sequence[str]] = list
    """What can't be used, found out without connecting."""
