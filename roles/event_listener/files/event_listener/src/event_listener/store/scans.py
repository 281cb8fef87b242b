# SPDX-License-Identifier: GPL-3.0-or-later
"""Scans that were asked for: what became of each, and the events that tell of it. Both are stored, or neither.

A scan is launched by whoever moves it from ``scheduled`` to ``launching``, which one process can. That is on disk
before the scanner is asked; so a crash in between leaves a ``launching`` scan, of which it isn't known whether the
scanner has it, and never one that was launched and looks as if it was not.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, delete, func, select

from event_listener.clock import too_far
from event_listener.event import Category, Level, State
from event_listener.policy import Owner
from event_listener.scans.plan import Wanted
from event_listener.store import schema
from event_listener.store.actions import Actor, record, told
from event_listener.store.backend import Backend
from event_listener.store.log import Arrival, insert_new, now_ns
from event_listener.store.own import own_arrival

ScanState = Literal["scheduled", "launching", "running", "completed", "failed", "dry_run"]
OVER = ("completed", "failed", "dry_run")
DAY_NS = 86_400_000_000_000
KEPT_NS = 90 * DAY_NS  # of scans that are over; their events stay as long as any event


class ScanJob(msgspec.Struct, frozen=True, kw_only=True):
    """A scan. ``reference`` is the scanner's, "" until it has one; ``error`` is "" where there is none."""

    id: str
    sink: str
    state: ScanState
    addresses: list[str]
    causes: list[dict[str, Any]]
    reference: str
    error: str
    domain: str
    account: str | None
    attempts: int
    created_ns: int
    asked_ns: int
    next_ns: int
    ended_ns: int


