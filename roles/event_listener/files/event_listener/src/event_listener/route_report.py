# SPDX-License-Identifier: GPL-3.0-or-later
"""What routes would have sent of stored events: counted per sink, with samples and the reasons against. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from event_listener.event import Event, rfc3339
from event_listener.routes import UNKNOWN, Selector, SourceFacts, key_of, selector_for
from event_listener.settings import Settings


class SinkReport:
    """One sink: with the routes under test, and, where they are compared, with those that they replace."""

    def __init__(self, name: str, selector: Selector, before: Selector | None, samples: int) -> None:
        self.name = name
        self._selector, self._before, self._limit = selector, before, samples
        self.sent: Counter[str] = Counter()  # by route
        self.against: Counter[str] = Counter()  # by reason; an event has one of each route
        self.left_out = self.more = self.fewer = 0
        self.samples: dict[str, list[str]] = {"sent": [], "more": [], "fewer": []}

    def take(self, event: Event, facts: SourceFacts) -> None:
        """Count one event."""
        verdict = self._selector.explain(event, facts)
        if verdict.route is not None:
            self.sent[verdict.route] += 1
            self._sample("sent", event)
        else:
            self.left_out += 1
            self.against.update(verdict.reasons)
        if self._before is None:
            return
        before = self._before.takes(event, facts)
        if before is False and verdict.route is not None:
            self.more += 1
            self._sample("more", event)
        elif before and verdict.route is None:
            self.fewer += 1
            self._sample("fewer", event)

    def _sample(self, what: str, event: Event) -> None:
        if len(self.samples[what]) < self._limit:
            self.samples[what].append(f"{rfc3339(event.received_ns)} {event.id} {event.level} {key_of(event)}")

    def as_json(self) -> dict[str, Any]:
        """The same for programs."""
        shown: dict[str, Any] = {
            "sink": self.name,
            "sent": self.sent.total(),
            "by_route": dict(self.sent),
            "left_out": self.left_out,
            "reasons": dict(self.against.most_common()),
            "samples": self.samples["sent"],
        }
        if self._before is not None:
            changes = {"more": self.more, "fewer": self.fewer}
            shown |= changes | {f"samples_{what}": self.samples[what] for what in changes}
        return shown


class Report:
    """All sinks of a configuration. ``before``: the configuration to compare with."""

    def __init__(self, settings: Settings, before: Settings | None, samples: int) -> None:
        self.events = 0
        known = {sink.name for sink in before.sinks.bus()} if before else set()
        self.sinks = [
            SinkReport(sink.name, _selector(settings, sink.name), _before(before, sink.name, known), samples)
            for sink in settings.sinks.bus()
        ]

    def take(self, events: Sequence[Event], facts: Mapping[str, SourceFacts]) -> None:
        """Count a batch."""
        self.events += len(events)
        for event in events:
            of_source = facts.get(event.source, UNKNOWN)
            for sink in self.sinks:
                sink.take(event, of_source)


def _selector(settings: Settings, name: str) -> Selector:
    return selector_for(name, settings.routes, settings.publish)


def _before(settings: Settings | None, name: str, known: set[str]) -> Selector | None:
    """A sink that is new got nothing before."""
    if settings is None:
        return None
    return _selector(settings, name) if name in known else Selector([], settings.publish)
