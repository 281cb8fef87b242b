# SPDX-License-Identifier: GPL-3.0-or-later
"""Where events go: one file per kind, and the table that names them. A sink never imports the store."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, cast

from event_listener.event import Event
from event_listener.settings import Settings
from event_listener.settings_base import Section
from event_listener.sinks.base import Outcome, Retry, Sink, UnitName

# A kind is a section of `sinks` in the settings. Its class is imported when it is configured: some need an extra.
SINKS: dict[str, str] = {
    "text_log": "event_listener.sinks.text_log:TextLog",
    "json_lines": "event_listener.sinks.json_lines:JsonLines",
    "syslog": "event_listener.sinks.syslog:Syslog",
    "amqp": "event_listener.sinks.amqp:Amqp",
    "kafka": "event_listener.sinks.kafka:Kafka",
    "http": "event_listener.sinks.http:Http",
    "qualys": "event_listener.sinks.scan:Scan",
    "http_scan": "event_listener.sinks.scan:Scan",
}


class MissingExtraError(Exception):
    """A kind of sink whose library isn't installed."""


class Unavailable:
    """Stands for a sink that can't be made: its events wait, its lane says why, the others go on."""

    unit: ClassVar[UnitName] = "event"

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self._reason = reason

    def counts(self) -> Mapping[str, int]:
        """Nothing."""
        return {}

    def send(self, batch: Sequence[Event]) -> Outcome:  # noqa: ARG002 - whatever it is
        """Wait for better times: a restart with the library installed."""
        return Retry(self._reason)

    def close(self) -> None:
        """There is nothing."""


def load(kind: str) -> Any:
    """The class of a kind of sink. Raises MissingExtraError."""
    module, name = SINKS[kind].split(":")
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"a sink of kind {kind} needs the Python package {error.name}: "
            f"install the listener with its extra, redfleet-event-listener[{kind}]"
        ) from error


def sections(settings: Settings) -> list[tuple[str, Section]]:
    """The configured sinks: kind and settings."""
    found: list[tuple[str, Section]] = []
    for kind in SINKS:
        section = getattr(settings.sinks, kind)
        if isinstance(section, list):
            found += [(kind, item) for item in section]
        elif section.enabled:
            found.append((kind, section))
    return found


def configured(settings: Settings) -> list[Sink]:
    """The sinks that the settings switch on."""
    return [_make(kind, section, Path(settings.state_dir)) for kind, section in sections(settings)]


def problems(settings: Settings) -> Iterator[str]:
    """What keeps sinks from being made, and what they refer to from being used; a sentence each."""
    for kind, section in sections(settings):
        try:
            made = load(kind)
        except MissingExtraError as error:
            yield f"sinks.{kind}: {error}"
            continue
        if hasattr(made, "problems"):
            name = getattr(section, "name", kind)
            yield from (f"sinks.{kind}: {name}: {problem}" for problem in made.problems(section))


def _make(kind: str, section: Any, state_dir: Path) -> Sink:
    try:
        return cast("Sink", load(kind)(section, state_dir))
    except MissingExtraError as error:
        return Unavailable(section.name, str(error))
