# SPDX-License-Identifier: GPL-3.0-or-later
"""A query as SQL that walks an index: the page of a rare type in five million events costs what that of a common does.

One condition leads (:func:`_leading`): the one whose index, in the order of ``seq``, has the fewest events to look at.
With several values (``type=A,B``, a domain with those below it, a pattern) each value is asked by itself, and the
answers are merged: no database walks several ranges of an index in the order of another column. SQLite's planner is
kept from the other indexes; PostgreSQL's has statistics, but of times they know too little.
"""

from __future__ import annotations

import collections
import itertools
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, TextClause, and_, func, or_, select, text

from event_listener import words
from event_listener.event import State
from event_listener.policy import ROOT, Owner, Reach, Scope
from event_listener.store import marks, periods, rows, schema, search, text_index
from event_listener.store.ownership import within
from event_listener.store.question import SETS, Query, is_pattern

MOST_VALUES = 64  # that are asked one by one
MOST_UNINDEXED = 5000  # newest events that are looked through; more are behind only after an upgrade
_EVENT = schema.event.c
_SELECTIVE = ("start_id", "resource_id", "source")
_COMMON = ("account", "type", "domain", "state", "level", "category", "origin")
_MOST_DISTINCT = 2000
_BY_SEQ: tuple[list[ColumnElement[Any]], list[tuple[str, ...]]] = ([], [()])
# The plan for a word that a third of the events have is the worst for one that thirty have, and so with periods. Of a
# prepared statement PostgreSQL would take one plan for all. Other questions are asked of one index, whatever the
# values: planning those anew, a domain and those below it by a statement each, takes ten times as long as asking.
_BY_VALUES = text("SET LOCAL plan_cache_mode = force_custom_plan")
_UNUSUAL = text("event.state <> 'Completed'")  # as the index of states says it, literally

_MARK = schema.event_mark.c

Condition = ColumnElement[bool] | TextClause
Range = tuple[int, int | None]  # greater than the first, smaller than the second


