# SPDX-License-Identifier: GPL-3.0-or-later
"""Users of the management API, their tokens, and logging in. Each change records who made it (actions.py)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, select

from event_listener import accounts
from event_listener.accounts import Kind, Token, User, UserChange
from event_listener.clock import cautious_ns, is_over
from event_listener.policy import EVERYTHING, Action, Owner, PolicyError, Scope
from event_listener.store import schema
from event_listener.store.accounts import ensure_account, ensure_domain
from event_listener.store.actions import Actor, record, told
from event_listener.store.backend import Backend
from event_listener.store.log import now_ns
from event_listener.store.ownership import within

SECOND = 1_000_000_000
_USED_EVERY = 60 * SECOND  # a token's last use is written no more often


class Users:
    """Who may log in. Methods raise PolicyError for what can't be."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def find(self, scope: Scope = EVERYTHING) -> list[User]:
        """The users of a scope by name."""
        table = schema.api_user.c
        statement = select(schema.api_user).where(within(scope, table.domain, table.account)).order_by(table.name)
        with self._backend.read() as connection:
            return [_user_of(row) for row in connection.execute(statement)]

    def get(self, name: str) -> User | None:
        """One user."""
        with self._backend.read() as connection:
            return _user(connection, name)

    def set(
        self, change: UserChange, actor: Actor, *, check: bool = False, allow: Callable[[User], None] | None = None
    ) -> tuple[User | None, User]:
        """Make what is given hold; returns the user before and after. Who loses rights loses sessions and tokens.

        ``allow`` is called with both and raises where the actor may not.
        """
        with self._backend.write() as connection:
            before = _user(connection, change.name)
            after = accounts.changed(before, change)
            if allow is not None:
                for user in filter(None, (before, after)):
                    allow(user)
            if check or before == after:
                return before, after
            if after.account is not None:
                ensure_account(connection, after.domain, after.account, actor)
            else:
                ensure_domain(connection, after.domain, actor)
            now = now_ns()
            created = now if before is None else _created(connection, after.name)
            row = {**msgspec.to_builtins(after), "created_ns": created, "updated_ns": now}
            self._backend.upsert(connection, schema.api_user, [row], add=())
            if before is not None:
                self._end_tokens(connection, before, after)
            what = _difference(before, after)
            kind = "USER.CREATE" if before is None else "USER.UPDATE"
            record(
                connection, told(actor, kind, ("User", after.name), Owner(after.domain, after.account), details=what)
            )
        return before, after

    @staticmethod
    def _end_tokens(connection: Connection, before: User, after: User) -> None:
        """A changed password ends sessions; a disabled user has nothing left that works."""
        table = schema.api_token.c
        if after.state == "disabled":
            connection.execute(delete(schema.api_token).where(table.owner == after.name))
        elif before.password != after.password:
            connection.execute(delete(schema.api_token).where(table.owner == after.name, table.kind == "session"))

    def remove(self, name: str, actor: Actor) -> bool:
        """Remove a user and all tokens."""
        with self._backend.write() as connection:
            user = _user(connection, name)
            if user is None:
                return False
            connection.execute(delete(schema.api_token).where(schema.api_token.c.owner == name))
            connection.execute(delete(schema.api_user).where(schema.api_user.c.name == name))
            record(connection, told(actor, "USER.DELETE", ("User", name), Owner(user.domain, user.account)))
        return True

    def add_token(
        self,
        owner: str,
        name: str,
        actor: Actor,
        *,
        actions: tuple[Action, ...] | None,
        lifetime: int | None,
        kind: Kind,
    ) -> tuple[Token, str]:
        """Give a user a token for ``lifetime`` seconds; returns it and its secret, which is nowhere kept."""
        secret, now = accounts.new_token(), now_ns()
        with self._backend.write() as connection:
            user = _user(connection, owner)
            if user is None or user.state == "disabled":
                raise PolicyError(f"there is no enabled user {owner}")
            token = Token(
                id=accounts.digest(secret)[:12],
                owner=owner,
                name=name,
                kind=kind,
                actions=actions,
                created_ns=now,
                expires_ns=None if lifetime is None else now + lifetime * SECOND,
                used_ns=None,
            )
            limit = None if actions is None else json.dumps(sorted(actions))
            row = {**msgspec.structs.asdict(token), "actions": limit, "digest": accounts.digest(secret)}
            connection.execute(schema.api_token.insert().values(row))
            what = ("USER.LOGIN", ("User", owner)) if kind == "session" else ("TOKEN.CREATE", ("Token", token.id))
            details = {"token": token.id, "name": name}
            record(connection, told(actor, *what, Owner(user.domain, user.account), details=details))
        return token, secret

    def tokens(self, owner: str) -> list[Token]:
        """The tokens of a user that haven't expired."""
        table, now = schema.api_token.c, now_ns()
        statement = select(schema.api_token).where(table.owner == owner).order_by(table.created_ns)
        with self._backend.read() as connection:
            return [_token_of(row) for row in connection.execute(statement) if not _has_expired(row, now)]

    def remove_token(self, owner: str, token_id: str, actor: Actor) -> bool:
        """Revoke a token, or end a session."""
        table = schema.api_token.c
        wanted = (table.owner == owner) & (table.id == token_id)
        with self._backend.write() as connection:
            row = connection.execute(select(schema.api_token).where(wanted)).one_or_none()
            if row is None:
                return False
            connection.execute(delete(schema.api_token).where(wanted))
            user = _user(connection, owner)
            what = ("USER.LOGOUT", ("User", owner)) if row.kind == "session" else ("TOKEN.DELETE", ("Token", token_id))
            record(connection, told(actor, *what, Owner(user.domain, user.account) if user else Owner()))
        return True

    def by_token(self, secret: str) -> tuple[User, Token] | None:
        """Whose token it is, if it is valid."""
        now, table = now_ns(), schema.api_token.c
        with self._backend.read() as connection:
            row = connection.execute(
                select(schema.api_token).where(table.digest == accounts.digest(secret))
            ).one_or_none()
            if row is None or _has_expired(row, now):
                return None
            token, user = _token_of(row), _user(connection, row.owner)
        if user is None or user.state == "disabled":
            return None
        if now - (token.used_ns or 0) >= _USED_EVERY:
            with self._backend.write("api_token") as connection:
                connection.execute(schema.api_token.update().where(table.id == token.id).values(used_ns=now))
        return user, token

    def log_in(self, name: str, password: str, actor: Actor, lifetime: int) -> tuple[Token, str] | int:
        """A session for the right password, else how many seconds to wait before the next try (0: no wait).

        Locked users aren't asked; expired tokens go. Wrong passwords are told once a minute and user.
        """
        now = now_ns()
        user = self.get(name)
        left = user.locked_until_ns - now if user is not None else 0
        # Longer than a lock ever is: the clock was set back since.
        if user is not None and 0 < left <= accounts.lock_seconds(user.failures) * SECOND:
            return max(1, left // SECOND)
        if accounts.is_password(user, password) and user is not None and user.state == "enabled":
            with self._backend.write() as connection:
                self._failures(connection, name, 0, 0)
                expired = schema.api_token.c.expires_ns <= cautious_ns()
                connection.execute(delete(schema.api_token).where(expired))
            return self.add_token(name, "session", actor, actions=None, lifetime=lifetime, kind="session")
        failures = (user.failures if user else 0) + 1
        wait = accounts.lock_seconds(failures)
        with self._backend.write() as connection:
            if user is not None:
                self._failures(connection, name, failures, now + wait * SECOND)
            owner = Owner(user.domain, user.account) if user else Owner()
            once = f"login:{name}:{actor.where}:{now // (60 * SECOND)}"
            shown = name if user is not None else "(unknown)"  # it may be a password, typed into the wrong field
            who, what = Actor(shown, actor.where), ("User", shown)
            record(connection, told(who, "USER.LOGIN", what, owner, failed="wrong password", unique=once))
        return wait

    @staticmethod
    def _failures(connection: Connection, name: str, failures: int, until: int) -> None:
        table = schema.api_user
        connection.execute(table.update().where(table.c.name == name).values(failures=failures, locked_until_ns=until))


def _has_expired(token: Row[Any], now: int) -> bool:
    """A clock that jumps locks nobody out who was let in for a year."""
    return token.expires_ns is not None and is_over(token.created_ns, token.expires_ns, now, cautious_ns())


def _difference(before: User | None, after: User) -> dict[str, Any]:
    """What a change set; never a password."""
    known = accounts.shown(before) if before is not None else {}
    found = {name: value for name, value in accounts.shown(after).items() if name not in known or known[name] != value}
    if before is not None and before.password != after.password:
        found["password"] = "changed"  # noqa: S105 - says that it was
    return found


def _user(connection: Connection, name: str) -> User | None:
    row = connection.execute(select(schema.api_user).where(schema.api_user.c.name == name)).one_or_none()
    return _user_of(row) if row is not None else None


def _created(connection: Connection, name: str) -> int:
    column = schema.api_user.c.created_ns
    return int(connection.execute(select(column).where(schema.api_user.c.name == name)).scalar_one())


def _user_of(row: Row[Any]) -> User:
    return msgspec.convert({name: row._mapping[name] for name in User.__struct_fields__}, User)


def _token_of(row: Row[Any]) -> Token:
    fields = {name: row._mapping[name] for name in Token.__struct_fields__}
    return msgspec.convert({**fields, "actions": None if row.actions is None else json.loads(row.actions)}, Token)
