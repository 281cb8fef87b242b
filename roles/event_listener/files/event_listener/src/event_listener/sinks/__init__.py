# SPDX-License-Identifier: GPL-3.0-or-later
"""Where events go: one file per kind, and the table that names them. A sink never imports the store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from event_listener.settings import Settings
from event_listener.sinks.base import Sink
from event_listener.sinks.json_lines import JsonLines
from event_listener.sinks.text_log import TextLog

# A name here is a section of `sinks` in the settings, a lane of the relay and a label in the metrics.
SINKS: dict[str, Callable[[Any, Path], Sink]] = {
    TextLog.name: TextLog,
    JsonLines.name: JsonLines,
}


def configured(settings: Settings) -> list[Sink]:
    """The sinks that the settings switch on."""
    sections = ((make, getattr(settings.sinks, name)) for name, make in SINKS.items())
    return [make(section, Path(settings.state_dir)) for make, section in sections if section.enabled]