class Selection:
    """One query, in one transaction. ``number`` finds the ``seq`` of what fits, ``count`` how many there are."""

    def __init__(self, connection: Connection, query: Query) -> None:
        self._connection, self._query = connection, query
        self._dialect = connection.dialect.name
        by_values = query.keyword or query.since_ns is not None or query.until_ns is not None
        if by_values and self._dialect == "postgresql":
            connection.execute(_BY_VALUES)
        self._columns, self._values = _leading(connection, query)
        self._words = words.asked(query.keyword)
        self._through = search.through(connection)
        self._ranges = _ranges(connection, query, self._through)
        # Archived ones are few, and may be at the end of five million that aren't.
        self._by_marks = query.archived == "only" and not (self._columns or self._words or query.id)

    def number(self, limit: int) -> list[int]:
        """The first of them, in the order of the query."""
        descending = self._query.order == "desc"
        found: set[int] = set(self.unindexed())
        for values, between in itertools.product(self._values, self._ranges):
            statement, seq = self._statement(values, [between])
            order = seq.desc() if descending else seq.asc()
            found.update(self._connection.execute(statement.order_by(order).limit(limit)).scalars())
        return sorted(found, reverse=descending)[:limit]

    def count(self) -> int:
        """How many there are."""
        statement = select(func.count()).select_from(self.all().subquery())
        return int(self._connection.execute(statement).scalar_one()) + len(self.unindexed())

    def all(self) -> Select[Any]:
        """The ``seq`` of all of them, as a statement."""
        return self._statement((), self._ranges)[0]

    def is_behind(self) -> bool:
        """Whether a search may lack some: so many events wait for the index."""
        return bool(self._words) and rows.last(self._connection, schema.event) - self._through > MOST_UNINDEXED

    def unindexed(self) -> list[int]:
        """With words, those of the newest events that have them and aren't in the index yet."""
        if not self._words:
            return []
        seq = _EVENT.seq
        newest = max(self._query.after, self._through), self._query.before
        chosen = [*self._owned(()), *self._others(keep=False), _between(seq, newest)]
        columns = [_EVENT[name] for name in text_index.COLUMNS]
        found = self._connection.execute(select(*columns).where(*chosen).order_by(seq.desc()).limit(MOST_UNINDEXED))
        return [
            row["seq"]
            for row in text_index.rows(dict(one) for one in found.mappings())
            if words.matches(self._words, row["words"].split())
        ]

    def types(self) -> list[tuple[str, int]]:
        """Their types and how many of each, by name."""
        statement = self.all().with_only_columns(_EVENT.type, func.count()).group_by(_EVENT.type)
        found = collections.Counter({str(name): int(count) for name, count in self._connection.execute(statement)})
        found.update(self._connection.execute(select(_EVENT.type).where(_EVENT.seq.in_(self.unindexed()))).scalars())
        return sorted(found.items())

    def _statement(self, leading: tuple[str, ...], ranges: Sequence[Range]) -> tuple[Select[Any], ColumnElement[int]]:
        """``leading``: values of the leading columns; without, all of theirs. And the column that orders."""
        query = self._query
        chosen: list[Condition] = []
        seq: ColumnElement[int] = _EVENT.seq
        bounded: list[ColumnElement[int]] = []
        statement = select(_EVENT.seq.label("seq"))
        if self._words:
            joined = text_index.joined(self._dialect, [*self._words, *_hints(query)], _EVENT.seq)
            statement = select(joined.seq.label("seq")).select_from(schema.event, joined.table)
            seq, bounded, chosen = joined.seq, joined.bounded, [*joined.conditions]
        elif self._by_marks:
            seq, chosen = _MARK.event_seq, [_MARK.kind == marks.ARCHIVED]
            chosen.append(_EVENT.seq == text_index.plain(self._dialect, seq))
            statement = select(seq.label("seq")).select_from(schema.event_mark, schema.event)
        chosen += [column == value for column, value in zip(self._columns, leading, strict=False)]
        if leading and self._columns[0] is _EVENT.state and leading[0] != State.COMPLETED:
            chosen.append(_UNUSUAL)
        if query.id and not self._words:
            seq = text_index.plain(self._dialect, _EVENT.seq)
        chosen += self._owned(leading)
        chosen += self._others(keep=not leading and not self._words)
        chosen += [or_(*(_between(column, one) for one in ranges)) for column in bounded or [seq]]
        return statement.where(*chosen), seq

    def _owned(self, leading: tuple[str, ...]) -> list[Condition]:
        """Whose events. Not said again of domains that were chosen by it: PostgreSQL would expect few of them."""
        scopes = [self._query.scope, *([Scope(Reach.SUBTREE, self._query.below)] if self._query.below else [])]
        if leading and self._columns[0] is _EVENT.domain:
            scopes = [scope for scope in scopes if scope.reach is not Reach.SUBTREE]
        columns = [text_index.plain(self._dialect, _EVENT[name]) for name in ("domain", "account")]
        return [within(scope, *columns) for scope in scopes]

    def _others(self, *, keep: bool) -> list[Condition]:
        """All conditions but the leading ones; ``keep``: an index may be used for them."""
        query = self._query

        def free(column: ColumnElement[Any]) -> ColumnElement[Any]:
            return column if keep else text_index.plain(self._dialect, column)

        found: list[Condition] = []
        # The blocks say where a period is (periods.py). PostgreSQL doesn't know how much has just come in: its index of
        # times would give it a hundred thousand new events for a page, to be sorted.
        received = text_index.free(self._dialect, _EVENT.received_ns)
        if query.since_ns is not None:
            found.append(received >= query.since_ns)
        if query.until_ns is not None:
            found.append(received < query.until_ns)
        for name in SETS:
            values: tuple[str, ...] = getattr(query, name)
            if values:
                column = _EVENT.id if name == "id" else free(_EVENT[name])
                found.append(_one_of(self._dialect, column, values, patterns=name == "type"))
        return found if self._by_marks else [*found, marks.wanted(query.archived, _EVENT.seq)]


def _one_of(dialect: str, column: ColumnElement[Any], values: Sequence[str], *, patterns: bool) -> ColumnElement[bool]:
    exact = [value for value in values if not (patterns and is_pattern(value))]
    found: list[ColumnElement[bool]] = [column == exact[0] if len(exact) == 1 else column.in_(exact)] if exact else []
    if patterns:
        found += [_like(dialect, column, value) for value in values if is_pattern(value)]
    return or_(*found)