class Scans:
    """For many processes: who moves a scan on is the only one."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def through(self, sink: str) -> int:
        """The last event whose scans were scheduled; 0 for a new sink."""
        table = schema.scan_sink.c
        with self._backend.read() as connection:
            return int(connection.execute(select(table.through).where(table.sink == sink)).scalar() or 0)

    def schedule(self, sink: str, after: int, through: int, wanted: Sequence[Wanted], *, dry_run: bool) -> None:
        """Add the scans of the events ``(after, through]``, unless somebody did so meanwhile."""
        moment = now_ns()
        with self._backend.write() as connection:
            if _sink(connection, sink)["through"] != after:
                return
            self._put(connection, sink, through=through)
            for one in wanted:
                job = _new(sink, one, moment, dry_run=dry_run)
                connection.execute(schema.scan.insert().values(_columns(job)))
                key, text = ("ScanScheduled", "is to be scanned")
                state = State.SCHEDULED
                if dry_run:
                    key, text, state = "ScanCompleted", "would be scanned, were this not a dry run", State.COMPLETED
                insert_new(connection, [_told(job, key, f"{_targets(job)} {text}.", state, moment)])
            gone = schema.scan.c.state.in_(OVER) & (schema.scan.c.ended_ns < moment - KEPT_NS)
            connection.execute(delete(schema.scan).where(gone))

    def is_due(self, sink: str, longest: float) -> bool:
        """Whether there may be something to do: a look that keeps no writer waiting. Nobody waits ``longest`` s."""
        table = schema.scan.c
        waits = (table.state == "scheduled") | (table.state.in_(("launching", "running")) & _is_time(now_ns(), longest))
        with self._backend.read() as connection:
            return connection.execute(select(table.id).where(table.sink == sink, waits).limit(1)).first() is not None

    def claim(self, sink: str, per_day: int, hold: float) -> ScanJob | None:
        """The oldest scheduled scan, which nobody else may launch now; None where there is none, or enough for today.

        In ``hold`` seconds it is looked for, where nothing is known of it until then.
        """
        moment, table = now_ns(), schema.scan.c
        with self._backend.write() as connection:
            today = table.asked_ns.between(moment - DAY_NS, moment + DAY_NS)  # else the clock was set back since
            lately = select(func.count()).where(table.sink == sink, today)
            if int(connection.execute(lately).scalar() or 0) >= per_day:
                return None
            oldest = select(schema.scan).where(table.sink == sink, table.state == "scheduled")
            row = connection.execute(oldest.order_by(table.created_ns, table.id).limit(1)).one_or_none()
            if row is None:
                return None
            job = _job(row)
            until = moment + int(hold * 1e9)
            return _move(
                connection, job, state="launching", attempts=job.attempts + 1, asked_ns=moment, next_ns=until, error=""
            )

    def due(self, sink: str, state: ScanState, again: float) -> ScanJob | None:
        """A scan to look at, which nobody else does for ``again`` seconds; None where none is due."""
        moment, table = now_ns(), schema.scan.c
        with self._backend.write() as connection:
            wanted = select(schema.scan).where(table.sink == sink, table.state == state, _is_time(moment, again))
            row = connection.execute(wanted.order_by(table.next_ns).limit(1)).one_or_none()
            if row is None:
                return None
            return _move(connection, _job(row), next_ns=moment + int(again * 1e9))

    def launched(self, job: ScanJob, reference: str, text: str, next_in: float) -> bool:
        """The scanner has it. False where somebody else knew before."""
        moment = now_ns()
        with self._backend.write() as connection:
            after = _move(
                connection, job, state="running", reference=reference, next_ns=moment + int(next_in * 1e9), error=""
            )
            if after is not None:
                said = f"{_targets(job)} is scanned as {reference}." + (f" {text}" if text else "")
                insert_new(connection, [_told(after, "ScanStarted", said, State.STARTED, moment)])
        return after is not None

    def put_back(self, job: ScanJob, reason: str, warning: str = "") -> bool:
        """It wasn't launched, or not for sure: then ``warning`` tells that it is going to be once more."""
        moment = now_ns()
        # What wasn't launched doesn't count for today.
        asked = {} if warning else {"asked_ns": 0}
        with self._backend.write() as connection:
            after = _move(connection, job, state="scheduled", error=reason, **asked)
            if after is not None and warning:
                told = _told(after, "ScanUnsure", warning, State.SCHEDULED, moment, Level.WARN)
                insert_new(connection, [told])
        return after is not None

    def note(self, job: ScanJob, reason: str) -> None:
        """Why nothing more is known of it yet."""
        with self._backend.write() as connection:
            _move(connection, job, error=reason)

    def ended(self, job: ScanJob, error: str, text: str) -> bool:
        """It is over. With an ``error`` it failed: an event of level ERROR that is Completed, as CloudStack has it."""
        moment = now_ns()
        with self._backend.write() as connection:
            state = "failed" if error else "completed"
            after = _move(connection, job, state=state, error=error, ended_ns=moment)
            if after is not None:
                name = job.reference or job.id
                said = f"Scan {name} of {_targets(job)} failed: {error}" if error else f"Scan {name} is over. {text}"
                level = Level.ERROR if error else Level.INFO
                key = "ScanFailed" if error else "ScanCompleted"
                insert_new(connection, [_told(after, key, said.strip(), State.COMPLETED, moment, level)])
        return after is not None

    def again(self, identity: str, actor: Actor | None = None) -> bool:
        """Schedule a scan that failed once more; False where it isn't one that did."""
        moment = now_ns()
        with self._backend.write() as connection:
            row = connection.execute(select(schema.scan).where(schema.scan.c.id == identity)).one_or_none()
            if row is None or row.state != "failed":
                return False
            after = _move(connection, _job(row), state="scheduled", reference="", error="", ended_ns=0)
            if after is not None:
                said = f"{_targets(after)} is to be scanned, once more."
                insert_new(connection, [_told(after, "ScanScheduled", said, State.SCHEDULED, moment)])
                if actor is not None:
                    owner = Owner(after.domain, after.account)
                    record(
                        connection, told(actor, "SCAN.RETRY", ("Scan", after.id), owner, details={"sink": after.sink})
                    )
        return after is not None

    def pause(self, sink: str, seconds: float, why: str) -> None:
        """Leave the scanner alone for so long; kept over restarts. Never shortens a pause."""
        until = now_ns() + int(seconds * 1e9)
        with self._backend.write() as connection:
            if until > _sink(connection, sink)["pause_ns"]:
                self._put(connection, sink, pause_ns=until, why=why)

    def paused(self, sink: str) -> tuple[float, str]:
        """For how many more seconds the scanner is to be left alone, and why; 0 where it isn't."""
        with self._backend.read() as connection:
            known = _sink(connection, sink)
        now = now_ns()
        seconds = (known["pause_ns"] - now) / 1e9
        return (seconds, known["why"]) if now < known["pause_ns"] < too_far(now, DAY_NS) else (0.0, "")

    def list(self, sink: str = "", states: Sequence[str] = (), limit: int = 1000) -> list[ScanJob]:
        """Scans, newest first."""
        table = schema.scan.c
        statement = select(schema.scan).order_by(table.created_ns.desc(), table.id).limit(limit)
        if sink:
            statement = statement.where(table.sink == sink)
        if states:
            statement = statement.where(table.state.in_(states))
        with self._backend.read() as connection:
            return [_job(row) for row in connection.execute(statement)]

    def _put(self, connection: Connection, sink: str, **values: Any) -> None:
        row = {**_sink(connection, sink), **values}
        self._backend.upsert(connection, schema.scan_sink, [row], add=())


