# SPDX-License-Identifier: GPL-3.0-or-later
"""Long-running jobs out of events: which events are of one job, and what they say of it together. No I/O.

Events of one job have the same source, site and ``start_id``, and the same `operation`. What says a step:

- a TaskEvent (DSP8011, TaskEvent 1.0.3) by its message, and the Task's own ResourceEvents: it lives
- a type that ends in ``.start``, ``.end`` or ``.error``, as OpenStack's notifications do; the rest is the operation
- else the event's ``state``, as CloudStack has it: Created and Scheduled, Started, Completed; at level ERROR it failed

A job is the same whatever the order in which its events arrive, and however often (`merged` takes the least and the
greatest). What happened first and last is told by the source's clock, how long something lasts by the listener's: that
of a BMC may stand in 1970. A BMC uses a Task's id again; `begins_anew` says when an event is of the next one.
"""

from __future__ import annotations

import enum
import hashlib

import msgspec

from event_listener.event import Event, Origin, State, nanoseconds

SLACK_NS = 60_000_000_000  # what arrives so soon after the end of a job, and has no time of its own, may be of it


class Phase(enum.IntEnum):
    """How far a job is."""

    SCHEDULED = 0
    STARTED = 1
    PROGRESS = 2
    ENDED = 3


class JobState(enum.StrEnum):
    """What is known of a job."""

    SCHEDULED = "scheduled"
    STARTED = "started"
    PROGRESS = "progress"
    COMPLETED = "completed"
    FAILED = "failed"


_TASK = {
    "TaskStarted": (Phase.STARTED, False),
    "TaskProgressChanged": (Phase.PROGRESS, False),
    "TaskPaused": (Phase.PROGRESS, False),
    "TaskResumed": (Phase.PROGRESS, False),
    "TaskCompletedOK": (Phase.ENDED, False),
    "TaskCompletedWarning": (Phase.ENDED, False),
    "TaskAborted": (Phase.ENDED, True),
    "TaskCancelled": (Phase.ENDED, True),
}
_REMOVED = frozenset({"TaskEvent.TaskRemoved", "ResourceEvent.ResourceRemoved"})
_SUFFIX = {"start": (Phase.STARTED, False), "end": (Phase.ENDED, False), "error": (Phase.ENDED, True)}
_STATE = {
    State.CREATED: Phase.SCHEDULED,
    State.SCHEDULED: Phase.SCHEDULED,
    State.STARTED: Phase.STARTED,
    State.COMPLETED: Phase.ENDED,
}


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What one event says of its job. ``at_ns`` is by the source's clock where the event has a time (``dated``).

    A ``weak`` step makes no job: it only shows that one lives, or that it is gone.
    """

    event: Event
    phase: Phase
    failed: bool = False
    weak: bool = False
    percent: int | None = None
    at_ns: int
    dated: bool

    @property
    def order(self) -> tuple[int, str]:
        """Its place among the steps of its job."""
        return self.at_ns, self.event.id


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a job; ``*_ns`` by the listener's clock, ``*_at_ns`` by the source's. ``id`` never changes.

    ``number`` counts the jobs of one ``key``: a start id may be used again. ``hanging_ns``: when it was judged to hang.
    """

    seq: int
    id: str
    key: str
    number: int
    source: str
    site: str | None
    start_id: str
    operation: str
    domain: str
    account: str | None
    state: str = JobState.SCHEDULED.value
    type: str = ""
    resource_type: str | None = None
    resource_id: str | None = None
    message: str | None = None
    level: str = "INFO"
    percent: int | None = None
    percent_at_ns: int = 0
    scheduled_ns: int | None = None
    started_ns: int | None = None
    ended_ns: int | None = None
    seen_ns: int = 0
    first_at_ns: int = 0
    first_event: str = ""
    last_at_ns: int = 0
    last_event: str = ""
    ended_at_ns: int = 0
    ended_dated: int = 0
    ended_weak: int = 0
    ended_event: str = ""
    outcome: str = ""
    progressed: int = 0
    steps: int = 0
    hanging_ns: int | None = None

    @property
    def ended(self) -> bool:
        """Whether it completed or failed."""
        return self.ended_ns is not None


def operation(event_type: str) -> str:
    """What is done where one request does several things: ``compute.instance.create`` of OpenStack; else empty."""
    stem, _dot, last = event_type.rpartition(".")
    return stem if last in _SUFFIX else ""


def step_of(event: Event) -> Step | None:
    """What an event says of a job; None where it is of none. A repeat, a test and an import say nothing."""
    if event.start_id is None or event.repeat_of is not None or event.origin not in (Origin.LIVE, Origin.BACKFILL):
        return None
    at_ns, dated = _moment(event)
    phase, failed, weak = _phase(event)
    percent = _percent(event) if phase is Phase.PROGRESS else None
    return Step(event=event, phase=phase, failed=failed, weak=weak, percent=percent, at_ns=at_ns, dated=dated)


