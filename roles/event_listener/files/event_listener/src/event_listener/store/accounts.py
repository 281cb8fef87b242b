# SPDX-License-Identifier: GPL-3.0-or-later
"""The tree of domains, and the accounts in it. Each change records who made it (actions.py)."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, Table, delete, func, select

from event_listener.policy import EVERYTHING, ROOT, Owner, PolicyError, Scope, account_name, ancestors, domain_path
from event_listener.store import schema
from event_listener.store.actions import Actor, record, told
from event_listener.store.backend import Backend
from event_listener.store.log import now_ns
from event_listener.store.ownership import within


class Tree:
    """Domains and accounts. Methods return whether they changed something; PolicyError says why they may not."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def domains(self, scope: Scope = EVERYTHING) -> list[str]:
        """The domains of a scope, the root first."""
        table = schema.domain
        statement = select(table.c.path).where(within(scope, table.c.path, table.c.path)).order_by(table.c.path)
        with self._backend.read() as connection:
            found = list(connection.execute(statement).scalars())
        return [ROOT, *found] if scope.holds(Owner(ROOT)) else found

    def add_domain(self, path: str, actor: Actor) -> bool:
        """Make a domain, and those above it."""
        with self._backend.write() as connection:
            return ensure_domain(connection, domain_path(path), actor)

    def remove_domain(self, path: str, actor: Actor) -> bool:
        """Remove an empty domain."""
        path = domain_path(path)
        with self._backend.write() as connection:
            if path == ROOT:
                raise PolicyError("the domain / is the root of the tree; it stays")
            below = (schema.domain.c.path != path) & (func.substr(schema.domain.c.path, 1, len(path)) == path)
            for table, inside, what in (
                (schema.domain, below, "domains"),
                (schema.account, schema.account.c.domain == path, "accounts"),
                (schema.api_user, schema.api_user.c.domain == path, "users"),
                (schema.source, schema.source.c.domain == path, "sources"),
                (schema.webhook, schema.webhook.c.domain == path, "webhooks"),
            ):
                if _count(connection, table, inside):
                    raise PolicyError(f"domain {path} holds {what}; move or remove them first")
            gone = connection.execute(delete(schema.domain).where(schema.domain.c.path == path)).rowcount > 0
            if gone:
                record(connection, told(actor, "DOMAIN.DELETE", ("Domain", path), Owner(path)))
            return gone

    def accounts(self, scope: Scope = EVERYTHING) -> list[Owner]:
        """The accounts of a scope by domain and name."""
        table = schema.account.c
        statement = (
            select(schema.account).where(within(scope, table.domain, table.name)).order_by(table.domain, table.name)
        )
        with self._backend.read() as connection:
            return [Owner(row.domain, row.name) for row in connection.execute(statement)]

    def add_account(self, domain: str, name: str, actor: Actor) -> bool:
        """Make an account, and its domain."""
        domain, name = domain_path(domain), account_name(name)
        with self._backend.write() as connection:
            return ensure_account(connection, domain, name, actor)

    def remove_account(self, domain: str, name: str, actor: Actor) -> bool:
        """Remove an account that nothing belongs to but events."""
        domain, table = domain_path(domain), schema.account.c
        with self._backend.write() as connection:
            for held, what in ((schema.api_user, "users"), (schema.source, "sources"), (schema.webhook, "webhooks")):
                if _count(connection, held, (held.c.domain == domain) & (held.c.account == name)):
                    raise PolicyError(f"account {name} of {domain} has {what}; move or remove them first")
            wanted = (table.domain == domain) & (table.name == name)
            gone = connection.execute(delete(schema.account).where(wanted)).rowcount > 0
            if gone:
                record(connection, told(actor, "ACCOUNT.DELETE", ("Account", name), Owner(domain, name)))
            return gone


def _count(connection: Connection, table: Table, condition: ColumnElement[bool]) -> int:
    return int(connection.execute(select(func.count()).select_from(table).where(condition)).scalar_one())


def ensure_domain(connection: Connection, path: str, actor: Actor) -> bool:
    """Make a domain and those above it, in the transaction of what needs them."""
    table, made = schema.domain, False
    for above in ancestors(path)[1:]:
        if not _count(connection, table, table.c.path == above):
            connection.execute(table.insert().values(path=above, created_ns=now_ns()))
            record(connection, told(actor, "DOMAIN.CREATE", ("Domain", above), Owner(above)))
            made = True
    return made


def ensure_account(connection: Connection, domain: str, name: str, actor: Actor) -> bool:
    """Make an account and its domain, in the transaction of what needs them."""
    ensure_domain(connection, domain, actor)
    table = schema.account
    if _count(connection, table, (table.c.domain == domain) & (table.c.name == name)):
        return False
    connection.execute(table.insert().values(domain=domain, name=name, created_ns=now_ns()))
    record(connection, told(actor, "ACCOUNT.CREATE", ("Account", name), Owner(domain, name)))
    return True
