# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of jobs and alerts: when a job hangs, what raises an alert, how long both are kept."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from event_listener.event import Category, Level
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


DefaultRule = Literal[
    "source-silent", "events-lost", "job-hangs", "sink-fails", "failed-logins", "listener", "hardware"
]
DEFAULT_RULES: tuple[DefaultRule, ...] = (
    "source-silent",
    "events-lost",
    "job-hangs",
    "sink-fails",
    "failed-logins",
    "listener",
    "hardware",
)


class AlertRule(Section, frozen=True):
    """Events for which every condition given here holds raise an alert; the first rule that holds is the event's."""

    name: Annotated[
        str,
        Meta(
            pattern=r"^[a-z][a-z0-9_-]{0,62}$",
            description="Names the rule; that of a default rule replaces it.",
        ),
    ]
    levels: Annotated[list[Level], Meta(description="INFO, WARN, ERROR.")] = field(default_factory=list)
    categories: Annotated[list[Category], Meta(description="Categories, such as AlertEvent.")] = field(
        default_factory=list
    )
    types: Annotated[
        list[str], Meta(description="Types; `*` is any text: `Storage*.DriveFailed`. One of them must match.")
    ] = field(default_factory=list)
    where: Annotated[str, Meta(description="JMESPath expression on the event as the API shows it; true: it holds.")] = (
        ""
    )
    ignore: Annotated[bool, Meta(description="Raise nothing, and don't ask the rules below.")] = False
    important: Annotated[bool, Meta(description="Send it with every event. Otherwise once, until it was resolved.")] = (
        False
    )
    count: Annotated[int, Meta(ge=1, le=100000, description="Events within `within` that it takes.")] = 1
    within: Annotated[float, Meta(ge=1, le=2592000, description="Seconds that `count` is about.")] = 900.0
    cleared_by: Annotated[
        list[str], Meta(description="Types of events of the same resource that resolve it; `*` is any text.")
    ] = field(default_factory=list)
    health_clears: Annotated[
        bool, Meta(description="An event that says that the resource's health is OK resolves it.")
    ] = True

    def __post_init__(self) -> None:
        if not (self.levels or self.categories or self.types or self.where):
            msg = "say at least one of levels, categories, types, where; every event would be an alert"
            raise ValueError(msg)


class AlertPurge(Section, frozen=True):
    """When alerts are removed; CloudStack's names and defaults. Open ones never are."""

    delay: Annotated[int, Meta(ge=0, le=36500, description="Days after which resolved ones are removed; 0: never.")] = 0
    archived_delay: Annotated[
        int, Meta(ge=0, le=36500, description="Days after which archived ones are removed; 0: never.")
    ] = 0
    interval: Interval = 86400.0


class AlertSettings(Section, frozen=True):
    """What an administrator should know of and do something about."""

    rules: Annotated[
        list[AlertRule], Meta(description="What raises an alert; asked in this order, before `default_rules`.")
    ] = field(default_factory=list)
    default_rules: Annotated[
        list[DefaultRule], Meta(description="Rules that come with the listener; docs/alerts.md says what they are.")
    ] = field(default_factory=lambda: list(DEFAULT_RULES))
    max_open_per_source: Annotated[
        int,
        Meta(
            ge=1,
            le=100000,
            description="Most open alerts of one rule and source; more are counted in one alert that stands for them.",
        ),
    ] = 1000
    sink_fails_after: Annotated[
        float, Meta(ge=0, le=31536000, description="Seconds after which a sink that fails is told of; 0: never.")
    ] = 300.0
    purge: Annotated[AlertPurge, Meta(description="When alerts are removed.")] = field(default_factory=AlertPurge)
