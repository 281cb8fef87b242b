# SPDX-License-Identifier: GPL-3.0-or-later
"""Alerts as the API and the command line ask for and show them. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from event_listener.alerts import Alert
from event_listener.asked import PAGE_TEXTS, Form, fields, types
from event_listener.event import Level, rfc3339
from event_listener.store.alerts import SETS, AlertQuery

State = Literal["open", "resolved"]
FORM = Form(
    {**dict.fromkeys(SETS, ()), "state": ("open", "resolved"), "level": tuple(level.value for level in Level)},
    {"since": "since_ns", "until": "until_ns"},
    ("acknowledged", "archived"),
)
TEXTS = {
    **{name: f"With one of these values of `{name}`." for name in SETS},
    "since": "With an event at this time or later: RFC 3339, or an age such as 5m.",
    "until": "With no event since this time: RFC 3339, or an age such as 5m.",
    "acknowledged": "Whether somebody acknowledged them.",
    "archived": "Archived ones, instead of the others.",
    **PAGE_TEXTS,
}
TYPES = {**types(FORM), "state": State}
_PLAIN = (
    "id",
    "rule",
    "source",
    "site",
    "domain",
    "account",
    "level",
    "type",
    "resource_type",
    "resource_id",
    "message",
    "state",
    "count",
    "sent",
    "fingerprint",
    "first_event",
    "last_event",
    "acknowledged_by",
    "resolved_by",
)


def query(given: Mapping[str, Sequence[str]], now_ns: int) -> AlertQuery:
    """The query that parameters ask for. Raises ParameterError."""
    return AlertQuery(**fields(given, FORM, now_ns))


def shown(alert: Alert) -> dict[str, Any]:
    """An alert as JSON."""
    moments = {
        "first_seen": alert.first_ns,
        "last_seen": alert.last_ns,
        "acknowledged": alert.acknowledged_ns,
        "resolved": alert.resolved_ns,
        "archived": alert.archived_ns,
    }
    return {
        **{name: getattr(alert, name) for name in _PLAIN},
        "important": bool(alert.important),
        **{name: None if at is None else rfc3339(at) for name, at in moments.items()},
    }
