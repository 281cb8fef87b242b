# SPDX-License-Identifier: GPL-3.0-or-later
"""Users and tokens of the management API: what they are, and their secrets. No I/O.

A token is 256 random bits, so its SHA-256 is enough to keep; a password is what a person could remember, so argon2id.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Any, Literal

import argon2
import msgspec

from event_listener.policy import ROOT, Action, PolicyError, Principal, Role, account_name, domain_path

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 1024  # more would only be work for the server
TOKEN_PREFIX = "rft_"  # noqa: S105 - so that secret scanners, and people, recognise one
FREE_FAILURES = 5
_LONGEST_LOCK = 900

UserState = Literal["enabled", "disabled"]
Kind = Literal["token", "session"]

_hasher = argon2.PasswordHasher()
# What a password is compared with where there is no user, so that the time it takes says nothing.
_NOBODY = _hasher.hash(secrets.token_hex(16))


class User(msgspec.Struct, frozen=True, kw_only=True):
    """Who may log in. ``password`` is an argon2id hash; without one only tokens work."""

    name: str
    role: Role
    domain: str = ROOT
    account: str | None = None
    state: UserState = "enabled"
    password: str | None = None
    failures: int = 0
    locked_until_ns: int = 0


class UserChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shall hold of a user; what isn't given stays. A null ``password`` takes the password away."""

    name: str
    role: Role | msgspec.UnsetType = msgspec.UNSET
    domain: str | msgspec.UnsetType = msgspec.UNSET
    account: str | msgspec.UnsetType | None = msgspec.UNSET
    state: UserState | msgspec.UnsetType = msgspec.UNSET
    password: str | msgspec.UnsetType | None = msgspec.UNSET


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token of a user, without its secret. ``actions`` None: all that the user may."""

    id: str
    owner: str
    name: str
    kind: Kind
    actions: tuple[Action, ...] | None
    created_ns: int
    expires_ns: int | None
    used_ns: int | None


def changed(user: User | None, change: UserChange) -> User:
    """The user after a change; a new one needs a role. Raises PolicyError."""
    before = user or User(name=account_name(change.name), role=_role_of_new(change))
    given = {
        field: value
        for field in UserChange.__struct_fields__
        if (value := getattr(change, field)) is not msgspec.UNSET and field != "name"
    }
    if "domain" in given:
        given["domain"] = domain_path(given["domain"])
    if given.get("account") is not None:
        account_name(given["account"])
    if given.get("password") is not None:
        given["password"] = _new_hash(before.password, given["password"])
        given["failures"] = given["locked_until_ns"] = 0
    after = msgspec.structs.replace(before, **given)
    if after.role is Role.USER and after.account is None:
        raise PolicyError(f"user {after.name}: a user of the role user belongs to an account; give account")
    if after.role is Role.ROOT_ADMIN and after.domain != ROOT:
        raise PolicyError(f"user {after.name}: a root-admin belongs to the domain /")
    return after


def _role_of_new(change: UserChange) -> Role:
    if isinstance(change.role, msgspec.UnsetType):
        raise PolicyError(f"user {change.name}: a new user needs a role: {', '.join(Role)}")
    return change.role


def _new_hash(before: str | None, password: str) -> str:
    """A hash of a new password; the old one where it is the same, so that setting it again changes nothing."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise PolicyError(f"a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")
    return before if before is not None and _matches(before, password) else _hasher.hash(password)


def _matches(hashed: str, password: str) -> bool:
    try:
        return _hasher.verify(hashed, password[: LONGEST_PASSWORD + 1])
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False


def is_password(user: User | None, password: str) -> bool:
    """Whether it is this user's password; takes as long where there is no such user, or no password."""
    known = user.password if user is not None else None
    return _matches(known or _NOBODY, password) and known is not None


def lock_seconds(failures: int) -> int:
    """How long a user is locked after so many wrong passwords in a row: a few are free, then 1, 2, 4, … s."""
    return 0 if failures < FREE_FAILURES else min(_LONGEST_LOCK, 2 ** min(failures - FREE_FAILURES, 20))


def new_token() -> str:
    """A token; only its :func:`digest` is kept."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def principal(user: User, actions: tuple[Action, ...] | None = None) -> Principal:
    """The user as policy.py sees one."""
    limit = None if actions is None else frozenset(actions)
    return Principal(name=user.name, role=user.role, domain=user.domain, account=user.account, actions=limit)


def shown(user: User) -> dict[str, Any]:
    """A user as JSON; of the password only whether there is one."""
    return {
        "name": user.name,
        "role": user.role.value,
        "domain": user.domain,
        "account": user.account,
        "state": user.state,
        "has_password": user.password is not None,
    }
