# SPDX-License-Identifier: GPL-3.0-or-later
"""Which events a sink gets: the configuration's routes and category switches, compiled. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jmespath
import msgspec
from jmespath.exceptions import JMESPathError

from event_listener import topic
from event_listener.event import Category, Event, as_json
from event_listener.settings_bus import Publish, Route


class SourceFacts(msgspec.Struct, frozen=True):
    """What the registry says about a source, as far as routes ask for it."""

    labels: Mapping[str, str] = {}
    domain: str = ""


UNKNOWN = SourceFacts()
Condition = Callable[[Event, SourceFacts], bool]
Conditions = Mapping[str, Condition]  # by what they are about
_SWITCHES = {
    Category.ACTION: "publish.action",
    Category.ALERT: "publish.alert",
    Category.USAGE: "publish.usage",
    Category.RESOURCE_STATE: "publish.resource_state",
    Category.ASYNC_JOB: "publish.async_job",
}


class Verdict(msgspec.Struct, frozen=True):
    """Whether a sink gets an event: the ``route`` that takes it, or None and a reason of each route against it."""

    route: str | None
    reasons: tuple[str, ...] = ()


class RouteError(ValueError):
    """A route that can't be used; the text says which and why."""


def key_of(event: Event) -> str:
    """The routing key of an event."""
    return topic.key(event.source, event.category.value, event.type, event.resource_type, event.resource_id)


class Selector:
    """What one sink gets. ``asks_registry``: whether facts about sources change the answer."""

    def __init__(self, routes: Sequence[Route], publish: Publish) -> None:
        self._categories: frozenset[Category] = publish.categories()
        self._names = [route.name for route in routes]
        self._routes = [_conditions(route) for route in routes]
        self.asks_registry = any(route.labels or route.domains or route.where for route in routes)
        self.failed = 0  # expressions that an event made fail

    def chosen(self, events: Iterable[Event], facts: Mapping[str, SourceFacts]) -> list[Event]:
        """The events that are to be sent, in the same order."""
        return [event for event in events if self.takes(event, facts.get(event.source, UNKNOWN))]

    def takes(self, event: Event, facts: SourceFacts) -> bool:
        """Whether one of the routes wants the event."""
        return event.category in self._categories and any(self._holds(route, event, facts) for route in self._routes)

    def explain(self, event: Event, facts: SourceFacts) -> Verdict:
        """The same as :meth:`takes`, and why; counts no failed expression."""
        if event.category not in self._categories:
            return Verdict(None, (f"{event.category} is not published ({_SWITCHES[event.category]})",))
        reasons = []
        for name, route in zip(self._names, self._routes, strict=True):
            against = _against(route, event, facts)
            if against is None:
                return Verdict(name)
            reasons.append(f"route {name}: {against}")
        return Verdict(None, tuple(reasons) or ("no route names it",))

    def _holds(self, conditions: Conditions, event: Event, facts: SourceFacts) -> bool:
        try:
            return all(condition(event, facts) for condition in conditions.values())
        except JMESPathError:  # a function on a value of the wrong type: contains(message, 'x') without a message
            self.failed += 1
            return False


def selector_for(sink: str, routes: Sequence[Route], publish: Publish) -> Selector:
    """What a sink gets: with no routes at all, every live event of the published categories."""
    own = [route for route in routes if sink in route.sinks] if routes else [Route(name="all", sinks=[sink])]
    return Selector(own, publish)


def problems(routes: Sequence[Route], sinks: Sequence[str]) -> Iterable[str]:
    """What is wrong with the routes, a sentence each. ``sinks``: the names that there are."""
    for index, route in enumerate(routes):
        for name in route.sinks:
            if name not in sinks:
                yield f"routes[{index}].sinks: there is no sink {name}; there are: {', '.join(sinks) or 'none'}"
        try:
            _conditions(route)
        except RouteError as error:
            yield f"routes[{index}].where: {error}"
    for name in sinks:
        if routes and not any(name in route.sinks for route in routes):
            yield f"routes: none names the sink {name}, so it would get nothing; name it in a route or remove it"


def _conditions(route: Route) -> Conditions:
    """The conditions of a route, cheapest first."""
    found: dict[str, Condition] = {"origins": _in_origins(route)}
    if route.levels:
        levels = frozenset(route.levels)
        found["levels"] = lambda event, _facts: event.level in levels
    if route.domains:
        found["domains"] = _below(route.domains)
    if route.labels:
        wanted = route.labels.items()
        found["labels"] = lambda _event, facts: wanted <= facts.labels.items()
    if route.topics and "#" not in route.topics:
        patterns = tuple(route.topics)
        found["topics"] = lambda event, _facts: _matches_one(patterns, event)
    if route.where:
        found["where"] = _expression(route.where)
    return found


def _against(conditions: Conditions, event: Event, facts: SourceFacts) -> str | None:
    """The first condition that doesn't hold, in words of which there are few: they are counted."""
    for what, condition in conditions.items():
        try:
            if condition(event, facts):
                continue
        except JMESPathError:
            return "where can't be evaluated"
        value = {"origins": event.origin.value, "levels": event.level.value}.get(what)
        return f"{value} is not in {what}" if value else f"{what} don't match" if what != "where" else "where is false"
    return None


def _in_origins(route: Route) -> Condition:
    origins = frozenset(route.origins)
    return lambda event, _facts: event.origin in origins


def _below(domains: Sequence[str]) -> Condition:
    """``/a/`` holds itself and ``/a/b/``, never ``/ab/``: compared with the slash at the end."""
    prefixes = tuple(domain.rstrip("/") + "/" for domain in domains)
    return lambda _event, facts: bool(facts.domain) and (facts.domain.rstrip("/") + "/").startswith(prefixes)


def _matches_one(patterns: Sequence[str], event: Event) -> bool:
    key = key_of(event)
    return any(topic.matches(pattern, key) for pattern in patterns)


def _expression(text: str) -> Condition:
    try:
        compiled = jmespath.compile(text)
    except JMESPathError as error:
        raise RouteError(f"not a JMESPath expression: {str(error).splitlines()[0]}") from error

    def holds(event: Event, facts: SourceFacts) -> bool:
        shown = {**as_json(event), "labels": dict(facts.labels), "domain": facts.domain}
        return truth(compiled.search(shown))

    return holds


def truth(value: Any) -> bool:
    """True as JMESPath has it: everything but null, false, and empty text, lists and objects. 0 is true."""
    return value is not None and value is not False and value not in ("", [], {})
