# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lane takes from the log for its sink: the events that the routes choose, with the registry's facts at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from event_listener.redact import published
from event_listener.routes import Selector, SourceFacts, selector_for
from event_listener.settings import Settings
from event_listener.settings_bus import BusSink
from event_listener.sinks.base import Sink
from event_listener.store import Store


class Everything:
    """All units: what a file sink gets. ``batch`` 0: as the relay has it; ``retain_for`` 0: for ever."""

    batch, batch_interval, retain_for = 0, 0.0, 0.0

    def __call__(self, batch: Sequence[Any]) -> Sequence[Any]:
        """The batch."""
        return batch

    def counts(self) -> Mapping[str, int]:
        """Nothing is left out."""
        return {}


class Feed:
    """The events that the routes choose. Raises StoreUnavailableError when the registry can't be read."""

    def __init__(self, store: Store, selector: Selector, section: BusSink) -> None:
        self._store, self._selector = store, selector
        self.batch, self.batch_interval, self.retain_for = section.batch, section.batch_interval, section.retain_for
        self._facts: dict[str, SourceFacts] = {}
        self._version = -1

    def __call__(self, batch: Sequence[Any]) -> Sequence[Any]:
        """The chosen events of a batch, in the same order, without secrets."""
        if self._selector.asks_registry:
            self._refresh()
        return [published(event) for event in self._selector.chosen(batch, self._facts)]

    def counts(self) -> Mapping[str, int]:
        """``expression_failed``: how often a route's JMESPath expression could not be evaluated."""
        return {"expression_failed": self._selector.failed}

    def _refresh(self) -> None:
        version = self._store.sources.version()
        if version != self._version:
            self._facts = facts_of(self._store)
            self._version = version


def facts_of(store: Store) -> dict[str, SourceFacts]:
    """What the registry says now. Raises StoreUnavailableError."""
    return {source.name: SourceFacts(source.labels, source.domain or "") for source in store.sources.list()}


def feed_for(sink: Sink, settings: Settings, store: Store) -> Everything | Feed:
    """What a sink gets."""
    section = next((item for item in settings.sinks.bus() if item.name == sink.name), None)
    if section is None:
        return Everything()
    selector = selector_for(sink.name, settings.routes, settings.publish)
    return Feed(store, selector, section)
