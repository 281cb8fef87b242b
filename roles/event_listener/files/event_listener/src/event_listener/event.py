# SPDX-License-Identifier: GPL-3.0-or-later
"""What the listener knows about an event. Frozen records, no I/O.

Two units exist. A :class:`Payload` is one POST as it arrived: what the text log shows. A :class:`Event` is one event
record inside it: what is queried and published. An event's ``id`` never changes and is never reused
(``<journal id>-<position in the journal>-<index in the payload>``); its ``seq`` is its place in the event log.
"""

from __future__ import annotations

import enum
import functools
from datetime import UTC, datetime
from typing import Any, TypedDict

import msgspec


class Category(enum.StrEnum):
    """CloudStack's five categories. A record has exactly one."""

    ACTION = "ActionEvent"
    ALERT = "AlertEvent"
    USAGE = "UsageEvent"
    RESOURCE_STATE = "ResourceStateEvent"
    ASYNC_JOB = "AsyncJobEvent"


class Level(enum.StrEnum):
    """CloudStack's levels; Redfish's OK, Warning and Critical."""

    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"


class State(enum.StrEnum):
    """CloudStack's states of a job; an event that isn't part of one is Completed."""

    CREATED = "Created"
    SCHEDULED = "Scheduled"
    STARTED = "Started"
    COMPLETED = "Completed"


class Origin(enum.StrEnum):
    """Where a record comes from. Routes take ``live`` ones unless they are told otherwise."""

    LIVE = "live"
    TEST = "test"
    BACKFILL = "backfill"
    IMPORT = "import"


class Observation(msgspec.Struct, frozen=True):
    """One aspect of a resource is now like this. ``value`` None: the resource is gone, with all its aspects."""

    aspect: str
    value: str | None


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What a payload itself says about one event. ``record`` is the JSON as sent; the rest is derived from it.

    ``state_of`` (health, power or state) of its resource is ``new_state`` now; ``old_state`` is what the event log knew
    before. ``observed`` is all that the event says of the resource; it is known until the event is stored.
    ``filled`` names the fields that a message registry told, since the record didn't.
    """

    category: Category = Category.RESOURCE_STATE
    type: str
    level: Level = Level.INFO
    state: State = State.COMPLETED
    origin: Origin = Origin.LIVE
    resource_type: str | None = None
    resource_id: str | None = None
    message: str | None = None
    message_id: str | None = None
    message_args: tuple[str, ...] = ()
    severity: str | None = None
    resolution: str | None = None
    filled: tuple[str, ...] = ()
    event_id: str | None = None
    context: str | None = None
    time: str | None = None
    start_id: str | None = None
    state_of: str | None = None
    old_state: str | None = None
    new_state: str | None = None
    observed: tuple[Observation, ...] = ()
    record: Any = None


class Event(Record, frozen=True, kw_only=True):
    """A record with its identity: who sent it, when it was received (ns since 1970, UTC), its place in the log.

    ``site`` is the listener that forwarded it to this one.
    ``domain`` and ``account`` are those that its source had when it was indexed: who may see it (policy.py).
    ``repeat_of`` is the id of the event that it says once more, as BMCs do that miss an answer.
    ``archived`` is told by the event log where it is asked; sinks get events before anybody can archive them.
    """

    seq: int
    id: str
    source: str
    address: str
    received_ns: int
    payload_id: int
    domain: str = "/"
    account: str | None = None
    repeat_of: str | None = None
    site: str | None = None
    archived: bool = False


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    """One acknowledged POST. ``address`` is the source's registered one where it is known, else the peer's."""

    seq: int
    journal_id: str
    journal_seq: int
    received_ns: int
    source: str
    address: str
    peer: str
    credential: str
    content_type: str
    origin: Origin
    body: bytes


def public_id(journal_id: str, journal_seq: int, index: int) -> str:
    """The id under which an event is known everywhere, for ever."""
    return f"{journal_id}-{journal_seq}-{index}"


def rfc3339(nanoseconds: int) -> str:
    """A moment as RFC 3339 in UTC with microseconds: ``2026-11-22T02:54:34.123456Z``."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{_second(seconds)}.{rest // 1000:06d}Z"


@functools.lru_cache(maxsize=1024)  # a batch of events is of few seconds
def _second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


def nanoseconds(text: str) -> int:
    """The reverse of :func:`rfc3339`. A time without a zone is UTC. Raises ValueError for anything else."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise ValueError(f"{text!r} is no time such as 2026-11-22T02:54:34Z") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    whole = int(moment.replace(microsecond=0).timestamp())
    return whole * 1_000_000_000 + moment.microsecond * 1000


class EventDocument(TypedDict):
    """An event as the API and the JSON lines show it."""

    seq: int
    id: str
    source: str
    address: str
    domain: str
    account: str | None
    site: str | None
    origin: str
    category: str
    type: str
    level: str
    state: str
    resource_type: str | None
    resource_id: str | None
    message: str | None
    message_id: str | None
    message_args: list[str]
    severity: str | None
    resolution: str | None
    filled: list[str]
    event_id: str | None
    context: str | None
    time: str | None
    received: str
    start_id: str | None
    state_of: str | None
    old_state: str | None
    new_state: str | None
    payload_id: int
    repeat_of: str | None
    record: Any


def as_json(event: Event) -> EventDocument:
    """The event as JSON."""
    shown: EventDocument = {
        "seq": event.seq,
        "id": event.id,
        "source": event.source,
        "address": event.address,
        "domain": event.domain,
        "account": event.account,
        "site": event.site,
        "origin": event.origin.value,
        "category": event.category.value,
        "type": event.type,
        "level": event.level.value,
        "state": event.state.value,
        "resource_type": event.resource_type,
        "resource_id": event.resource_id,
        "message": event.message,
        "message_id": event.message_id,
        "message_args": list(event.message_args),
        "severity": event.severity,
        "resolution": event.resolution,
        "filled": list(event.filled),
        "event_id": event.event_id,
        "context": event.context,
        "time": event.time,
        "received": rfc3339(event.received_ns),
        "start_id": event.start_id,
        "state_of": event.state_of,
        "old_state": event.old_state,
        "new_state": event.new_state,
        "payload_id": event.payload_id,
        "repeat_of": event.repeat_of,
        "record": event.record,
    }
    return shown


def from_json(shown: dict[str, Any]) -> Event:
    """The reverse of :func:`as_json`. Raises KeyError or ValueError for anything else."""
    plain = {key: value for key, value in shown.items() if key != "received"}
    return Event(
        **{
            **plain,
            "received_ns": nanoseconds(shown["received"]),
            "category": Category(shown["category"]),
            "level": Level(shown["level"]),
            "state": State(shown["state"]),
            "origin": Origin(shown["origin"]),
            "message_args": tuple(shown["message_args"]),
            "filled": tuple(shown.get("filled", ())),
        }
    )
