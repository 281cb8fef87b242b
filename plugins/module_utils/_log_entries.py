# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what a BMC noted in its LogServices during a period.

Logs belong to managers, systems and chassis. Vendors differ: oldest or newest entry first, pages of any size, members
expanded or as links, times with or without a zone. Pages are left unread where the order shows that they are too old.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from ansible_collections.redfleet.events.plugins.module_utils._client import RedfishClient
from ansible_collections.redfleet.events.plugins.module_utils._collection import (
    INCOMPLETE,
    MAX_PAGES,
    first_page,
    listed,
    member_of,
    members_of,
)
from ansible_collections.redfleet.events.plugins.module_utils._errors import RedfishError, UnknownStateError
from ansible_collections.redfleet.events.plugins.module_utils._subscription import uri_of

Resource = dict[str, Any]
OWNERS = ("Managers", "Systems", "Chassis")
# Logs that hold no events: dumps, traces, POST codes, who logged in. In lower case, as parts of the Id.
NO_EVENTS = ("dump", "postcode", "hostlogger", "journal", "audit", "debug", "telemetry")
# A clock that is off by less is not worth a word; longer than any answer takes.
CLOCK_TOLERANCE = timedelta(seconds=30)


@dataclass
class Reading:
    """What was read: entries as the BMC shows them, logs by URI, and why others were not read."""

    entries: list[Resource] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)
    undated: int = 0
    clock_offset: float | None = None


def moment(text: Any) -> datetime | None:
    """A time as Redfish writes it; without a zone it is UTC. None for anything else."""
    try:
        found = datetime.fromisoformat(str(text).replace("Z", "+00:00").replace("z", "+00:00"))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


def happened(entry: Resource) -> datetime | None:
    """When an entry's event happened."""
    return moment(entry.get("EventTimestamp") or entry.get("Created"))


def read_logs(client: RedfishClient, since: datetime, until: datetime, wanted: list[str] | None) -> Reading:
    """All entries from `since` up to `until`, by our clock; the BMC's is allowed for where it says what it shows.

    :param wanted: Ids or URIs of logs; None for all that may hold events.
    :raises RedfishError: when not even the list of logs can be read.
    """
    reading = Reading()
    for service in _services(client, reading):
        uri = uri_of(service).rstrip("/")
        if not _is_wanted(service, uri, wanted) or not uri_of(service.get("Entries") or {}):
            continue
        offset = _offset(service)
        if offset is not None:
            reading.clock_offset = offset.total_seconds()
        begin, end = since, until
        if offset is not None and abs(offset) > CLOCK_TOLERANCE:
            # How far it is off is known that well only: it shows whole seconds, and did so some requests ago.
            begin, end = since + offset - CLOCK_TOLERANCE, until + offset + CLOCK_TOLERANCE
        try:
            found, undated = _entries(client, uri_of(service["Entries"]), begin, end)
        except RedfishError as error:
            if error.reason in ("unreachable", "tls", "credentials"):
                raise
            reading.unread[uri] = str(error)
            continue
        reading.logs.append(uri)
        reading.entries += found
        reading.undated += undated
    return reading


def _services(client: RedfishClient, reading: Reading) -> Iterator[Resource]:
    """Every LogService, each once: systems and managers may show the same."""
    known: set[str] = set()
    for owner in OWNERS:
        link = client.root.get(owner)
        if not isinstance(link, dict):
            continue
        for resource in members_of(client, uri_of(link)):
            uri = uri_of(resource.get("LogServices") or {})
            if not uri or uri in known:
                continue
            known.add(uri)
            try:
                services = members_of(client, uri)
            except RedfishError as error:
                if error.reason in ("unreachable", "tls", "credentials"):
                    raise
                reading.unread[uri] = str(error)
                continue
            for service in services:
                if uri_of(service) not in known:
                    known.add(uri_of(service))
                    yield service


def _is_wanted(service: Resource, uri: str, wanted: list[str] | None) -> bool:
    name = str(service.get("Id", ""))
    if wanted is not None:
        return name in wanted or uri in [each.rstrip("/") for each in wanted]
    return service.get("ServiceEnabled") is not False and not any(part in name.lower() for part in NO_EVENTS)


def _offset(service: Resource) -> timedelta | None:
    """By how much the BMC's clock is ahead of ours."""
    shown = moment(service.get("DateTime")) if service.get("DateTime") else None
    return shown - datetime.now(timezone.utc) if shown else None


def _entries(client: RedfishClient, uri: str, since: datetime, until: datetime) -> tuple[list[Resource], int]:
    """Entries of the period, and how many tell no time."""
    found, undated, page = [], 0, ""
    for _page in range(MAX_PAGES):
        body = client.get(page) if page else first_page(client, uri)
        members = [member_of(client, entry) for entry in listed(client, uri, body)]
        times = [happened(entry) for entry in members]
        undated += times.count(None)
        found += [entry for entry, time in zip(members, times) if time is not None and since <= time <= until]
        page = body.get("Members@odata.nextLink") or body.get("@odata.nextLink") or ""
        if not page or _is_past(times, since):
            return found, undated
    raise UnknownStateError(f"{client.base}{uri} has more than {MAX_PAGES} pages.", INCOMPLETE)


def _is_past(times: list[datetime | None], since: datetime) -> bool:
    """Whether a page of a log that shows its newest entries first is older than the period."""
    known = [time for time in times if time is not None]
    return len(known) > 1 and known[0] > known[-1] and known[0] < since
