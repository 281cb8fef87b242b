# SPDX-License-Identifier: GPL-3.0-or-later
"""What an event makes of an alert. No I/O.

An alert is one incident: it is opened by an event, counts those like it (the same `fingerprint`: rule, site, source,
type, resource), and is resolved by an event that clears its `subject` (rule, site, source, resource) or by hand. The
next event opens another one. What becomes of it depends on the events' order in the log alone.
"""

from __future__ import annotations

import enum
import hashlib

import msgspec

from event_listener.alert_rules import Rule
from event_listener.event import Event, Level

_RANK = {level.value: rank for rank, level in enumerate((Level.INFO, Level.WARN, Level.ERROR))}
SEVERAL = "several"


class AlertState(enum.StrEnum):
    """Pending ones wait for their rule's `count`; nobody sees them."""

    PENDING = "pending"
    OPEN = "open"
    RESOLVED = "resolved"


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One incident; ``*_ns`` by the listener's clock. ``sent``: how often an event told that it is open."""

    seq: int
    id: str
    fingerprint: str
    subject: str
    rule: str
    source: str
    site: str | None
    domain: str
    account: str | None
    level: str
    type: str
    resource_type: str | None
    resource_id: str | None
    message: str | None
    state: str
    important: int
    count: int
    sent: int
    first_ns: int
    last_ns: int
    first_event: str
    last_event: str
    acknowledged_ns: int | None = None
    acknowledged_by: str | None = None
    resolved_ns: int | None = None
    resolved_by: str | None = None
    archived_ns: int | None = None


def fingerprint(rule: Rule, event: Event) -> str:
    """What like events have in common. Arguments of a message don't belong to it: a temperature differs each time."""
    return _digest(rule.name, event.site, event.source, event.type, event.resource_id)


def crowd(rule: Rule, event: Event) -> str:
    """The fingerprint of what stands for the many alerts of a rule and source."""
    return _digest(rule.name, event.site, event.source)


def subject(rule: Rule, event: Event) -> str:
    """What a clearing event has in common with what it resolves."""
    return _digest(rule.name, event.site, event.source, event.resource_id, "subject")


def _digest(*parts: str | None) -> str:
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:32]


def opened(rule: Rule, event: Event, *, stands_for_many: bool) -> Alert:
    """A new one, without a number, for its first event; `raised` adds that."""
    mark = crowd(rule, event) if stands_for_many else fingerprint(rule, event)
    return Alert(
        seq=0,
        id=_digest(mark, event.id)[:16],
        fingerprint=mark,
        subject=mark if stands_for_many else subject(rule, event),
        rule=rule.name,
        source=event.source,
        site=event.site,
        domain=event.domain,
        account=event.account,
        level=event.level.value,
        type=SEVERAL if stands_for_many else event.type,
        resource_type=None if stands_for_many else event.resource_type,
        resource_id=None if stands_for_many else event.resource_id,
        message=event.message,
        state=AlertState.PENDING.value,
        important=int(rule.said.important),
        count=0,
        sent=0,
        first_ns=event.received_ns,
        last_ns=event.received_ns,
        first_event=event.id,
        last_event=event.id,
    )


def raised(alert: Alert, rule: Rule, event: Event) -> tuple[Alert, bool]:
    """The alert with one more event, and whether that is sent."""
    pending = alert.state == AlertState.PENDING
    if pending and event.received_ns - alert.first_ns > rule.said.within * 1e9:
        # Too long ago: counted from here on.
        alert = msgspec.structs.replace(alert, count=0, first_ns=event.received_ns, first_event=event.id)
    count = alert.count + 1
    opens = pending and count >= rule.said.count
    sends = opens or (not pending and rule.said.important)
    return (
        msgspec.structs.replace(
            alert,
            count=count,
            state=(AlertState.OPEN if opens or not pending else AlertState.PENDING).value,
            sent=alert.sent + sends,
            level=max(alert.level, event.level.value, key=_RANK.__getitem__),
            message=event.message,
            last_ns=max(alert.last_ns, event.received_ns),
            last_event=event.id,
        ),
        sends,
    )


def resolved(alert: Alert, by: str, at_ns: int) -> Alert:
    """The alert, over."""
    return msgspec.structs.replace(alert, state=AlertState.RESOLVED.value, resolved_by=by, resolved_ns=at_ns)