def _is_time(now: int, longest: float) -> ColumnElement[bool]:
    """Whether a scan is to be looked at: its moment has come, or is of a clock that was set back since."""
    when = schema.scan.c.next_ns
    return (when <= now) | (when >= too_far(now, int(longest * 1e9)))


def _sink(connection: Connection, sink: str) -> dict[str, Any]:
    table = schema.scan_sink
    row = connection.execute(select(table).where(table.c.sink == sink)).one_or_none()
    return dict(row._mapping) if row is not None else {"sink": sink, "through": 0, "pause_ns": 0, "why": ""}


def _new(sink: str, wanted: Wanted, moment: int, *, dry_run: bool) -> ScanJob:
    return ScanJob(
        id=wanted.id,
        sink=sink,
        state="dry_run" if dry_run else "scheduled",
        addresses=list(wanted.addresses),
        causes=list(wanted.causes),
        reference="",
        error="",
        domain=wanted.owner.domain,
        account=wanted.owner.account,
        attempts=0,
        created_ns=moment,
        asked_ns=0,
        next_ns=0,
        ended_ns=moment if dry_run else 0,
    )


def _job(row: Row[Any]) -> ScanJob:
    fields = dict(row._mapping)
    return ScanJob(**{**fields, "addresses": json.loads(fields["addresses"]), "causes": json.loads(fields["causes"])})


def _columns(job: ScanJob) -> dict[str, Any]:
    fields = msgspec.structs.asdict(job)
    return {**fields, "addresses": json.dumps(job.addresses), "causes": json.dumps(job.causes)}


def _move(connection: Connection, job: ScanJob, **values: Any) -> ScanJob | None:
    """Change a scan that is as we know it; None where somebody was faster."""
    table = schema.scan.c
    as_known = (table.id == job.id, table.state == job.state, table.attempts == job.attempts)
    same = (*as_known, table.next_ns == job.next_ns)
    moved = connection.execute(schema.scan.update().where(*same).values(**values)).rowcount
    return msgspec.structs.replace(job, **values) if moved else None


def _targets(job: ScanJob) -> str:
    few = ", ".join(job.addresses[:3])
    return few if len(job.addresses) <= 3 else f"{few} and {len(job.addresses) - 3} more"


def _told(job: ScanJob, key: str, text: str, state: State, moment: int, level: Level = Level.INFO) -> Arrival:
    scan = {
        "id": job.id,
        "sink": job.sink,
        "reference": job.reference,
        "error": job.error,
        "dry_run": job.state == "dry_run",
        "addresses": job.addresses,
        "causes": job.causes,
    }
    return own_arrival(
        key,
        text,
        unique=f"{job.id}:{job.attempts}:{key}:{job.created_ns}",
        now_ns=moment,
        owner=Owner(job.domain, job.account),
        level=level,
        category=Category.ASYNC_JOB,
        arguments=[job.sink, job.reference, job.error],
        details={"scan": scan},
        resource=("Scan", job.id),
        state=state,
        start_id=job.id,
    )
