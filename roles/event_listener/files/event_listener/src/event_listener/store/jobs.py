# SPDX-License-Identifier: GPL-3.0-or-later
"""Long-running jobs: a projection of the event log (jobs.py says how), and what can be asked of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, delete, func, select

from event_listener import jobs
from event_listener.event import Category, Level
from event_listener.jobs import Job, Step
from event_listener.policy import EVERYTHING, Owner, Reach, Scope
from event_listener.store import rows, schema
from event_listener.store.backend import Backend
from event_listener.store.log import Arrival, insert_new, now_ns
from event_listener.store.own import own_arrival
from event_listener.store.ownership import within
from event_listener.store.reader import Reader, due

_TABLE = schema.job
_JUDGED = 500  # at once
_PURGED = 1000
SETS = ("id", "source", "site", "start_id", "operation", "type", "state", "resource_id", "domain", "account")


class JobQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which jobs: all conditions hold; of a set, any value. Newest first; ``before`` is an exclusive ``seq`` limit.

    ``since_ns`` and ``until_ns`` are about the last sign of life. ``running_since_ns``: started then or before, and not
    ended: jobs that last. ``waiting_since_ns``: scheduled then or before, and not started. ``hanging``: judged to.
    """

    id: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    site: tuple[str, ...] = ()
    start_id: tuple[str, ...] = ()
    operation: tuple[str, ...] = ()
    type: tuple[str, ...] = ()
    state: tuple[str, ...] = ()
    resource_id: tuple[str, ...] = ()
    domain: tuple[str, ...] = ()
    account: tuple[str, ...] = ()
    below: str = ""
    since_ns: int | None = None
    until_ns: int | None = None
    running_since_ns: int | None = None
    waiting_since_ns: int | None = None
    hanging: bool | None = None
    before: int | None = None
    limit: int = 100
    scope: Scope = EVERYTHING

    def conditions(self) -> list[ColumnElement[bool]]:
        """The same as SQL."""
        table = _TABLE.c
        found: list[ColumnElement[bool]] = [within(self.scope, table.domain, table.account)]
        if self.below:
            found.append(within(Scope(Reach.SUBTREE, self.below), table.domain, table.account))
        for name in SETS:
            values: tuple[str, ...] = getattr(self, name)
            if values:
                found.append(table[name].in_(values))
        if self.since_ns is not None:
            found.append(table.seen_ns >= self.since_ns)
        if self.until_ns is not None:
            found.append(table.seen_ns < self.until_ns)
        if self.running_since_ns is not None:
            found += [table.ended_ns.is_(None), table.started_ns <= self.running_since_ns]
        if self.waiting_since_ns is not None:
            found += [table.ended_ns.is_(None), table.started_ns.is_(None)]
            found.append(table.scheduled_ns <= self.waiting_since_ns)
        if self.hanging is not None:
            found.append(table.hanging_ns.is_not(None) if self.hanging else table.hanging_ns.is_(None))
        if self.before is not None:
            found.append(table.seq < self.before)
        return found


