# SPDX-License-Identifier: GPL-3.0-or-later
"""Alerts: what can be asked of them, and what administrators do with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec
from sqlalchemy import ColumnElement, Connection, delete, func, select

from event_listener import alerts
from event_listener.alert_rules import Rulebook
from event_listener.alerts import Alert, AlertState
from event_listener.event import Level
from event_listener.policy import EVERYTHING, Owner, Reach, Scope
from event_listener.store.actions import Actor, record, told
from event_listener.store.alert_reader import TABLE, AlertReader, alert_of, cleared
from event_listener.store.backend import Backend
from event_listener.store.log import insert_new, now_ns
from event_listener.store.ownership import within
from event_listener.store.reader import due

Deed = Literal["acknowledge", "resolve", "archive", "delete"]
MOST = 10_000  # alerts that one deed changes: it is one transaction
_PURGED = 1000
_PENDING_NS = 31 * 86_400 * 1_000_000_000  # longer than any rule counts
SETS = ("id", "rule", "source", "site", "level", "state", "type", "resource_id", "domain", "account")


class AlertsRefusedError(Exception):
    """Nothing was changed; the text says why."""


class AlertQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which alerts: all conditions hold; of a set, any value. Newest first; ``before`` is an exclusive ``seq`` limit.

    ``since_ns`` and ``until_ns`` are about the last event. Archived ones only where ``archived`` asks for them.
    """

    id: tuple[str, ...] = ()
    rule: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    site: tuple[str, ...] = ()
    level: tuple[str, ...] = ()
    state: tuple[str, ...] = ()
    type: tuple[str, ...] = ()
    resource_id: tuple[str, ...] = ()
    domain: tuple[str, ...] = ()
    account: tuple[str, ...] = ()
    below: str = ""
    since_ns: int | None = None
    until_ns: int | None = None
    acknowledged: bool | None = None
    archived: bool = False
    before: int | None = None
    limit: int = 100
    scope: Scope = EVERYTHING

    def conditions(self) -> list[ColumnElement[bool]]:
        """The same as SQL."""
        table = TABLE.c
        found: list[ColumnElement[bool]] = [within(self.scope, table.domain, table.account)]
        found.append(table.state != AlertState.PENDING.value)
        found.append(table.archived_ns.is_not(None) if self.archived else table.archived_ns.is_(None))
        if self.below:
            found.append(within(Scope(Reach.SUBTREE, self.below), table.domain, table.account))
        for name in SETS:
            values: tuple[str, ...] = getattr(self, name)
            if values:
                found.append(table[name].in_(values))
        if self.since_ns is not None:
            found.append(table.last_ns >= self.since_ns)
        if self.until_ns is not None:
            found.append(table.last_ns < self.until_ns)
        if self.acknowledged is not None:
            known = table.acknowledged_ns
            found.append(known.is_not(None) if self.acknowledged else known.is_(None))
        if self.before is not None:
            found.append(table.seq < self.before)
        return found


