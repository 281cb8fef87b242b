# SPDX-License-Identifier: GPL-3.0-or-later
"""Events of the listener itself: what a user did, a source that fell silent, what had to be given up.

They stand in the event log like those of BMCs and take the same routes. The address of each is ``event-listener``, so
that the text logs of BMCs hold what BMCs sent and nothing else. The id is derived from ``unique``: who tells of the
same thing twice, after a restart or from two hosts, adds nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from event_listener.event import Category, Level, Record, State, rfc3339
from event_listener.policy import Owner
from event_listener.store.log import Arrival

ADDRESS = "event-listener"
REGISTRY = "RedfleetEvents"
VERSION = "1.0"
_SEVERITIES = {Level.INFO: "OK", Level.WARN: "Warning", Level.ERROR: "Critical"}


def own_arrival(
    key: str,
    message: str,
    *,
    unique: str,
    now_ns: int,
    about: str = ADDRESS,
    owner: Owner = Owner(),  # noqa: B008 - frozen
    level: Level = Level.INFO,
    category: Category = Category.ALERT,
    event_type: str = "",
    arguments: Sequence[str] = (),
    details: Mapping[str, Any] | None = None,
    resource: tuple[str, str] | None = None,
    state: State = State.COMPLETED,
    start_id: str | None = None,
) -> Arrival:
    """One such event, for ``EventLog.add`` or, in the transaction of the change it tells of, ``insert_new``.

    ``key`` is its name in our message registry, ``about`` the source it is about, ``owner``
    whose it is, ``event_type`` its type where that
    isn't ``RedfleetEvents.<key>`` (CloudStack's names for actions), ``resource`` the type and id of what it is about,
    ``details`` go into the record under ``Oem.redfleet`` (the addresses that a change affects have one place there:
    scans/addresses.py), ``start_id`` links what belongs to one job, ``state`` is the job's.
    """
    identity = f"own-{hashlib.sha256(unique.encode()).hexdigest()[:24]}"
    severity = _SEVERITIES[level]
    record: dict[str, Any] = {
        "EventId": identity,
        "EventTimestamp": rfc3339(now_ns),
        "MessageId": f"{REGISTRY}.{VERSION}.{key}",
        "Message": message,
        "MessageArgs": list(arguments),
        "MessageSeverity": severity,
    }
    if details:
        record["Oem"] = {"redfleet": dict(details)}
    payload = {"@odata.type": "#Event.v1_7_0.Event", "Id": identity, "Name": "Event of the listener"}
    return Arrival(
        journal_id=identity,
        journal_seq=0,
        received_ns=now_ns,
        source=about,
        address=ADDRESS,
        peer="",
        credential="",
        content_type="application/json",
        owner=owner,
        body=json.dumps({**payload, "Events": [record]}).encode(),
        records=(
            Record(
                category=category,
                type=event_type or f"{REGISTRY}.{key}",
                level=level,
                state=state,
                start_id=start_id,
                resource_type=resource[0] if resource else None,
                resource_id=resource[1] if resource else None,
                message=message,
                message_id=record["MessageId"],
                message_args=tuple(arguments),
                severity=severity,
                event_id=identity,
                time=record["EventTimestamp"],
                record=record,
            ),
        ),
    )
