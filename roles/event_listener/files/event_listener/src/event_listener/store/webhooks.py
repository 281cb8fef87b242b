# SPDX-License-Identifier: GPL-3.0-or-later
"""Webhooks: what they are and where each is. Each change records who made it (actions.py)."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, func, select

from event_listener.policy import EVERYTHING, PolicyError, Principal, Scope
from event_listener.store import rows, schema
from event_listener.store.accounts import ensure_account, ensure_domain
from event_listener.store.actions import Actor, record, told
from event_listener.store.backend import Backend
from event_listener.store.log import now_ns
from event_listener.store.ownership import within
from event_listener.webhooks.model import Webhook, WebhookChange, WebhookConflictError, changed
from event_listener.webhooks.schedule import Health

VERSION = "webhooks"
KIND = "Webhook"
_LISTS = ("filters", "categories", "levels")


class Place(msgspec.Struct, frozen=True):
    """How far a webhook is in the event log, how its endpoint is, and what was counted."""

    position: int
    health: Health
    delivered: int
    failed: int


class Webhooks:
    """Methods raise PolicyError for what can't be."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def find(self, scope: Scope = EVERYTHING) -> list[Webhook]:
        """The webhooks of a scope, by name."""
        table = schema.webhook
        statement = select(table).where(within(scope, table.c.domain, table.c.account))
        with self._backend.read() as connection:
            return [webhook_of(row) for row in connection.execute(statement.order_by(table.c.name, table.c.id))]

    def get(self, webhook_id: str, scope: Scope = EVERYTHING) -> Webhook | None:
        """One of a scope."""
        with self._backend.read() as connection:
            found = _webhook(connection, webhook_id)
        return found if found is not None and scope.holds(found.owner) else None

    def version(self) -> int:
        """Rises with every change, and with every delivery that somebody asks for."""
        table = schema.counter.c
        with self._backend.read() as connection:
            return int(connection.execute(select(table.value).where(table.name == VERSION)).scalar() or 0)

    def places(self) -> dict[str, Place]:
        """Where each webhook is."""
        with self._backend.read() as connection:
            return {row.webhook: _place(row) for row in connection.execute(select(schema.webhook_lane))}

    def place(self, webhook_id: str) -> Place | None:
        """Where one is."""
        table = schema.webhook_lane
        with self._backend.read() as connection:
            row = connection.execute(select(table).where(table.c.webhook == webhook_id)).one_or_none()
        return _place(row) if row is not None else None

    def set(
        self,
        webhook_id: str | None,
        change: WebhookChange,
        asks: Principal,
        actor: Actor,
        *,
        limit: int,
        check: bool = False,
        allow: Callable[[Webhook], None] | None = None,
    ) -> tuple[Webhook | None, Webhook] | None:
        """Make what is given hold; returns the webhook before and after, None where there is none of that id.

        Without an id a new one is made. ``allow`` is called with both and raises where the actor may not.
        """
        with self._backend.write() as connection:
            before = None if webhook_id is None else _webhook(connection, webhook_id)
            if webhook_id is not None and before is None:
                return None
            if before is not None and allow is not None:
                allow(before)
            now = now_ns()
            blank = Webhook(id=f"wh_{secrets.token_hex(8)}", name="", url="", created_ns=now, updated_ns=now)
            after = changed(before or blank, change, asks, now)
            if allow is not None:
                allow(after)
            _unique(connection, after, limit)
            if not check and after != before:
                after = msgspec.structs.replace(after, updated_ns=now)
                self._write(connection, before, after, actor)
            return before, after

    def _write(self, connection: Connection, before: Webhook | None, after: Webhook, actor: Actor) -> None:
        if after.account is not None:
            ensure_account(connection, after.domain, after.account, actor)
        else:
            ensure_domain(connection, after.domain, actor)
        self._backend.upsert(connection, schema.webhook, [columns(after)], add=())
        bump(self._backend, connection)
        what = "WEBHOOK.UPDATE" if before is not None else "WEBHOOK.CREATE"
        changes = _differences(before, after)
        record(connection, told(actor, what, (KIND, after.id), after.owner, details={"name": after.name, **changes}))
        fresh = {"failures": 0, "failing_since_ns": 0, "rests_until_ns": 0}
        if before is None or (after.state == "Enabled" and before.state != "Enabled"):
            # From now on: neither that it was made, nor what happened while it was disabled, is for it.
            place = {"webhook": after.id, "position": rows.last(connection, schema.event)}
            counted = {"delivered": 0, "failed": 0}
            self._backend.upsert(connection, schema.webhook_lane, [{**place, **fresh, **counted}], add=tuple(counted))
        elif after.url != before.url:
            lane = schema.webhook_lane
            connection.execute(lane.update().where(lane.c.webhook == after.id).values(**fresh))

    def remove(self, webhook_id: str, actor: Actor) -> bool:
        """Remove a webhook and all its deliveries; returns whether it was there."""
        table = schema.webhook
        with self._backend.write() as connection:
            found = _webhook(connection, webhook_id)
            if found is None:
                return False
            mine = schema.webhook_delivery.c.webhook == webhook_id
            of_mine = schema.webhook_attempt.c.delivery.in_(select(schema.webhook_delivery.c.seq).where(mine))
            connection.execute(delete(schema.webhook_attempt).where(of_mine))
            connection.execute(delete(schema.webhook_delivery).where(mine))
            connection.execute(delete(schema.webhook_lane).where(schema.webhook_lane.c.webhook == webhook_id))
            connection.execute(delete(table).where(table.c.id == webhook_id))
            bump(self._backend, connection)
            record(
                connection, told(actor, "WEBHOOK.DELETE", (KIND, found.id), found.owner, details={"name": found.name})
            )
            return True


