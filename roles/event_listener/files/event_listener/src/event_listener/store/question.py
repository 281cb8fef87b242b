# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be asked of the event log. No I/O: store/selection.py makes SQL of it."""

from __future__ import annotations

import functools
import re
from typing import Literal

import msgspec

from event_listener import words
from event_listener.event import Event
from event_listener.policy import EVERYTHING, Owner, Reach, Scope

Archived = Literal["no", "only", "all"]
MAX_LIMIT = 1000
SETS = (
    "source",
    "category",
    "type",
    "level",
    "origin",
    "id",
    "resource_type",
    "resource_id",
    "state",
    "start_id",
    "domain",
    "account",
    "site",
)
_EXACT = tuple(name for name in SETS if name != "type")


def is_pattern(type_: str) -> bool:
    """Whether a type stands for several."""
    return "*" in type_


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """Which events: all conditions hold; of a set, any value. ``after`` and ``before`` are exclusive ``seq`` limits.

    A ``type`` with ``*`` is a pattern. ``below`` is a domain with its subtree, ``keyword`` words that are all there
    (words.py), ``archived`` whether archived events are among them. ``scope`` is what the asker may see; it is never
    the asker's to say.
    """

    after: int = 0
    before: int | None = None
    limit: int = 100
    order: Literal["asc", "desc"] = "desc"
    source: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    type: tuple[str, ...] = ()
    level: tuple[str, ...] = ()
    origin: tuple[str, ...] = ()
    id: tuple[str, ...] = ()
    resource_type: tuple[str, ...] = ()
    resource_id: tuple[str, ...] = ()
    start_id: tuple[str, ...] = ()
    domain: tuple[str, ...] = ()
    account: tuple[str, ...] = ()
    site: tuple[str, ...] = ()
    state: tuple[str, ...] = ()
    below: str = ""
    keyword: str = ""
    archived: Archived = "no"
    since_ns: int | None = None
    until_ns: int | None = None
    scope: Scope = EVERYTHING

    def holds(self, event: Event) -> bool:
        """Whether an event is one of those asked for: the same as `conditions`, without the database."""
        if event.seq <= self.after or (self.before is not None and event.seq >= self.before):
            return False
        if self.since_ns is not None and event.received_ns < self.since_ns:
            return False
        if self.until_ns is not None and event.received_ns >= self.until_ns:
            return False
        owner = Owner(event.domain, event.account)
        if not self.scope.holds(owner) or (self.below and not Scope(Reach.SUBTREE, self.below).holds(owner)):
            return False
        if self.keyword and not words.matches(words.asked(self.keyword), _words_of(event)):
            return False
        if self.archived != "all" and event.archived != (self.archived == "only"):
            return False
        return all(getattr(event, name) in values for name in _EXACT if (values := getattr(self, name))) and (
            not self.type or self.takes_type(event.type)
        )

    def names_some(self) -> bool:
        """Whether there is a condition at all, beside what the asker may see."""
        periods = self.since_ns is not None or self.until_ns is not None
        return periods or bool(self.below or self.keyword) or any(getattr(self, name) for name in SETS)

    def takes_type(self, name: str) -> bool:
        """Whether a type is asked for: one of ``type``, or matched by a pattern there."""
        return any(_pattern(one).fullmatch(name) if is_pattern(one) else one == name for one in self.type)


@functools.lru_cache(maxsize=256)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, text.split("*"))), re.DOTALL)


def _words_of(event: Event) -> list[str]:
    return words.words(
        event.source, event.type, event.resource_type, event.resource_id, event.message, event.message_args
    )
