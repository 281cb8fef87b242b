# SPDX-License-Identifier: GPL-3.0-or-later
"""What a scanner is and what it answers. A scanner never sees the store; scans/worker.py does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec


class Request(msgspec.Struct, frozen=True):
    """A scan as a scanner sees it. ``id`` is ours; ``attempt`` counts how often it was asked for, from 1."""

    id: str
    attempt: int
    addresses: Sequence[str]
    asked_ns: int
    reference: str = ""


class Launched(msgspec.Struct, frozen=True):
    """The scanner has it, under ``reference``. ``over``: it won't say more of it, so poll() ends it without asking."""

    reference: str
    text: str = ""
    over: bool = False


class Running(msgspec.Struct, frozen=True):
    """It isn't over."""


class Ended(msgspec.Struct, frozen=True):
    """It is over; ``error`` is why it failed, empty where it did not."""

    error: str = ""
    text: str = ""


class Later(msgspec.Struct, frozen=True):
    """Not now, and nothing was launched. ``after`` seconds, or the usual back-off."""

    reason: str
    after: float | None = None


class Refused(msgspec.Struct, frozen=True):
    """This scan will never be taken."""

    reason: str


class Unsure(msgspec.Struct, frozen=True):
    """It was asked for, and whether it was taken isn't known."""

    reason: str


class Absent(msgspec.Struct, frozen=True):
    """The scanner has no such scan; with ``known`` False it can't say."""

    known: bool = True


Outcome = Launched | Running | Ended | Later | Refused | Unsure | Absent


class Answer(msgspec.Struct, frozen=True):
    """An outcome, and for how many seconds the scanner wants to be left alone, whoever asks, with its reason."""

    outcome: Outcome
    pause: float = 0.0
    why: str = ""


class Scanner(Protocol):
    """Answers instead of raising for whatever the scanner does. One call, one request."""

    def launch(self, request: Request) -> Answer:
        """Launched, Later, Refused or Unsure."""

    def find(self, request: Request) -> Answer:
        """Whether a launch whose answer got lost was taken: Launched, Absent or Later."""

    def poll(self, request: Request) -> Answer:
        """Running, Ended or Later; ``request.reference`` is the scanner's."""