def bump(backend: Backend, connection: Connection) -> None:
    """Tell the relay that something changed."""
    backend.upsert(connection, schema.counter, [{"name": VERSION, "value": 1}], add=("value",))


def _webhook(connection: Connection, webhook_id: str) -> Webhook | None:
    row = connection.execute(select(schema.webhook).where(schema.webhook.c.id == webhook_id)).one_or_none()
    return webhook_of(row) if row is not None else None


def _unique(connection: Connection, webhook: Webhook, limit: int) -> None:
    """CloudStack's rule for URLs; and names, by which programs know their webhooks."""
    table = schema.webhook.c
    account = table.account.is_(None) if webhook.account is None else table.account == webhook.account
    others = (table.domain == webhook.domain) & account & (table.id != webhook.id)
    for column, value in ((table.url, webhook.url), (table.name, webhook.name)):
        if connection.execute(select(table.id).where(others, column == value)).first() is not None:
            raise WebhookConflictError(f"{column.name} {value!r} is already in use by another webhook of this owner")
    count = connection.execute(select(func.count()).select_from(schema.webhook).where(others)).scalar_one()
    if count >= limit:
        raise PolicyError(f"this owner has {count} webhooks, and webhook.limit is {limit}: remove one first")


def _differences(before: Webhook | None, after: Webhook) -> dict[str, Any]:
    """Names of the fields that differ, never their values: some are secret."""
    if before is None:
        return {}
    fields = [name for name in Webhook.__struct_fields__ if getattr(before, name) != getattr(after, name)]
    return {"changed": [name for name in fields if name != "updated_ns"]}


def webhook_of(row: Row[Any]) -> Webhook:
    """The webhook in a row."""
    fields = {name: row._mapping[name] for name in Webhook.__struct_fields__}
    lists = {name: json.loads(fields[name]) for name in _LISTS}
    flags = {name: bool(fields[name]) for name in ("tls_verify", "trusted")}
    return msgspec.convert({**fields, **lists, **flags}, Webhook)


def columns(webhook: Webhook) -> dict[str, Any]:
    """The row of a webhook."""
    plain = msgspec.to_builtins(webhook)
    lists = {name: json.dumps(plain[name]) for name in _LISTS}
    return {**plain, **lists, "tls_verify": int(webhook.tls_verify), "trusted": int(webhook.trusted)}


def _place(row: Row[Any]) -> Place:
    health = Health(row.failures, row.failing_since_ns, row.rests_until_ns)
    return Place(row.position, health, row.delivered, row.failed)
