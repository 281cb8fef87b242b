# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing the event log, and reading it in order."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from event_listener.event import Event, Origin, Payload, Record, public_id
from event_listener.policy import Owner
from event_listener.store import marks, rows, schema, states
from event_listener.store.backend import Backend
from event_listener.store.checkpoints import Unit, grown, position, set_position
from event_listener.store.forwarded import lacking
from event_listener.store.proofs import Settled, settle


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """Who an event is, which is known where it isn't the journal entry that says so: it was forwarded by ``site``."""

    id: str
    source: str
    address: str
    received_ns: int
    owner: Owner = Owner()
    site: str | None = None
    repeat_of: str | None = None


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """One journal entry, identified and normalised. With a ``problem`` it goes to quarantine and has no records.

    ``given`` is empty, or says of each record who it is.
    """

    journal_id: str
    journal_seq: int
    received_ns: int
    source: str
    address: str
    peer: str
    credential: str
    content_type: str
    body: bytes
    origin: Origin = Origin.LIVE
    owner: Owner = Owner()
    records: tuple[Record, ...] = ()
    repeats: tuple[str | None, ...] = ()  # of each record the id of the event that it repeats; () is none
    given: tuple[Given, ...] = ()
    problem: str = ""

    def identity(self, index: int) -> Given:
        """Who the record is."""
        if self.given:
            return self.given[index]
        return Given(
            id=public_id(self.journal_id, self.journal_seq, index),
            source=self.source,
            address=self.address,
            received_ns=self.received_ns,
            owner=self.owner,
            repeat_of=self.repeats[index] if self.repeats else None,
        )


class Written(msgspec.Struct, frozen=True):
    """What a batch added."""

    payloads: int = 0
    events: int = 0
    quarantined: int = 0


