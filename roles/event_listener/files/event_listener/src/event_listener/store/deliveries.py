# SPDX-License-Identifier: GPL-3.0-or-later
"""Deliveries of webhooks: made from the event log, tried under a lease, kept as history."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, delete, func, select

from event_listener.event import Level
from event_listener.policy import EVERYTHING, Owner, Scope
from event_listener.store import marks, rows, schema
from event_listener.store.actions import Actor, record, told
from event_listener.store.backend import Backend
from event_listener.store.cursors import Lease, check_lease
from event_listener.store.log import insert_new, now_ns
from event_listener.store.own import own_arrival
from event_listener.store.ownership import within
from event_listener.store.webhooks import KIND, bump, webhook_of
from event_listener.webhooks.model import Webhook
from event_listener.webhooks.schedule import DELIVERED, FAILED, PENDING, Attempt, Health, Next

MAX_LIMIT = 1000
NEVER = (1 << 63) - 1
_TABLE = schema.webhook_delivery


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """An event for a webhook. Receivers know it by ``message_id``: the same for all attempts and redeliveries."""

    id: str
    webhook: str
    message_id: str
    event_id: str
    event_type: str
    event_owner: str
    content_type: str
    payload: bytes
    state: str = PENDING
    attempts: int = 0
    next_ns: int = 0
    created_ns: int = 0
    done_ns: int | None = None
    redelivery_of: str | None = None
    seq: int = 0


class Tried(msgspec.Struct, frozen=True):
    """An attempt, and what becomes of its delivery."""

    delivery: Delivery
    attempt: Attempt
    next: Next


class Queue(msgspec.Struct, frozen=True):
    """What waits for a webhook: how many, and when the oldest of them was made."""

    waiting: int
    oldest_ns: int


class DeliveryQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which deliveries: all conditions hold. ``before`` is an exclusive ``seq``; moments are when they were made."""

    id: str = ""
    webhook: str = ""
    event_id: str = ""
    event_type: str = ""
    state: str = ""
    keyword: str = ""
    since_ns: int | None = None
    until_ns: int | None = None
    before: int | None = None
    limit: int = 100

    def conditions(self) -> list[ColumnElement[bool]]:
        """The same as SQL."""
        named = ("id", "webhook", "event_id", "event_type", "state")
        found: list[ColumnElement[bool]] = [
            _TABLE.c[name] == getattr(self, name) for name in named if getattr(self, name)
        ]
        if self.keyword:
            found.append(_TABLE.c.event_type.icontains(self.keyword, autoescape=True))
        if self.since_ns is not None:
            found.append(_TABLE.c.created_ns >= self.since_ns)
        if self.until_ns is not None:
            found.append(_TABLE.c.created_ns < self.until_ns)
        if self.before is not None:
            found.append(_TABLE.c.seq < self.before)
        return found


