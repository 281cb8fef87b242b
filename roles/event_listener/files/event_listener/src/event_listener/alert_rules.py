# SPDX-License-Identifier: GPL-3.0-or-later
"""Which events raise an alert, and which resolve one: the configuration's rules and those that are there. No I/O."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence

import jmespath
import msgspec
from jmespath.exceptions import JMESPathError

from event_listener.event import Category, Event, Level, Origin, as_json
from event_listener.routes import truth
from event_listener.settings_alerts import AlertRule, AlertSettings

logger = logging.getLogger(__name__)

OWN = "RedfleetEvents.Alert"  # what begins so tells of alerts, and must never raise one
HEALTHY = ("health", "OK")  # state_of and new_state of an event

# Asked in this order, after the configuration's. What somebody who guesses passwords could undo is resolved by hand.
_DEFAULTS = (
    AlertRule(
        name="source-silent",
        types=["RedfleetEvents.SourceSilent"],
        cleared_by=["RedfleetEvents.SourceBack"],
        important=True,
        health_clears=False,
    ),
    # What a BMC itself says of gaps; its ids prove none (ADR 26).
    AlertRule(
        name="events-lost",
        types=["Base.EventBufferExceeded", "Base.SubscriptionTerminated"],
        health_clears=False,
    ),
    AlertRule(
        name="job-hangs",
        types=["RedfleetEvents.JobHangs", "RedfleetEvents.JobNotStarted"],
        cleared_by=["RedfleetEvents.JobGoesOn"],
        health_clears=False,
    ),
    AlertRule(
        name="sink-fails",
        types=["RedfleetEvents.SinkFails"],
        cleared_by=["RedfleetEvents.SinkWorks"],
        important=True,
        health_clears=False,
    ),
    AlertRule(
        name="failed-logins",
        types=["USER.LOGIN"],
        categories=[Category.ACTION],
        levels=[Level.ERROR],
        count=3,
        within=900,
        health_clears=False,
    ),
    AlertRule(
        name="listener",
        types=["RedfleetEvents.*"],
        categories=[Category.ALERT],
        levels=[Level.WARN, Level.ERROR],
        health_clears=False,
    ),
    AlertRule(name="hardware", categories=[Category.ALERT], levels=[Level.ERROR]),
)


class Rule:
    """One rule, compiled."""

    def __init__(self, said: AlertRule) -> None:
        self.said = said
        self.name = said.name
        self._levels, self._categories = frozenset(said.levels), frozenset(said.categories)
        self._types, self._clearing = _pattern(said.types), _pattern(said.cleared_by)
        self._where = jmespath.compile(said.where) if said.where else None
        self._failed = False

    def holds(self, event: Event) -> bool:
        """Whether the event is one that this rule is about."""
        if self._levels and event.level not in self._levels:
            return False
        if self._categories and event.category not in self._categories:
            return False
        if self._types is not None and not self._types.fullmatch(event.type):
            return False
        return self._where is None or self._is_so(event)

    def _is_so(self, event: Event) -> bool:
        try:
            return truth(self._where.search(as_json(event)))  # type: ignore[union-attr] # asked where there is one
        except JMESPathError as error:
            if not self._failed:
                self._failed = True
                logger.warning("alert.rules: where of %s fails for the event %s: %s", self.name, event.id, error)
            return False

    def clears(self, event: Event) -> bool:
        """Whether the event resolves the alerts that this rule raised for its resource."""
        if self.said.health_clears and (event.state_of, event.new_state) == HEALTHY:
            return True
        return self._clearing is not None and self._clearing.fullmatch(event.type) is not None


class Verdict(msgspec.Struct, frozen=True):
    """What an event does: the rule by which it raises an alert, if there is one, and those whose alerts it resolves."""

    event: Event
    raises: Rule | None
    clears: tuple[Rule, ...]


class Rulebook:
    """All rules, in their order."""

    def __init__(self, settings: AlertSettings) -> None:
        own = [Rule(said) for said in settings.rules]
        replaced = {rule.name for rule in own}
        there = (said for said in _DEFAULTS if said.name in settings.default_rules and said.name not in replaced)
        self.rules = [*own, *map(Rule, there)]
        self.max_open = settings.max_open_per_source

    def verdict(self, event: Event) -> Verdict | None:
        """What an event does; None for nothing. Repeats, tests, imports and what tells of alerts do nothing."""
        if event.origin is not Origin.LIVE or event.repeat_of is not None or event.type.startswith(OWN):
            return None
        clears = tuple(rule for rule in self.rules if rule.clears(event))
        raises = next((rule for rule in self.rules if rule.holds(event)), None)
        if raises is not None and raises.said.ignore:
            raises = None
        return Verdict(event, raises, clears) if raises is not None or clears else None


def problems(rules: Sequence[AlertRule]) -> Iterable[str]:
    """What is wrong with the configuration's rules, a sentence each."""
    for index, rule in enumerate(rules):
        try:
            jmespath.compile(rule.where or "@")
        except JMESPathError as error:
            yield f"alert.rules[{index}].where: not a JMESPath expression: {str(error).splitlines()[0]}"


def _pattern(types: Sequence[str]) -> re.Pattern[str] | None:
    if not types:
        return None
    return re.compile("|".join(".*".join(map(re.escape, one.split("*"))) for one in types), re.DOTALL)