class EventLog:
    """Payloads and their events, appended in batches. Sequence numbers rise in the order of commits."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def write(self, arrivals: Sequence[Arrival], cursor: str, through: int, settled: Sequence[Settled] = ()) -> Written:
        """Store a batch and move the indexer's cursor to ``through``, both or neither.

        Arrivals at or before the cursor are there already and are left out, so a repeated batch does no harm. All
        arrivals are of one journal. ``settled`` are announced test events among them. Raises StoreUnavailableError.
        """
        with self._backend.write() as connection:
            done = position(connection, cursor)
            fresh = lacking(connection, [arrival for arrival in arrivals if arrival.journal_seq > done])
            good = [arrival for arrival in fresh if not arrival.problem]
            bad = [arrival for arrival in fresh if arrival.problem]
            events = insert_good(connection, states.track(self._backend, connection, good))
            _insert_bad(connection, bad)
            # Only what a source sends itself says that it is alive.
            live = [arrival for arrival in fresh if arrival.origin is Origin.LIVE]
            self._backend.upsert(connection, schema.activity, _activity(live), ("payloads", "events", "quarantined"))
            settle(connection, settled)
            self._backend.upsert(connection, schema.credential_use, _credential_use(live), add=())
            set_position(self._backend, connection, cursor, max(done, through))
            if events:
                grown(self._backend, connection, rows.last(connection, schema.event), events)
        return Written(len(good), events, len(bad))

    def add(self, arrivals: Sequence[Arrival]) -> Written:
        """Store arrivals of no journal (an import); ``journal_id`` is unique to each. Raises StoreUnavailableError.

        Those that somebody else stored meanwhile are left out.
        """
        with self._backend.write() as connection:
            return insert_new(connection, arrivals)

    def known_journals(self, journal_ids: Iterable[str]) -> set[str]:
        """Which of these journals the event log, or quarantine, has something of."""
        with self._backend.read() as connection:
            return _known(connection, list(journal_ids))

    def bodies_received(self, address: str, received_ns: int, within_ns: int) -> list[bytes]:
        """What an address sent that was received in ``[received_ns, received_ns + within_ns)``."""
        event, payload = schema.event.c, schema.payload.c
        statement = (
            select(payload.body)
            .join(schema.event, event.payload_id == payload.seq)
            .where(
                event.received_ns >= received_ns,
                event.received_ns < received_ns + within_ns,
                event.address == address,
            )
            .distinct()
        )
        with self._backend.read() as connection:
            return [bytes(row.body) for row in connection.execute(statement)]

    def read_events_after(self, seq: int, limit: int) -> list[Event]:
        """Up to ``limit`` events with a greater ``seq``, in order; none that commits later is ever skipped.

        Those that are deleted, but not removed yet, are left out.
        """
        table = schema.event
        statement = select(table).where(table.c.seq > seq).order_by(table.c.seq).limit(limit)
        with self._backend.read() as connection:
            statement = statement.where(*marks.unread(connection, table.c.seq))
            return [rows.event_of(row) for row in connection.execute(statement)]

    def read_payloads_after(self, seq: int, limit: int) -> list[Payload]:
        """Up to ``limit`` payloads with a greater ``seq``, in order; none of which all events are deleted."""
        table = schema.payload
        statement = select(table).where(table.c.seq > seq).order_by(table.c.seq).limit(limit)
        with self._backend.read() as connection:
            statement = statement.where(*marks.unread_payload(connection, table.c.seq))
            return [rows.payload_of(row) for row in connection.execute(statement)]

    def head(self) -> int:
        """The last event's ``seq``; 0 for an empty log. Purging doesn't lower it."""
        with self._backend.read() as connection:
            return rows.last(connection, schema.event)

    def newest_ns(self) -> int:
        """When the latest event was received; 0 for an empty log."""
        with self._backend.read() as connection:
            return int(connection.execute(select(func.max(schema.event.c.received_ns))).scalar() or 0)

    def has(self, journal_id: str, journal_seq: int) -> bool:
        """Whether a journal's entry is in the log or in quarantine."""
        with self._backend.read() as connection:
            return any(
                connection.execute(
                    select(table.c.seq).where(table.c.journal_id == journal_id, table.c.journal_seq == journal_seq)
                ).first()
                for table in (schema.payload, schema.quarantine)
            )

    def skip_to(self, seq: int) -> None:
        """Give the next payload and the next event a greater number than ``seq``."""
        with self._backend.write() as connection:
            for table in (schema.payload, schema.event):
                ahead = seq - rows.last(connection, table)
                if ahead > 0:
                    rows.removed(connection, table, ahead)
                    rows.take(connection, table, ahead)

    def before(self, received_ns: int) -> int:
        """The ``seq`` before the first event that was received then or later; the head if there is none."""
        table = schema.event
        with self._backend.read() as connection:
            first = connection.execute(select(func.min(table.c.seq)).where(table.c.received_ns >= received_ns)).scalar()
            return int(first) - 1 if first is not None else rows.last(connection, schema.event)

    def received_after(self, seq: int, unit: Unit) -> int | None:
        """When the first unit with a greater ``seq`` was received, ns; None where there is none."""
        table = schema.payload if unit == "payload" else schema.event
        statement = select(table.c.received_ns).where(table.c.seq > seq).order_by(table.c.seq).limit(1)
        with self._backend.read() as connection:
            found = connection.execute(statement).scalar()
        return None if found is None else int(found)

    def payload_head(self) -> int:
        """The last payload's ``seq``."""
        with self._backend.read() as connection:
            return rows.last(connection, schema.payload)


