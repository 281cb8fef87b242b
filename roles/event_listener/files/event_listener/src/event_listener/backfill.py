# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries of BMCs' logs into the journal, when the event log lacks them.

They are compared twice: before they are written, so that what is known stays out of everything, and by the indexer,
since an event may have arrived in between.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import threading
import time
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from event_listener.event import State, nanoseconds
from event_listener.gaps import missing, seen
from event_listener.indexer import BACKFILL, journal_cursor
from event_listener.journal import STATUS_OK, Entry, Journal, JournalReader
from event_listener.lifeline import Lifeline
from event_listener.normalise.log_entry import event_of, moment
from event_listener.normalise.redfish import records
from event_listener.policy import Owner
from event_listener.settings import SOURCE_ID_PATTERN
from event_listener.store import Actor, Store, StoreUnavailableError
from event_listener.store.actions import told
from event_listener.store.own_jobs import job_event

PATIENCE = 15.0  # seconds that the indexer gets to index what arrived before
ENTRIES_PER_PAYLOAD = 500


class SourceEntries(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """LogEntry resources of one source."""

    source: Annotated[str, msgspec.Meta(pattern=SOURCE_ID_PATTERN)]
    entries: list[dict[str, Any]]


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to look for. ``tolerance`` in seconds; with ``check`` nothing is written."""

    sources: list[SourceEntries]
    tolerance: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 5.0
    check: bool = False


class Outcome(msgspec.Struct, frozen=True):
    """Of one source: entries given, in the log already, added, and those without a time that can be read."""

    source: str
    entries: int
    known: int
    added: int
    undated: int


class BackfillError(ValueError):
    """The request can't be read; the text says why."""


def request_of(document: Any) -> Request:
    """A request from decoded JSON. Raises BackfillError."""
    try:
        return msgspec.convert(document, Request)
    except msgspec.ValidationError as error:
        raise BackfillError(f"backfill: {error}") from error


class Backfill:
    """For many threads, one at a time. The listener's directory must exist when it is first used."""

    def __init__(self, state_dir: str) -> None:
        self._state_dir = state_dir
        self._lock = threading.Lock()

    def run(self, store: Store, request: Request, actor: Actor) -> list[Outcome]:
        """Add what is missing; in the order of the request.

        Raises StoreUnavailableError, JournalUnavailableError, JournalBrokenError, OSError.
        """
        with self._lock:
            self._await_indexer(store)
            job = _Job(self._state_dir, store, actor)
            try:
                outcomes = [self._one(store, one, request, actor.name, job) for one in request.sources]
            except Exception as error:
                job.fails(error)
                raise
            job.ends(outcomes)
            return outcomes

    def _await_indexer(self, store: Store) -> None:
        """What arrived before has to be in the event log, else it would be taken for missing."""
        with JournalReader(self._state_dir) as reader:
            cursor, head = journal_cursor(reader.journal_id), reader.head()
        end = time.monotonic() + PATIENCE
        while (store.cursors.get(cursor) or 0) < head:
            if time.monotonic() > end:
                raise StoreUnavailableError(
                    f"the indexer is behind for more than {PATIENCE:.0f} s; look at the relay, and try again later"
                )
            time.sleep(0.05)

    def _one(self, store: Store, wanted: SourceEntries, request: Request, credential: str, job: _Job) -> Outcome:
        dated = [entry for entry in wanted.entries if _is_dated(entry)]
        events = [seen(record) for record in records(event_of(dated)).records] if dated else []
        lacking = missing(events, store.queries.seen(wanted.source), int(request.tolerance * 1e9)) if events else []
        if lacking and not request.check:
            job.begins()
            self._append(wanted.source, [dated[index] for index in lacking], request.tolerance, credential)
        return Outcome(
            wanted.source,
            entries=len(wanted.entries),
            known=len(dated) - len(lacking),
            added=len(lacking),
            undated=len(wanted.entries) - len(dated),
        )

    def _append(self, source: str, entries: list[dict[str, Any]], tolerance: float, credential: str) -> None:
        journal = Journal(self._state_dir, create=False)
        try:
            journal.append(
                [
                    _entry(source, entries[start : start + ENTRIES_PER_PAYLOAD], tolerance, credential)
                    for start in range(0, len(entries), ENTRIES_PER_PAYLOAD)
                ]
            )
        finally:
            journal.close()


class _Job:
    """A request that adds something, as one of our own jobs; of one that adds nothing, nothing is told."""

    def __init__(self, state_dir: str, store: Store, actor: Actor) -> None:
        self._state_dir, self._store, self._actor, self._start_id = state_dir, store, actor, ""
        self._lifeline: Lifeline | None = None

    def begins(self) -> None:
        """Before the first entries are written."""
        if self._lifeline is None:
            self._start_id = f"backfill:{secrets.token_hex(8)}"
            self._lifeline = Lifeline(self._state_dir, self._start_id, _unfinished("its process was ended"))
            text = "Entries of BMCs' logs are being added to the event log."
            deed = told(self._actor, "EVENT.BACKFILL", ("Job", self._start_id), Owner())
            self._store.log.add([deed, job_event(self._start_id, State.STARTED, text)])

    def ends(self, outcomes: list[Outcome]) -> None:
        """All of them are in the journal."""
        added, sources = sum(one.added for one in outcomes), sum(one.added > 0 for one in outcomes)
        text = f"{added} entries of the logs of {sources} BMCs are added to the event log."
        self._tell(text, [str(added), str(sources)])

    def fails(self, error: Exception) -> None:
        """Some may be in the journal, and the rest is not; who asks again adds the rest."""
        with contextlib.suppress(StoreUnavailableError):  # then the relay tells it
            self._tell(_unfinished(str(error)), [str(error)], failed=True)

    def _tell(self, text: str, arguments: Sequence[str], *, failed: bool = False) -> None:
        if self._lifeline is None:
            return
        lifeline, self._lifeline, done = self._lifeline, None, False
        try:
            self._store.log.add([job_event(self._start_id, State.COMPLETED, text, arguments, failed=failed)])
            done = True
        finally:
            lifeline.end(told=done)


def _unfinished(reason: str) -> str:
    return f"Entries of BMCs' logs could not all be added: {reason}. Run the backfill again."


def _entry(source: str, entries: list[dict[str, Any]], tolerance: float, credential: str) -> Entry:
    body = event_of(sorted(entries, key=lambda entry: nanoseconds(str(moment(entry)))))
    body["Oem"] = {"redfleet": {"tolerance": tolerance}}
    return Entry(
        received_ns=time.time_ns(),
        source=source,
        peer="",
        credential=f"{BACKFILL}:{credential}",
        content_type="application/json",
        status=STATUS_OK,
        reason="",
        body=json.dumps(body).encode(),
    )


def _is_dated(entry: dict[str, Any]) -> bool:
    try:
        nanoseconds(str(moment(entry)))
    except (ValueError, OverflowError):
        return False
    return True
