# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs as the API and the command line ask for and show them. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from event_listener.asked import PAGE_TEXTS, Form, fields, types
from event_listener.event import rfc3339
from event_listener.jobs import Job, JobState
from event_listener.store.jobs import SETS, JobQuery

_MOMENTS = {
    "since": "since_ns",
    "until": "until_ns",
    "running_for": "running_since_ns",
    "waiting_for": "waiting_since_ns",
}
FORM = Form({**dict.fromkeys(SETS, ()), "state": tuple(state.value for state in JobState)}, _MOMENTS, ("hanging",))
TEXTS = {
    **{name: f"With one of these values of `{name}`." for name in SETS},
    "since": "Last heard of at this time or later: RFC 3339, or an age such as 5m.",
    "until": "Last heard of before this time: RFC 3339, or an age such as 5m.",
    "running_for": "Started so long ago (1h), or at this time or before, and not ended.",
    "waiting_for": "Scheduled so long ago, or at this time or before, and not started.",
    "hanging": "Whether they are without a sign of life for `job.hanging_after`.",
    **PAGE_TEXTS,
}
TYPES = {"state": JobState, **types(FORM)}
_PLAIN = (
    "id",
    "source",
    "site",
    "domain",
    "account",
    "start_id",
    "operation",
    "state",
    "type",
    "level",
    "resource_type",
    "resource_id",
    "message",
    "percent",
    "steps",
    "first_event",
    "last_event",
)


def query(given: Mapping[str, Sequence[str]], now_ns: int) -> JobQuery:
    """The query that parameters ask for. Raises ParameterError."""
    return JobQuery(**fields(given, FORM, now_ns))


def shown(job: Job, now_ns: int) -> dict[str, Any]:
    """A job as JSON. ``seconds``: how long it lasts, or lasted, since its start."""
    moments = {
        "scheduled": job.scheduled_ns,
        "started": job.started_ns,
        "ended": job.ended_ns,
        "seen": job.seen_ns,
        "hanging_since": job.hanging_ns,
    }
    return {
        **{name: getattr(job, name) for name in _PLAIN},
        **{name: None if at is None else rfc3339(at) for name, at in moments.items()},
        "seconds": None if job.started_ns is None else max(0, (job.ended_ns or now_ns) - job.started_ns) / 1e9,
    }