def _known(connection: Connection, journal_ids: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for table in (schema.payload, schema.quarantine):
        statement = select(table.c.journal_id).where(table.c.journal_id.in_(journal_ids))
        found.update(connection.execute(statement).scalars())
    return found


def insert_new(connection: Connection, arrivals: Sequence[Arrival]) -> Written:
    """Insert arrivals of no journal but those that are known already. Call it in a write transaction."""
    known = _known(connection, [arrival.journal_id for arrival in arrivals])
    fresh = [arrival for arrival in arrivals if arrival.journal_id not in known]
    good = [arrival for arrival in fresh if not arrival.problem]
    bad = [arrival for arrival in fresh if arrival.problem]
    events = insert_good(connection, good)
    _insert_bad(connection, bad)
    return Written(len(good), events, len(bad))


def insert_good(connection: Connection, arrivals: Sequence[Arrival]) -> int:
    """Insert payloads and their events; returns how many events. Call it in a write transaction."""
    if not arrivals:
        return 0
    first = rows.take(connection, schema.payload, len(arrivals))
    numbered = list(enumerate(arrivals, first))
    connection.execute(schema.payload.insert(), [_payload_columns(seq, arrival) for seq, arrival in numbered])
    columns = [row for seq, arrival in numbered for row in _event_columns(seq, arrival)]
    if columns:
        seq = rows.take(connection, schema.event, len(columns))
        connection.execute(schema.event.insert(), [{"seq": seq + offset, **row} for offset, row in enumerate(columns)])
    return len(columns)


def _insert_bad(connection: Connection, arrivals: Sequence[Arrival]) -> None:
    if not arrivals:
        return
    first = rows.take(connection, schema.quarantine, len(arrivals))
    connection.execute(
        schema.quarantine.insert(),
        [{"seq": seq, "reason": item.problem, **_arrival_columns(item)} for seq, item in enumerate(arrivals, first)],
    )


def _arrival_columns(arrival: Arrival) -> dict[str, Any]:
    return {
        "journal_id": arrival.journal_id,
        "journal_seq": arrival.journal_seq,
        "received_ns": arrival.received_ns,
        "source": arrival.source,
        "address": arrival.address,
        "peer": arrival.peer,
        "credential": arrival.credential,
        "content_type": arrival.content_type,
        "body": arrival.body,
    }


def _payload_columns(seq: int, arrival: Arrival) -> dict[str, Any]:
    return {"seq": seq, "origin": arrival.origin.value, **_arrival_columns(arrival)}


def _event_columns(payload_seq: int, arrival: Arrival) -> Iterable[dict[str, Any]]:
    for index, record in enumerate(arrival.records):
        columns = rows.record_columns(record)
        if arrival.origin is Origin.IMPORT or (arrival.origin is not Origin.LIVE and record.origin is Origin.LIVE):
            columns["origin"] = arrival.origin.value
        identity = arrival.identity(index)
        yield {
            "id": identity.id,
            "source": identity.source,
            "address": identity.address,
            "domain": identity.owner.domain,
            "account": identity.owner.account,
            "site": identity.site,
            "repeat_of": identity.repeat_of,
            "received_ns": identity.received_ns,
            "payload_id": payload_seq,
            **columns,
        }


def _activity(arrivals: Iterable[Arrival]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}

    def row(source: str, address: str, seen_ns: int) -> dict[str, Any]:
        counts = found.setdefault(source, {"source": source, "payloads": 0, "events": 0, "quarantined": 0})
        counts["address"], counts["last_seen_ns"] = address, seen_ns
        return counts

    for arrival in arrivals:
        of_post = row(arrival.source, arrival.address, arrival.received_ns)
        of_post["quarantined" if arrival.problem else "payloads"] += 1
        of_post["events"] += 0 if arrival.given else len(arrival.records)
        for given in arrival.given:
            row(given.source, given.address, given.received_ns)["events"] += 1
    return list(found.values())


def _credential_use(arrivals: Iterable[Arrival]) -> list[dict[str, Any]]:
    """The last time that each source showed each credential. What the listener says itself shows none."""
    last = {(one.source, one.credential): one.received_ns for one in arrivals if one.credential}
    return [
        {"source": source, "credential": credential, "last_used_ns": moment}
        for (source, credential), moment in last.items()
    ]


def now_ns() -> int:
    """The wall clock, as all ``*_ns`` columns hold it."""
    return time.time_ns()