class Deliveries:
    """All that changes them from the relay is done under its lease. Raises StoreUnavailableError, FencedError."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    # The relay's side

    def expand(self, lease: Lease, positions: Mapping[str, int], through: int, deliveries: Sequence[Delivery]) -> None:
        """Store deliveries and move the webhooks from their ``positions`` to ``through``: all or nothing.

        A webhook that somebody moved or removed meanwhile gets none of them.
        """
        lane = schema.webhook_lane
        with self._backend.write() as connection:
            check_lease(connection, lease)
            moved = set()
            for webhook, position in positions.items():
                here = (lane.c.webhook == webhook) & (lane.c.position == position)
                if connection.execute(lane.update().where(here).values(position=through)).rowcount:
                    moved.add(webhook)
            gone = marks.deleted_ids(connection, [item.event_id for item in deliveries])
            _insert(connection, [item for item in deliveries if item.webhook in moved and item.event_id not in gone])

    def pending(self) -> dict[str, int]:
        """How many wait, by webhook."""
        count = func.count().label("count")
        statement = select(_TABLE.c.webhook, count).where(_TABLE.c.state == PENDING).group_by(_TABLE.c.webhook)
        with self._backend.read() as connection:
            return {row.webhook: int(row._mapping["count"]) for row in connection.execute(statement)}

    def queues(self) -> dict[str, Queue]:
        """The same with the oldest, for who watches."""
        columns = _TABLE.c.webhook, func.count().label("waiting"), func.min(_TABLE.c.created_ns).label("oldest_ns")
        statement = select(*columns).where(_TABLE.c.state == PENDING).group_by(_TABLE.c.webhook)
        with self._backend.read() as connection:
            return {row.webhook: Queue(int(row.waiting), int(row.oldest_ns)) for row in connection.execute(statement)}

    def due(self, webhook: str, now: int, limit: int, never: int = NEVER) -> list[Delivery]:
        """Those that are to be tried now, the one that waits longest first.

        What waits until ``never`` or later was put off by a clock that was set back since: it comes after all others.
        """
        mine = (_TABLE.c.state == PENDING) & (_TABLE.c.webhook == webhook)
        with self._backend.read() as connection:
            for when in (_TABLE.c.next_ns <= now, _TABLE.c.next_ns >= never):
                statement = select(_TABLE).where(mine, when).order_by(_TABLE.c.next_ns, _TABLE.c.seq).limit(limit)
                if found := [_delivery_of(row) for row in connection.execute(statement)]:
                    return found
        return []

    def next_due(self, webhook: str) -> int | None:
        """When the next one is to be tried, ns; None where none waits."""
        mine = (_TABLE.c.state == PENDING) & (_TABLE.c.webhook == webhook)
        with self._backend.read() as connection:
            found = connection.execute(select(func.min(_TABLE.c.next_ns)).where(mine)).scalar()
        return None if found is None else int(found)

    def note(self, lease: Lease, webhook: Webhook, tried: Sequence[Tried], health: Health, disable: str = "") -> None:
        """Store attempts, what follows for their deliveries, and how the endpoint is.

        ``disable`` says why the webhook is disabled with it; that is told by an event of our own.
        """
        with self._backend.write() as connection:
            check_lease(connection, lease)
            wanted = [item.delivery.seq for item in tried]
            there = set(connection.execute(select(_TABLE.c.seq).where(_TABLE.c.seq.in_(wanted))).scalars())
            kept = [item for item in tried if item.delivery.seq in there]
            if kept:
                connection.execute(schema.webhook_attempt.insert(), [_attempt_columns(item) for item in kept])
            for item in kept:
                self._settle(connection, item)
            lane = schema.webhook_lane
            counted = {
                state.lower(): lane.c[state.lower()] + sum(item.next.state == state for item in kept)
                for state in (DELIVERED, FAILED)
            }
            values = {**msgspec.structs.asdict(health), **counted}
            connection.execute(lane.update().where(lane.c.webhook == webhook.id).values(**values))
            if disable:
                self._disable(connection, webhook, disable)

    @staticmethod
    def _settle(connection: Connection, item: Tried) -> None:
        done = None if item.next.state == PENDING else now_ns()
        values = {"state": item.next.state, "next_ns": item.next.next_ns, "done_ns": done}
        row = _TABLE.update().where(_TABLE.c.seq == item.delivery.seq)
        connection.execute(row.values(attempts=item.delivery.attempts + 1, **values))

    def _disable(self, connection: Connection, webhook: Webhook, why: str) -> None:
        table, now = schema.webhook, now_ns()
        enabled = (table.c.id == webhook.id) & (table.c.state == "Enabled")
        values = {"state": "Disabled", "disabled_because": why, "updated_ns": now}
        if not connection.execute(table.update().where(enabled).values(**values)).rowcount:
            return
        bump(self._backend, connection)
        message = (
            f"webhook {webhook.name} ({webhook.id}) is disabled: {why}. Mend its endpoint, then enable it; "
            "what waits for it is delivered then"
        )
        told = own_arrival(
            "WebhookDisabled",
            message,
            unique=f"webhook-disabled:{webhook.id}:{now}",
            now_ns=now,
            owner=webhook.owner,
            level=Level.ERROR,
            arguments=[webhook.id, webhook.name, why],
            resource=(KIND, webhook.id),
        )
        insert_new(connection, [told])

    def clean(self, keep: int, webhook: str | None = None) -> int:
        """Remove the oldest finished deliveries of a webhook, or of each, but ``keep``; returns how many."""
        with self._backend.read() as connection:
            names = [webhook] if webhook else list(connection.execute(select(_TABLE.c.webhook).distinct()).scalars())
        return sum(self._clean_one(name, keep) for name in names)

    def _clean_one(self, webhook: str, keep: int) -> int:
        """In steps: a transaction holds up everybody else who writes."""
        finished = (_TABLE.c.webhook == webhook) & (_TABLE.c.state != PENDING)
        total = 0
        while True:
            with self._backend.write() as connection:
                order = select(_TABLE.c.seq).where(finished).order_by(_TABLE.c.seq.desc())
                gone = list(connection.execute(order.offset(keep).limit(MAX_LIMIT)).scalars())
                _remove(connection, gone)
            total += len(gone)
            if len(gone) < MAX_LIMIT:
                return total

    # What people ask for

    def find(self, query: DeliveryQuery, scope: Scope = EVERYTHING) -> tuple[list[Delivery], int | None]:
        """A page, newest first, and the ``before`` of the next one."""
        limit = min(max(query.limit, 1), MAX_LIMIT)
        statement = select(_TABLE).where(*query.conditions(), _of(scope)).order_by(_TABLE.c.seq.desc()).limit(limit + 1)
        with self._backend.read() as connection:
            found = [_delivery_of(row) for row in connection.execute(statement)]
        return found[:limit], found[limit - 1].seq if len(found) > limit else None

    def get(self, delivery_id: str, scope: Scope = EVERYTHING) -> tuple[Delivery, list[Attempt]] | None:
        """One with its attempts."""
        table = schema.webhook_attempt
        with self._backend.read() as connection:
            row = connection.execute(select(_TABLE).where(_TABLE.c.id == delivery_id, _of(scope))).one_or_none()
            if row is None:
                return None
            found = connection.execute(select(table).where(table.c.delivery == row.seq).order_by(table.c.number))
            return _delivery_of(row), [_attempt_of(attempt) for attempt in found]

    def redeliver(self, delivery_id: str, actor: Actor, scope: Scope = EVERYTHING) -> Delivery | None:
        """Deliver once more what was sent, as a delivery of its own; None where there is no such delivery."""
        with self._backend.write() as connection:
            row = connection.execute(select(_TABLE).where(_TABLE.c.id == delivery_id, _of(scope))).one_or_none()
            if row is None:
                return None
            old, now = _delivery_of(row), now_ns()
            fresh = {"state": PENDING, "attempts": 0, "next_ns": now, "created_ns": now, "done_ns": None}
            new = msgspec.structs.replace(old, id=new_id(), redelivery_of=old.id, **fresh)
            seq = _insert(connection, [new])
            bump(self._backend, connection)
            owner = _owner(connection, old.webhook)
            what = {"webhook": old.webhook, "event_id": old.event_id}
            record(
                connection, told(actor, "WEBHOOK.DELIVERY.EXECUTE", ("WebhookDelivery", new.id), owner, details=what)
            )
        return msgspec.structs.replace(new, seq=seq)

    def remove(self, query: DeliveryQuery, actor: Actor, scope: Scope = EVERYTHING) -> int:
        """Remove those that are asked for, all or none, also what waits; returns how many."""
        with self._backend.write() as connection:
            wanted = select(_TABLE.c.seq, _TABLE.c.webhook).where(*query.conditions(), _of(scope))
            found = connection.execute(wanted).all()
            for start in range(0, len(found), MAX_LIMIT):
                _remove(connection, [row.seq for row in found[start : start + MAX_LIMIT]])
            for webhook in sorted({row.webhook for row in found}):
                count = sum(row.webhook == webhook for row in found)
                owner, what = _owner(connection, webhook), {"count": count}
                record(connection, told(actor, "WEBHOOK.DELIVERY.DELETE", (KIND, webhook), owner, details=what))
        return len(found)


def forget_deleted(connection: Connection) -> None:
    """Remove what waits to be sent of events that are deleted. Call it in the transaction that deletes them."""
    waiting = connection.execute(select(_TABLE.c.seq, _TABLE.c.event_id).where(_TABLE.c.state == PENDING)).all()
    gone = marks.deleted_ids(connection, sorted({row.event_id for row in waiting}))
    seqs = [row.seq for row in waiting if row.event_id in gone]
    for start in range(0, len(seqs), MAX_LIMIT):
        _remove(connection, seqs[start : start + MAX_LIMIT])


def new_id() -> str:
    """A delivery's id."""
    return f"whd_{secrets.token_hex(12)}"


