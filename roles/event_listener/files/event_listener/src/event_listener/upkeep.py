# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be told about the upkeep of a fleet, checked. No I/O."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from event_listener.event import nanoseconds
from event_listener.settings import SOURCE_ID_PATTERN

# What a look at the whole fleet can find; the labels of its metric.
FINDINGS = (
    "never_sent",
    "unknown_sender",
    "retired_sends",
    "not_subscribed",
    "foreign_destination",
    "unread",
)


class InvalidUpkeepError(ValueError):
    """What was told can't be taken; the text says why."""


class Cared(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was done for a source."""

    name: Annotated[str, msgspec.Meta(pattern=SOURCE_ID_PATTERN)]
    verdict: Annotated[str, msgspec.Meta(max_length=100)] | None = None
    repaired: bool = False
    complete: str | None = None


class Coverage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a look at the whole fleet found: names by finding, BMCs that were asked, unused slots where they are few."""

    asked: Annotated[int, msgspec.Meta(ge=0)]
    findings: dict[str, list[str]]
    free_slots: Annotated[int, msgspec.Meta(ge=0)] = 0


def changes(document: Any, now_ns: int) -> list[dict[str, Any]]:
    """Changes of `store.upkeep.Care` from decoded JSON. Raises InvalidUpkeepError."""
    try:
        told = msgspec.convert(document, list[Cared])
        return [_change(one, now_ns) for one in told]
    except (msgspec.ValidationError, ValueError) as error:
        raise InvalidUpkeepError(f"upkeep: {error}") from error


def _change(told: Cared, now_ns: int) -> dict[str, Any]:
    change: dict[str, Any] = {"source": told.name}
    if told.verdict is not None:
        change |= {"checked_ns": now_ns, "verdict": told.verdict}
    if told.repaired:
        change["repaired_ns"] = now_ns
    if told.complete is not None:
        # A mistake must not make the future complete: what happens then would never be looked for.
        change["complete_ns"] = min(nanoseconds(told.complete), now_ns)
    return change


def coverage_of(document: Any) -> Coverage:
    """Coverage from decoded JSON. Raises InvalidUpkeepError."""
    try:
        found = msgspec.convert(document, Coverage)
    except msgspec.ValidationError as error:
        raise InvalidUpkeepError(f"coverage: {error}") from error
    unknown = sorted(found.findings.keys() - set(FINDINGS))
    if unknown:
        raise InvalidUpkeepError(f"coverage: {', '.join(unknown)} is no finding; there are {', '.join(FINDINGS)}")
    return found
