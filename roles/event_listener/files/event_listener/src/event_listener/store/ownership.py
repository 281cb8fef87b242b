# SPDX-License-Identifier: GPL-3.0-or-later
"""A scope of policy.py as SQL: the same objects, by construction and by a property test."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, false, func, select, true

from event_listener.policy import ROOT, Reach, Scope
from event_listener.store import schema


def within(scope: Scope, domain: ColumnElement[str], account: ColumnElement[str | None]) -> ColumnElement[bool]:
    """Whether a row with these columns is in the scope."""
    if scope.reach is Reach.EVERYTHING or (scope.reach is Reach.SUBTREE and scope.domain == ROOT):
        return true()
    if scope.reach is Reach.SUBTREE:
        # Not LIKE: it would ignore case on SQLite and take an underscore for any character.
        return func.substr(domain, 1, len(scope.domain)) == scope.domain
    if scope.reach is Reach.ACCOUNT and scope.account is not None:
        return and_(domain == scope.domain, account == scope.account)
    return false()


def of_source(scope: Scope, name: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a source of this name is in the scope, as the registry has it now; unknown ones are the root's."""
    if scope.reach is Reach.EVERYTHING or (scope.reach is Reach.SUBTREE and scope.domain == ROOT):
        return true()
    table = schema.source.c
    return name.in_(select(table.name).where(within(scope, func.coalesce(table.domain, ROOT), table.account)))