def _of(scope: Scope) -> ColumnElement[bool]:
    """Deliveries belong to whom their webhook belongs to: ANDed to whatever is asked for."""
    table = schema.webhook.c
    return _TABLE.c.webhook.in_(select(table.id).where(within(scope, table.domain, table.account)))


def _owner(connection: Connection, webhook: str) -> Owner:
    return webhook_of(connection.execute(select(schema.webhook).where(schema.webhook.c.id == webhook)).one()).owner


def _insert(connection: Connection, deliveries: Sequence[Delivery]) -> int:
    if not deliveries:
        return 0
    first = rows.take(connection, _TABLE, len(deliveries))
    columns = [{**msgspec.structs.asdict(item), "seq": seq} for seq, item in enumerate(deliveries, first)]
    connection.execute(_TABLE.insert(), columns)
    return first


def _remove(connection: Connection, seqs: Sequence[int]) -> None:
    connection.execute(delete(schema.webhook_attempt).where(schema.webhook_attempt.c.delivery.in_(seqs)))
    connection.execute(delete(_TABLE).where(_TABLE.c.seq.in_(seqs)))


def _delivery_of(row: Row[Any]) -> Delivery:
    fields = dict(row._mapping)
    return Delivery(**{**fields, "payload": bytes(fields["payload"])})


def _attempt_columns(item: Tried) -> dict[str, Any]:
    attempt = msgspec.structs.asdict(item.attempt)
    headers = {name: json.dumps(attempt[name]) for name in ("request_headers", "response_headers")}
    return {"delivery": item.delivery.seq, "number": item.delivery.attempts + 1, **attempt, **headers}


def _attempt_of(row: Row[Any]) -> Attempt:
    fields = {name: row._mapping[name] for name in Attempt.__struct_fields__}
    headers = {name: json.loads(fields[name]) for name in ("request_headers", "response_headers")}
    return Attempt(**{**fields, **headers})
