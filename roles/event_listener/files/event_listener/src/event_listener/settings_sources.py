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
    health_interval: Annotated[
        float, Meta(ge=0.05, le=3600, description="Seconds between looks at which sources are silent.")
    ] = 15.0
    missed_heartbeats: Annotated[
        int,
        Meta(ge=1, le=1000, description="Heartbeats that a source may miss, of those its subscription sends."),
    ] = 3
    proof_minutes: Annotated[
        float,
        Meta(
            ge=0,
            description="Minutes between runs of `verify.yml` by a timer; sources without heartbeats are judged by it. "
            "0: there is no timer, and they are never judged silent.",
        ),
    ] = 0.0
    missed_proofs: Annotated[int, Meta(ge=1, le=1000, description="Proofs that a source may miss.")] = 2
    silence_grace: Annotated[
        float, Meta(ge=0, le=86400, description="Seconds added to how long a source may be silent.")
    ] = 60.0
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
