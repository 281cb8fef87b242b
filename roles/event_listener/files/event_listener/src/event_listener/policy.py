# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may see and do what. No I/O.

Every object (a source, its events) belongs to a domain and, where somebody said so, to an account
in it. A domain is a path of the domain tree, ``/`` or ``/dc1/row2/``; what nobody gave a domain belongs to ``/``. For
each action a role reaches everything, its domain's subtree, its own account, or nothing (:data:`RIGHTS`). `scope` says
which; `allowed` and the SQL of store/ownership.py are both derived from it.
"""

from __future__ import annotations

import enum
import re
from typing import Annotated

import msgspec

ROOT = "/"
# A part of 1 to 64 characters that isn't . or ..
_PART = r"(?:[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}|\.[A-Za-z0-9_-][A-Za-z0-9._-]{0,62}|\.\.[A-Za-z0-9._-]{1,62})"
_DOMAIN = re.compile(f"/(?:{_PART}/)*")
_LONGEST = 255
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
# What the API's document tells of them; `account_name` and `domain_path` check, each with a sentence of its own.
Name = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": f"^{_NAME.pattern}$"})]
DomainPath = Annotated[
    str,
    msgspec.Meta(
        extra_json_schema={
            "pattern": rf"^\s*/*(?:{_PART}(?:/{_PART})*)?/*\s*$",
            "maxLength": _LONGEST,
            "examples": ["/dc1/row2/"],
        }
    ),
]


class Role(enum.StrEnum):
    """CloudStack's roles."""

    ROOT_ADMIN = "root-admin"
    DOMAIN_ADMIN = "domain-admin"
    USER = "user"


class Action(enum.StrEnum):
    """What can be done through the API. A token may be limited to some of them."""

    READ_EVENTS = "events.read"
    MANAGE_EVENTS = "events.manage"  # archive, delete, see what is archived
    READ_SOURCES = "sources.read"
    READ_ALERTS = "alerts.read"
    MANAGE_ALERTS = "alerts.manage"  # acknowledge, resolve, archive, delete
    MANAGE_ACCOUNTS = "accounts.manage"  # domains, accounts, users, tokens
    MANAGE_WEBHOOKS = "webhooks.manage"
    OPERATE = "listener.operate"  # everything else: the registry, quarantine, sinks, backfill


class Reach(enum.Enum):
    """How far a role goes with an action."""

    NOTHING = 0
    ACCOUNT = 1
    SUBTREE = 2
    EVERYTHING = 3


def _row(domain_admin: Reach, user: Reach) -> dict[Role, Reach]:
    return {Role.ROOT_ADMIN: Reach.EVERYTHING, Role.DOMAIN_ADMIN: domain_admin, Role.USER: user}


RIGHTS: dict[Action, dict[Role, Reach]] = {
    Action.READ_EVENTS: _row(Reach.SUBTREE, Reach.ACCOUNT),
    Action.MANAGE_EVENTS: _row(Reach.SUBTREE, Reach.ACCOUNT),
    Action.READ_SOURCES: _row(Reach.SUBTREE, Reach.ACCOUNT),
    Action.READ_ALERTS: _row(Reach.SUBTREE, Reach.NOTHING),
    Action.MANAGE_ALERTS: _row(Reach.SUBTREE, Reach.NOTHING),
    Action.MANAGE_ACCOUNTS: _row(Reach.SUBTREE, Reach.NOTHING),
    Action.MANAGE_WEBHOOKS: _row(Reach.SUBTREE, Reach.ACCOUNT),
    Action.OPERATE: _row(Reach.NOTHING, Reach.NOTHING),
}


class PolicyError(ValueError):
    """What was asked for can't be; the text says why."""


class Owner(msgspec.Struct, frozen=True):
    """To whom an object belongs. Without ``account`` it belongs to the domain's administrators."""

    domain: str = ROOT
    account: str | None = None


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks: a user, or a token of the configuration. ``actions`` limits a token; None is no limit."""

    name: str
    role: Role
    domain: str = ROOT
    account: str | None = None
    actions: frozenset[Action] | None = None


class Scope(msgspec.Struct, frozen=True):
    """The objects that somebody reaches with an action."""

    reach: Reach
    domain: str = ROOT
    account: str | None = None

    def holds(self, owner: Owner) -> bool:
        """Whether an object of this owner is one of them."""
        if self.reach is Reach.EVERYTHING:
            return True
        if self.reach is Reach.SUBTREE:
            return owner.domain.startswith(self.domain)
        if self.reach is Reach.ACCOUNT:
            return self.account is not None and owner == Owner(self.domain, self.account)
        return False


EVERYTHING = Scope(Reach.EVERYTHING)


def scope(principal: Principal, action: Action) -> Scope:
    """What the principal reaches with the action."""
    if principal.actions is not None and action not in principal.actions:
        return Scope(Reach.NOTHING)
    return Scope(RIGHTS[action][principal.role], principal.domain, principal.account)


def allowed(principal: Principal, action: Action, owner: Owner) -> bool:
    """Whether the principal may do this to an object of this owner."""
    return scope(principal, action).holds(owner)


def may_make(principal: Principal, role: Role, owner: Owner) -> bool:
    """Whether the principal may make, change or remove a user of this role there: never one above itself.

    Domain administrators make users and domain administrators of their subtree; only root makes root. A limited token
    makes nobody: what it would make had no limit.
    """
    if principal.actions is not None:
        return False
    if role is Role.ROOT_ADMIN and principal.role is not Role.ROOT_ADMIN:
        return False
    return allowed(principal, Action.MANAGE_ACCOUNTS, owner)


def domain_path(text: str) -> str:
    """A domain as it is stored: ``dc1/row2`` becomes ``/dc1/row2/``. Raises PolicyError."""
    inner = text.strip().strip("/")
    path = f"/{inner}/" if inner else ROOT
    if len(path) > _LONGEST or not _DOMAIN.fullmatch(path):
        raise PolicyError(
            f"domain {text[:140]!r}: write a path such as /dc1/row2/, of letters, digits, dots, dashes and "
            f"underscores, at most {_LONGEST} characters"
        )
    return path


def account_name(text: str) -> str:
    """The name of an account or a user, checked. Raises PolicyError."""
    if not _NAME.fullmatch(text):
        raise PolicyError(
            f"name {text[:140]!r}: begin with a letter or digit, go on with letters, digits, dots, dashes, underscores "
            "and @, at most 64 in all"
        )
    return text


def ancestors(path: str) -> list[str]:
    """The domain itself and all above it, the root first."""
    parts = path.strip("/").split("/") if path != ROOT else []
    return [ROOT, *("/" + "/".join(parts[: count + 1]) + "/" for count in range(len(parts)))]
