# SPDX-License-Identifier: GPL-3.0-or-later
"""Which types of events a webhook gets, as CloudStack filters them: an exclude wins, includes are alternatives. No I/O.

Matching minds case. Without any include, everything is included. Filters of which one can never have an effect are
refused; CloudStack computes such a conflict and then ignores it.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

MOST = 100


class Mode(enum.StrEnum):
    """What a filter does with events that it matches."""

    INCLUDE = "Include"
    EXCLUDE = "Exclude"


class Match(enum.StrEnum):
    """How a filter looks at the type."""

    EXACT = "Exact"
    PREFIX = "Prefix"
    SUFFIX = "Suffix"
    CONTAINS = "Contains"


class Filter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One filter on the type of events."""

    value: Annotated[str, Meta(min_length=1, max_length=255)]
    mode: Mode = Mode.INCLUDE
    match: Match = Match.EXACT

    def matches(self, event_type: str) -> bool:
        """Whether it matches a type."""
        return _TESTS[self.match](event_type, self.value)

    def covers(self, other: Filter) -> bool:
        """Whether it matches every type that the other one matches."""
        if other.match is Match.EXACT:
            return self.matches(other.value)
        # A longer beginning has the shorter one; anything that holds a text holds what is in that text.
        return self.match in (other.match, Match.CONTAINS) and self.matches(other.value)

    def __str__(self) -> str:
        return f"{self.mode} {self.match} {self.value!r}"


_TESTS: dict[Match, Callable[[str, str], bool]] = {
    Match.EXACT: str.__eq__,
    Match.PREFIX: str.startswith,
    Match.SUFFIX: str.endswith,
    Match.CONTAINS: str.__contains__,
}


def passes(filters: Sequence[Filter], event_type: str) -> bool:
    """Whether an event of this type goes through all of them."""
    included = not any(item.mode is Mode.INCLUDE for item in filters)
    for item in filters:
        if item.matches(event_type):
            if item.mode is Mode.EXCLUDE:
                return False
            included = True
    return included


def conflict(filters: Sequence[Filter]) -> str:
    """Why these can't stand together: a filter that has no effect beside another one; empty where they can."""
    if len(filters) > MOST:
        return f"{len(filters)} filters are more than {MOST}"
    for index, item in enumerate(filters):
        for other in (*filters[:index], *filters[index + 1 :]):
            if item.mode is other.mode and other.covers(item):
                return f"filter {item} has no effect beside {other}: leave it out"
            if item.mode is Mode.INCLUDE and other.mode is Mode.EXCLUDE and other.covers(item):
                return f"filter {item} includes only what {other} excludes: leave one of them out"
    return ""
