# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of what the listener finds out about BMCs: message registries, repeats, health."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from event_listener.settings_base import Section


class SourcesSettings(Section, frozen=True):
    """What the listener finds out about BMCs and adds to their events."""

    registries_max_bytes: Annotated[
        int,
        Meta(
            ge=1048576,
            description="Bytes of all cached message registries together, and most memory they take in the relay. When "
            "it is reached, those of makes that no registered source is of give way.",
        ),
    ] = 67108864
    repeat_window: Annotated[
        float,
        Meta(
            ge=0,
            le=86400,
            description="Seconds within which an event that a source says again is marked as a repeat (`repeat_of`); 0 "
            "is never. The default covers ten attempts a minute apart.",
        ),
    ] = 600.0
    repeat_memory: Annotated[
        int,
        Meta(
            ge=100,
            le=5000000,
            description="Most events remembered for that, about 250 bytes each; a storm makes the window shorter.",
        ),
    ] = 100000
