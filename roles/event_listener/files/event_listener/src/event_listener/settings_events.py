# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the event log: how long events are kept. Names and defaults are CloudStack's."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from event_listener.settings_base import Section


class EventPurge(Section, frozen=True):
    """When events are removed. See event-log.md."""

    delay: Annotated[
        int,
        Meta(ge=0, le=36500, description="Days after receipt when what isn't archived is removed; 0: never."),
    ] = 15
    interval: Annotated[float, Meta(ge=1, le=31536000, description="Seconds between two removals.")] = 86400.0
    archived_delay: Annotated[
        int, Meta(ge=0, le=36500, description="Days after it was archived when an event is removed; 0: never.")
    ] = 0
    batch: Annotated[
        int, Meta(ge=10, le=1000, description="Most events removed in one transaction; others wait so long.")
    ] = 200


class EventSettings(Section, frozen=True):
    """The events in the event log."""

    purge: Annotated[EventPurge, Meta(description="When events are removed.")] = field(default_factory=EventPurge)
