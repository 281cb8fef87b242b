# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of jobs and alerts: when a job hangs, what raises an alert, how long both are kept."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from event_listener.settings_base import Section

Delay = Annotated[int, Meta(ge=0, le=36500, description="Days after which they are removed for good; 0: never.")]
Interval = Annotated[float, Meta(ge=1, le=31536000, description="Seconds between two removals.")]


class JobPurge(Section, frozen=True):
    """When jobs are removed."""

    delay: Delay = 15
    interval: Interval = 86400.0


class JobSettings(Section, frozen=True):
    """Long-running jobs, linked out of events by their start id."""

    hanging_after: Annotated[
        float,
        Meta(
            ge=0,
            le=31536000,
            description="Seconds after its last sign of life when a job that started and didn't end hangs; 0: never.",
        ),
    ] = 3600.0
    not_started_after: Annotated[
        float,
        Meta(ge=0, le=31536000, description="Seconds after which a scheduled job should have started; 0: never."),
    ] = 3600.0
    purge: Annotated[JobPurge, Meta(description="When jobs are removed, ended or not.")] = field(
        default_factory=JobPurge
    )