def _phase(event: Event) -> tuple[Phase, bool, bool]:
    """Phase, whether it failed, whether it is weak."""
    stem, _dot, last = event.type.rpartition(".")
    if event.type in _REMOVED:
        return Phase.ENDED, True, True
    if stem == "ResourceEvent":
        return Phase.PROGRESS, False, True
    if stem == "TaskEvent" and last in _TASK:
        return *_TASK[last], False
    if stem and last in _SUFFIX:
        return *_SUFFIX[last], False
    phase = _STATE[event.state]
    if phase is Phase.STARTED and last == "JobProgress":
        phase = Phase.PROGRESS
    return phase, phase is Phase.ENDED and event.level == "ERROR", False


def _moment(event: Event) -> tuple[int, bool]:
    try:
        return (nanoseconds(event.time), True) if event.time else (event.received_ns, False)
    except (ValueError, OverflowError):
        return event.received_ns, False


def _percent(event: Event) -> int | None:
    """The second argument of TaskProgressChanged, and of our own JobProgress."""
    text = event.message_args[1].removesuffix("%") if len(event.message_args) > 1 else ""
    return int(text) if text.isascii() and text.isdigit() and int(text[:4]) <= 100 else None


def key_of(event: Event) -> str:
    """What the events of a job, and of those that used the same start id, have in common."""
    parts = (event.site or "", event.source, event.start_id or "", operation(event.type))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def opened(step: Step, key: str, number: int) -> Job:
    """A job of which nothing is known but who it is; without its place in the log of jobs."""
    event = step.event
    return Job(
        seq=0,
        id=hashlib.sha256(f"{key}:{number}".encode()).hexdigest()[:16],
        key=key,
        number=number,
        source=event.source,
        site=event.site,
        start_id=event.start_id or "",
        operation=operation(event.type),
        domain=event.domain,
        account=event.account,
    )


def begins_anew(job: Job, step: Step) -> bool:
    """Whether a step is of a later job that has the same start id: this one has ended before."""
    if not job.ended or step.weak:
        return False
    after = step.at_ns - job.ended_at_ns
    if step.phase >= Phase.PROGRESS:
        return after > SLACK_NS
    if step.dated and job.ended_dated:
        return after > 0
    return after > (0 if job.started_ns is not None else SLACK_NS)


def is_late(job: Job, step: Step) -> bool:
    """Whether a step is of an earlier job with the same start id, which is over and told."""
    return job.number > 0 and step.at_ns < job.first_at_ns


def merged(job: Job, step: Step) -> Job:
    """What is known of a job with one more step, which it doesn't have yet."""
    event = step.event
    changes: dict[str, object] = {"seen_ns": max(job.seen_ns, event.received_ns)}
    if not step.weak:
        changes |= _texts(job, step) | {"steps": job.steps + 1}
    if step.phase is Phase.ENDED:
        changes |= _end(job, step)
    elif not step.weak:
        name = "scheduled_ns" if step.phase is Phase.SCHEDULED else "started_ns"
        known: int | None = getattr(job, name)
        changes[name] = event.received_ns if known is None else min(known, event.received_ns)
        changes["progressed"] = int(job.progressed or step.phase is Phase.PROGRESS)
    if step.percent is not None and (step.at_ns, step.percent) >= (job.percent_at_ns, job.percent or 0):
        changes |= {"percent": step.percent, "percent_at_ns": step.at_ns}
    after = msgspec.structs.replace(job, **changes)
    return msgspec.structs.replace(after, state=_state(after))


def _state(job: Job) -> str:
    if job.outcome:
        return job.outcome
    if job.started_ns is None:
        return JobState.SCHEDULED.value
    return (JobState.PROGRESS if job.progressed else JobState.STARTED).value


def _texts(job: Job, step: Step) -> dict[str, object]:
    """What the first step says of the job as a whole, and the last one of how it is."""
    event = step.event
    found: dict[str, object] = {}
    if not job.first_event or step.order < (job.first_at_ns, job.first_event):
        found |= {"first_at_ns": step.at_ns, "first_event": event.id, "type": event.type}
        found |= {"resource_type": event.resource_type, "resource_id": event.resource_id}
    if step.order > (job.last_at_ns, job.last_event) or not job.last_event:
        found |= {"last_at_ns": step.at_ns, "last_event": event.id, "message": event.message}
        found |= {"level": event.level.value, "domain": event.domain, "account": event.account}
    return found


def _end(job: Job, step: Step) -> dict[str, object]:
    """The last end that isn't weak, if there is one."""
    before = (not job.ended_weak, job.ended_at_ns, job.ended_event)
    if job.ended and before > (not step.weak, *step.order):
        return {}
    return {
        "outcome": (JobState.FAILED if step.failed else JobState.COMPLETED).value,
        "ended_ns": step.event.received_ns,
        "ended_at_ns": step.at_ns,
        "ended_dated": int(step.dated),
        "ended_weak": int(step.weak),
        "ended_event": step.event.id,
    }