class Alerts:
    """For many processes."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def reader(self, rulebook: Rulebook) -> AlertReader:
        """What makes alerts of events, by these rules."""
        return AlertReader(self._backend, rulebook)

    def find(self, query: AlertQuery) -> tuple[list[Alert], int | None]:
        """A page, newest first, and the next page's ``before``."""
        statement = select(TABLE).where(*query.conditions()).order_by(TABLE.c.seq.desc()).limit(query.limit + 1)
        with self._backend.read() as connection:
            found = [alert_of(row) for row in connection.execute(statement)]
        page = found[: query.limit]
        return page, page[-1].seq if len(found) > query.limit else None

    def get(self, alert_id: str, scope: Scope = EVERYTHING) -> Alert | None:
        """One alert, archived or not, where the scope has it."""
        mine = TABLE.c.id == alert_id, TABLE.c.state != AlertState.PENDING.value
        statement = select(TABLE).where(*mine, within(scope, TABLE.c.domain, TABLE.c.account))
        with self._backend.read() as connection:
            row = connection.execute(statement).one_or_none()
        return alert_of(row) if row is not None else None

    def act(self, deed: Deed, query: AlertQuery, actor: Actor, *, check: bool = False) -> int:
        """Do it to all that fit, or to none; returns how many it changes. With ids, each of them has to be there.

        Archiving and deleting resolve what is open, so that it is told. Raises AlertsRefusedError.
        """
        with self._backend.write() as connection:
            found = _chosen(connection, deed, query)
            changed = [alert for alert in found if _is_due(deed, alert)]
            if not check and changed:
                self._do(connection, deed, changed, actor)
        return len(changed)

    def _do(self, connection: Connection, deed: Deed, found: Sequence[Alert], actor: Actor) -> None:
        now = now_ns()
        after = [_done(deed, alert, actor.name, now) for alert in found]
        over = [new for old, new in zip(found, after, strict=True) if old.state != new.state]
        insert_new(connection, [cleared(alert, f"{actor.name}:{now}") for alert in over])
        if deed == "delete":
            connection.execute(delete(TABLE).where(TABLE.c.id.in_([alert.id for alert in found])))
        else:
            self._backend.upsert(connection, TABLE, [msgspec.structs.asdict(alert) for alert in after], add=())
        for domain in sorted({alert.domain for alert in found}):
            ids = [alert.id for alert in found if alert.domain == domain]
            what = ids[0] if len(ids) == 1 else f"{len(ids)} alerts"
            details = {"affected": len(ids), "alerts": ids[:100]}
            record(connection, told(actor, f"ALERT.{deed.upper()}", ("Alert", what), Owner(domain), details=details))

    def open_counts(self) -> dict[tuple[str, str, str], int]:
        """How many alerts are open, by rule, source and level."""
        columns = TABLE.c.rule, TABLE.c.source, TABLE.c.level
        statement = select(*columns, func.count().label("many")).group_by(*columns)
        shown = TABLE.c.state == AlertState.OPEN.value
        with self._backend.read() as connection:
            found = connection.execute(statement.where(shown))
            return {(row.rule, row.source, row.level): int(row.many) for row in found}

    def purge_due(self, now: int, seconds: float) -> bool:
        """Whether it is time to purge, and nobody else does."""
        return due(self._backend, "alert.purge", now, seconds)

    def purge(self, now: int, *, resolved_before: int | None, archived_before: int | None) -> int:
        """Remove what was resolved, or archived, before these moments, in batches; returns how many."""
        table = TABLE.c
        old: list[ColumnElement[bool]] = [
            (table.state == AlertState.PENDING.value) & (table.last_ns < now - _PENDING_NS)
        ]
        if resolved_before is not None:
            over = (table.state == AlertState.RESOLVED.value) & table.archived_ns.is_(None)
            old.append(over & (table.resolved_ns < resolved_before))
        if archived_before is not None:
            old.append(table.archived_ns < archived_before)
        return sum(self._remove(condition) for condition in old)

    def _remove(self, condition: ColumnElement[bool]) -> int:
        total = 0
        while True:
            with self._backend.write() as connection:
                ids = list(connection.execute(select(TABLE.c.id).where(condition).limit(_PURGED)).scalars())
                connection.execute(delete(TABLE).where(TABLE.c.id.in_(ids)))
            total += len(ids)
            if len(ids) < _PURGED:
                return total


def _chosen(connection: Connection, deed: Deed, query: AlertQuery) -> list[Alert]:
    """Those asked for, by id also archived ones. Raises AlertsRefusedError: one isn't there, or there are too many."""
    conditions = query.conditions()
    if query.id:
        table = TABLE.c
        mine = within(query.scope, table.domain, table.account)
        conditions = [mine, table.id.in_(query.id), table.state != AlertState.PENDING.value]
    statement = select(TABLE).where(*conditions).order_by(TABLE.c.seq).limit(MOST + 1)
    found = [alert_of(row) for row in connection.execute(statement)]
    if missing := sorted(set(query.id) - {alert.id for alert in found}):
        raise AlertsRefusedError(f"there is no alert {', '.join(missing[:10])}; nothing was changed")
    if len(found) > MOST:
        raise AlertsRefusedError(f"more than {MOST} alerts would be {deed}d; ask for fewer, by rule, source or time")
    return found


def _is_due(deed: Deed, alert: Alert) -> bool:
    """Whether it changes anything."""
    if deed == "acknowledge":
        return alert.state == AlertState.OPEN and alert.acknowledged_ns is None
    if deed == "resolve":
        return alert.state == AlertState.OPEN
    return deed == "delete" or alert.archived_ns is None


def _done(deed: Deed, alert: Alert, by: str, now: int) -> Alert:
    if deed == "acknowledge":
        return msgspec.structs.replace(alert, acknowledged_ns=now, acknowledged_by=by)
    if alert.state == AlertState.OPEN:
        alert = alerts.resolved(alert, by, now)
    return msgspec.structs.replace(alert, archived_ns=now) if deed == "archive" else alert


def by_level(counts: dict[tuple[str, str, str], int]) -> dict[str, int]:
    """How many alerts are open at each level."""
    found = {level.value: 0 for level in Level}
    for (_rule, _source, level), many in counts.items():
        found[level] += many
    return found
