# SPDX-License-Identifier: GPL-3.0-or-later
"""``Events_<address>.jsonl``: each event record as the API shows it, one JSON object per line."""

from __future__ import annotations

import json
from typing import ClassVar

from event_listener.event import Event, as_json
from event_listener.sinks.base import UnitName
from event_listener.sinks.file_sink import FileSink

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class JsonLines(FileSink[Event]):
    """One line per event."""

    name: ClassVar[str] = "json_lines"
    unit: ClassVar[UnitName] = "event"
    suffix: ClassVar[str] = ".jsonl"

    def render(self, unit: Event, count: int) -> bytes:  # noqa: ARG002 - lines aren't numbered
        """The line."""
        return _encode(as_json(unit)).encode() + b"\n"
