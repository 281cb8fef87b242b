# SPDX-License-Identifier: GPL-3.0-or-later
"""Alerts out of the event log: in the transaction that moves the reader's cursor, with the events that tell of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, and_, delete, false, func, or_, select, true

from event_listener import alerts
from event_listener.alert_rules import HEALTHY, OWN, Rule, Rulebook, Verdict
from event_listener.alerts import Alert, AlertState
from event_listener.event import Category, Event, Level, Origin
from event_listener.policy import Owner
from event_listener.settings_alerts import AlertRule
from event_listener.store import rows, schema
from event_listener.store.backend import Backend
from event_listener.store.log import Arrival, insert_new, now_ns
from event_listener.store.own import own_arrival
from event_listener.store.reader import Reader

TABLE = schema.alert
_EVENT = schema.event.c


class AlertReader:
    """Follows the log by the rules; for one thread."""

    def __init__(self, backend: Backend, rulebook: Rulebook) -> None:
        self._backend, self._rulebook = backend, rulebook
        self.reader = Reader(backend, "alerts", wanted(rule.said for rule in rulebook.rules))

    def follow(self) -> bool:
        """Take in the next events; returns whether there are more. Raises StoreUnavailableError."""
        batch = self.reader.read()
        verdicts = [found for event in batch.events if (found := self._rulebook.verdict(event)) is not None]
        if verdicts:
            self.reader.take(batch, lambda connection: self._apply(connection, verdicts))
        else:
            self.reader.skip(batch)
        return batch.more

    def _apply(self, connection: Connection, verdicts: Sequence[Verdict]) -> None:
        _Page(self._backend, connection, self._rulebook, verdicts).turn()


class _Page:
    """The alerts that a batch of events touches, in one transaction."""

    def __init__(self, backend: Backend, connection: Connection, book: Rulebook, verdicts: Sequence[Verdict]) -> None:
        self._backend, self._connection, self._book, self._verdicts = backend, connection, book, verdicts
        self._known = self._load()  # by fingerprint, those that aren't over
        self._changed: dict[str, Alert] = {}
        self._gone: list[str] = []
        self._told: list[Arrival] = []
        self._counts = self._counted()  # of each rule and source, how many aren't over

    def _load(self) -> dict[str, Alert]:
        marks = {
            mark
            for one in self._verdicts
            if one.raises is not None
            for mark in (alerts.fingerprint(one.raises, one.event), alerts.crowd(one.raises, one.event))
        }
        subjects = {alerts.subject(rule, one.event) for one in self._verdicts for rule in one.clears}
        touched = or_(TABLE.c.fingerprint.in_(marks), TABLE.c.subject.in_(subjects))
        statement = select(TABLE).where(TABLE.c.state != AlertState.RESOLVED.value, touched).order_by(TABLE.c.seq)
        return {row.fingerprint: alert_of(row) for row in self._connection.execute(statement)}

    def _counted(self) -> dict[tuple[str, str], int]:
        sources = {one.event.source for one in self._verdicts if one.raises is not None}
        columns = TABLE.c.rule, TABLE.c.source
        open_now = TABLE.c.state != AlertState.RESOLVED.value, TABLE.c.source.in_(sources)
        statement = select(*columns, func.count().label("many")).where(*open_now).group_by(*columns)
        return {(row.rule, row.source): int(row.many) for row in self._connection.execute(statement)}

    def turn(self) -> None:
        """Apply all verdicts in their order, and store what they change."""
        for one in self._verdicts:
            for rule in one.clears:
                self._clear(rule, one.event)
            if one.raises is not None:
                self._raise(one.raises, one.event)
        changed = [msgspec.structs.asdict(alert) for alert in self._changed.values()]
        self._backend.upsert(self._connection, TABLE, rows.numbered(self._connection, TABLE, changed), add=())
        if self._gone:
            self._connection.execute(delete(TABLE).where(TABLE.c.id.in_(self._gone)))
        insert_new(self._connection, self._told)

    def _clear(self, rule: Rule, event: Event) -> None:
        subject = alerts.subject(rule, event)
        for mark in [mark for mark, alert in self._known.items() if alert.subject == subject]:
            alert = self._known.pop(mark)
            self._counts[alert.rule, alert.source] = self._counts.get((alert.rule, alert.source), 1) - 1
            if alert.state == AlertState.PENDING:
                self._changed.pop(alert.id, None)
                self._gone.append(alert.id)
                continue
            self._changed[alert.id] = after = alerts.resolved(alert, event.id, event.received_ns)
            self._told.append(cleared(after, event.id))

    def _raise(self, rule: Rule, event: Event) -> None:
        before = self._known.get(alerts.fingerprint(rule, event)) or self._opened(rule, event)
        after, sends = alerts.raised(before, rule, event)
        self._known[after.fingerprint] = self._changed[after.id] = after
        if sends:
            self._told.append(_raised(after, event))

    def _opened(self, rule: Rule, event: Event) -> Alert:
        key = rule.name, event.source
        many = self._counts.get(key, 0) >= self._book.max_open
        if many and (there := self._known.get(alerts.crowd(rule, event))) is not None:
            return there
        self._counts[key] = self._counts.get(key, 0) + 1
        return alerts.opened(rule, event, stands_for_many=many)


def wanted(rules: Iterable[AlertRule]) -> ColumnElement[bool]:
    """Events that may mean something to a rule, as far as columns tell: not too few."""
    means = [condition for rule in rules for condition in (_raises(rule), _clears(rule))]
    said = and_(_EVENT.origin == Origin.LIVE.value, _EVENT.repeat_of.is_(None))
    return and_(said, ~_EVENT.type.startswith(OWN, autoescape=True), or_(false(), *means))


def _raises(rule: AlertRule) -> ColumnElement[bool]:
    found: list[ColumnElement[bool]] = [true()]
    if rule.levels:
        found.append(_EVENT.level.in_([level.value for level in rule.levels]))
    if rule.categories:
        found.append(_EVENT.category.in_([category.value for category in rule.categories]))
    if rule.types:
        found.append(or_(*map(_like, rule.types)))
    return and_(*found)


def _clears(rule: AlertRule) -> ColumnElement[bool]:
    health = and_(_EVENT.state_of == HEALTHY[0], _EVENT.new_state == HEALTHY[1])
    return or_(false(), *map(_like, rule.cleared_by), *([health] if rule.health_clears else []))


def _like(pattern: str) -> ColumnElement[bool]:
    escaped = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_").replace("*", "%")
    return _EVENT.type.like(escaped, escape="\\")


def alert_of(row: Row[Any]) -> Alert:
    """The alert in a row of all columns."""
    return Alert(**row._mapping)


def _raised(alert: Alert, event: Event) -> Arrival:
    where = f"{alert.source} {alert.resource_id}" if alert.resource_id else alert.source
    text = f"Alert {alert.rule} of {where}: {alert.message or alert.type}"
    return _told("AlertRaised", text, alert, Level(alert.level), f"raised:{event.id}", event.id)


def cleared(alert: Alert, unique: str) -> Arrival:
    """The event that tells that an alert is over."""
    text = f"The alert {alert.rule} of {alert.source} was resolved by {alert.resolved_by}."
    return _told("AlertCleared", text, alert, Level.INFO, f"cleared:{unique}", alert.last_event)


def _told(key: str, text: str, alert: Alert, level: Level, unique: str, event_id: str) -> Arrival:
    details = {
        "alert": alert.id,
        "rule": alert.rule,
        "fingerprint": alert.fingerprint,
        "type": alert.type,
        "resource": alert.resource_id,
        "count": alert.count,
        "event": event_id,
    }
    return own_arrival(
        key,
        text,
        unique=f"alert:{alert.id}:{unique}",
        now_ns=now_ns(),
        about=alert.source,
        owner=Owner(alert.domain),  # administrators', not the account's
        level=level,
        category=Category.ALERT,
        arguments=[alert.rule, alert.source, alert.type, alert.resource_id or ""],
        details=details,
        resource=("Alert", alert.id),
    )