class Jobs:
    """For many processes; `follow` for one thread each."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        event = schema.event.c
        self.reader = Reader(backend, "jobs", event.start_id.is_not(None))

    def follow(self) -> bool:
        """Take in the next events; returns whether there are more. Raises StoreUnavailableError."""
        batch = self.reader.read()
        steps = [step for event in batch.events if (step := jobs.step_of(event)) is not None]
        if steps:
            self.reader.take(batch, lambda connection: self._apply(connection, steps))
        else:
            self.reader.skip(batch)
        return batch.more

    def _apply(self, connection: Connection, steps: Sequence[Step]) -> None:
        keyed = [(jobs.key_of(step.event), step) for step in steps]
        known = _latest(connection, {key for key, _step in keyed})
        changed: dict[str, Job] = {}
        told: list[Arrival] = []
        for key, step in keyed:
            job = known.get(key)
            if job is None and step.weak:
                continue
            if job is None or jobs.begins_anew(job, step):
                job = jobs.opened(step, key, 0 if job is None else job.number + 1)
            elif jobs.is_late(job, step):
                continue
            after = jobs.merged(job, step)
            if after.hanging_ns is not None:
                told.append(_goes_on(after, step))
                after = msgspec.structs.replace(after, hanging_ns=None)
            known[key] = changed[after.id] = after
        columns = [msgspec.structs.asdict(job) for job in changed.values()]
        self._backend.upsert(connection, _TABLE, rows.numbered(connection, _TABLE, columns), add=())
        insert_new(connection, told)

    def judge(self, now: int, hanging_after: float, not_started_after: float) -> list[Job]:
        """Say of which jobs nothing was heard for too long (s; 0: never); returns those nobody said it of before."""
        table, told = _TABLE.c, []
        quiet: list[ColumnElement[bool]] = []
        if hanging_after:
            quiet.append(table.started_ns.is_not(None) & (table.seen_ns < now - int(hanging_after * 1e9)))
        if not_started_after:
            quiet.append(table.started_ns.is_(None) & (table.seen_ns < now - int(not_started_after * 1e9)))
        for condition in quiet:
            wanted = table.ended_ns.is_(None), table.hanging_ns.is_(None), condition
            while True:
                found = self._judge(wanted, now)
                told += found
                if len(found) < _JUDGED:
                    break
        return told

    def _judge(self, wanted: Sequence[ColumnElement[bool]], now: int) -> list[Job]:
        statement = select(_TABLE).where(*wanted).limit(_JUDGED)
        with self._backend.read() as connection:
            if connection.execute(statement.limit(1)).first() is None:
                return []
        with self._backend.write() as connection:
            found = [_job_of(row) for row in connection.execute(statement)]
            ids = [job.id for job in found]
            connection.execute(_TABLE.update().where(_TABLE.c.id.in_(ids)).values(hanging_ns=now))
            insert_new(connection, [_hangs(job, now) for job in found])
        return found

    def find(self, query: JobQuery) -> tuple[list[Job], int | None]:
        """A page, newest first, and the next page's ``before``."""
        statement = select(_TABLE).where(*query.conditions()).order_by(_TABLE.c.seq.desc()).limit(query.limit + 1)
        with self._backend.read() as connection:
            found = [_job_of(row) for row in connection.execute(statement)]
        page = found[: query.limit]
        return page, page[-1].seq if len(found) > query.limit else None

    def get(self, job_id: str, scope: Scope = EVERYTHING) -> Job | None:
        """One job, where the scope has it."""
        found, _next = self.find(JobQuery(id=(job_id,), scope=scope))
        return found[0] if found else None

    def counts(self) -> dict[str, int]:
        """How many jobs are in each state, and under ``hanging`` how many hang."""
        count = func.count().label("many")
        with self._backend.read() as connection:
            found = {
                row.state: int(row.many)
                for row in connection.execute(select(_TABLE.c.state, count).group_by(_TABLE.c.state))
            }
            hanging = connection.execute(select(count).where(_TABLE.c.hanging_ns.is_not(None))).scalar_one()
        return {**{state.value: found.get(state.value, 0) for state in jobs.JobState}, "hanging": int(hanging)}

    def purge_due(self, now: int, seconds: float) -> bool:
        """Whether it is time to purge, and nobody else does."""
        return due(self._backend, "job.purge", now, seconds)

    def purge(self, before_ns: int) -> int:
        """Remove jobs without a sign of life since then, in batches; returns how many."""
        total = 0
        old = select(_TABLE.c.id).where(_TABLE.c.seen_ns < before_ns).limit(_PURGED)
        while True:
            with self._backend.write() as connection:
                ids = list(connection.execute(old).scalars())
                connection.execute(delete(_TABLE).where(_TABLE.c.id.in_(ids)))
            total += len(ids)
            if len(ids) < _PURGED:
                return total


def _latest(connection: Connection, keys: Iterable[str]) -> dict[str, Job]:
    """Of each key the job with the greatest number."""
    found: dict[str, Job] = {}
    for row in connection.execute(select(_TABLE).where(_TABLE.c.key.in_(list(keys))).order_by(_TABLE.c.number)):
        found[row.key] = _job_of(row)
    return found


def _job_of(row: Row[Any]) -> Job:
    return Job(**row._mapping)


def _hangs(job: Job, now: int) -> Arrival:
    quiet = f"{(now - job.seen_ns) / 1e9:.0f}"
    which = f"the job {job.start_id} of {job.source}"
    if job.started_ns is None:
        key, text = "JobNotStarted", f"Scheduled {quiet} s ago, and not started: {which}."
    else:
        key, text = "JobHangs", f"Nothing was heard for {quiet} s of {which}."
    return _told(key, text, job, now, Level.WARN, f"hangs:{job.seen_ns}", [job.start_id, job.source, quiet])


def _goes_on(job: Job, step: Step) -> Arrival:
    text = f"The job {job.start_id} of {job.source} goes on: it is {job.state}."
    arguments = [job.start_id, job.source, job.state]
    return _told("JobGoesOn", text, job, now_ns(), Level.INFO, f"goes-on:{step.event.id}", arguments)


def _told(key: str, text: str, job: Job, now: int, level: Level, unique: str, arguments: list[str]) -> Arrival:
    details = {"job": job.id, "start_id": job.start_id, "operation": job.operation, "state": job.state}
    return own_arrival(
        key,
        text,
        unique=f"job:{job.id}:{unique}",
        now_ns=now,
        about=job.source,
        owner=Owner(job.domain, job.account),
        level=level,
        category=Category.ALERT,
        arguments=arguments,
        details=details,
        resource=("Job", job.id),
    )
