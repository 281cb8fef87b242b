# SPDX-License-Identifier: GPL-3.0-or-later
"""``Events_<address>.jsonl``: each event record as the API shows it, one JSON object per line."""

from __future__ import annotations

from typing import ClassVar

from event_listener.event import Event, as_json
from event_listener.sinks.base import UnitName
from event_listener.sinks.bodies import to_json
from event_listener.sinks.file_sink import FileSink


class JsonLines(FileSink[Event]):
    """One line per event."""

    name: ClassVar[str] = "json_lines"
    unit: ClassVar[UnitName] = "event"
    suffix: ClassVar[str] = ".jsonl"

    def render(self, unit: Event, count: int) -> bytes:  # noqa: ARG002 - lines aren't numbered
        """The line."""
        return to_json(as_json(unit)) + b"\n"