def _like(dialect: str, column: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
    """``*`` is any number of any characters; case counts, as it doesn't in SQLite's LIKE."""
    if dialect == "sqlite":
        return column.op("GLOB", is_comparison=True)(pattern.replace("[", "[[]").replace("?", "[?]"))
    plain = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return column.like(plain.replace("*", "%"), escape="\\")


def _hints(query: Query) -> list[words.Word]:
    """A search with one source is one for its name, too: fewer events to look at."""
    return words.asked(query.source[0]) if len(query.source) == 1 else []


def _ranges(connection: Connection, query: Query, through: int) -> list[Range]:
    """What fits has a ``seq`` in one of these, which don't overlap."""
    low, high = query.after, query.before
    if query.since_ns is None and query.until_ns is None:
        return [(low, high)]
    first, end = periods.bounds(connection, query.since_ns, query.until_ns)
    found: list[Range] = [(max(low, first - 1), end if high is None else min(high, end))]
    if rows.last(connection, schema.event) > through:  # when the newest were received isn't known yet
        found.append((max(low, through, end - 1), high))
    return found


def _between(seq: ColumnElement[int], bounds: Range) -> ColumnElement[bool]:
    low, high = bounds
    return and_(seq > low, seq < high) if high is not None else seq > low


def _leading(connection: Connection, query: Query) -> tuple[list[ColumnElement[Any]], list[tuple[str, ...]]]:
    """The columns whose index leads, and their values, each asked by itself; no columns where ``seq``, ids or words do.

    Without any value nothing can fit.
    """
    if query.id or query.keyword:
        return _BY_SEQ
    for name in _SELECTIVE:
        values: tuple[str, ...] = getattr(query, name)
        if 0 < len(values) <= MOST_VALUES:
            return [_EVENT[name]], [(value,) for value in values]
    if query.scope.reach is Reach.ACCOUNT and query.scope.account is not None:
        below = query.scope.domain.startswith(query.below or ROOT)
        return [_EVENT.domain, _EVENT.account], [(query.scope.domain, query.scope.account)] if below else []
    for name in _COMMON:
        columns, found = _of(connection, query, name)
        if found is not None and len(found) <= MOST_VALUES:
            return columns, found
    return _BY_SEQ


def _of(
    connection: Connection, query: Query, name: str
) -> tuple[list[ColumnElement[Any]], list[tuple[str, ...]] | None]:
    """The values of one condition. Those of a pattern, or of a domain with all below it, are looked up.

    None where the query has no such condition, or the values are too many to look up.
    """
    if name == "account":
        domains = _domains(connection, query) if query.account else None
        if domains is None:
            return [], None
        return [_EVENT.domain, _EVENT.account], [(path, account) for account in query.account for path in domains]
    if name == "domain":
        limited = query.domain or query.below or (query.scope.reach is Reach.SUBTREE and query.scope.domain != ROOT)
        domains = _domains(connection, query) if limited else None
        return [_EVENT.domain], None if domains is None else [(path,) for path in domains]
    values: Sequence[str] | None = getattr(query, name) or None
    if name == "type" and any(map(is_pattern, query.type)):
        known = _distinct(connection, "type")
        values = None if known is None else [one for one in known if query.takes_type(one)]
    return [_EVENT[name]], None if values is None else [(value,) for value in values]


def _domains(connection: Connection, query: Query) -> list[str] | None:
    """The domains of the log's events that the query allows; None where there are too many."""
    scopes = [query.scope, Scope(Reach.SUBTREE, query.below or ROOT)]
    known = query.domain or _distinct(connection, "domain")
    if known is None:
        return None
    return [path for path in known if all(scope.holds(Owner(path, scope.account)) for scope in scopes)]


def _distinct(connection: Connection, name: str) -> list[str] | None:
    """The values of an indexed column: one step in its index for each. None where there are too many."""
    statement = text(
        f"WITH RECURSIVE one(value, number) AS (SELECT min({name}), 1 FROM event UNION ALL "  # noqa: S608 - our columns
        f"SELECT (SELECT min({name}) FROM event WHERE {name} > one.value), number + 1 FROM one "
        "WHERE one.value IS NOT NULL AND number < :most) SELECT value FROM one WHERE value IS NOT NULL"
    )
    found = [str(value) for value in connection.execute(statement, {"most": _MOST_DISTINCT}).scalars()]
    return None if len(found) >= _MOST_DISTINCT else found
