# SPDX-License-Identifier: GPL-3.0-or-later
"""From the journal to the event log: read after the cursor, identify, normalise, write, then delete what is committed.

The cursor is committed with the rows, so a crash anywhere in between repeats at worst a batch that adds nothing.
"""

from __future__ import annotations

import functools
import json
import logging
import time
from pathlib import Path

import msgspec

from event_listener.bus_arrival import from_bus, is_from_bus
from event_listener.clock import cautious_ns
from event_listener.event import Origin, public_id
from event_listener.forwarded import SITE, Forwarded, ForwardedError, forwarded
from event_listener.gaps import missing, seen
from event_listener.journal import STATUS_OK, Entry, JournalReader
from event_listener.normalise.redfish import normalise
from event_listener.proofs import Proof, settle
from event_listener.registry import Directory, Source
from event_listener.registry_catalogue import Catalogue
from event_listener.registry_snapshot import SourceEntry, write_snapshot
from event_listener.repeats import Recent
from event_listener.store import Arrival, Given, Settled, Store

logger = logging.getLogger(__name__)

_BODY_BYTES = 32 << 20  # a batch of large bodies is cut here, so that memory stays bounded

# Begins the credential of what the management API put into the journal; such entries have no peer, every POST has one.
BACKFILL = Origin.BACKFILL.value


def journal_cursor(journal_id: str) -> str:
    """The name of the indexer's cursor of one journal."""
    return f"journal:{journal_id}"


class Indexer:
    """Not for two threads or processes at once. Raises JournalUnavailableError, StoreUnavailableError, OSError."""

    def __init__(self, state_dir: str | Path, store: Store, batch: int, recent: Recent | None = None) -> None:
        self._state_dir = state_dir
        self._reader = JournalReader(state_dir)
        self._store = store
        self._batch = batch
        self._directory = Directory()
        self._proofs: dict[str, list[Proof]] = {}
        self._proofs_version = -1
        self._catalogue = Catalogue()
        self._versions = (-1, -1)
        self._recent = recent or Recent(0, 1)
        self._followed: int | None = None
        self._deleted = 0
        self.late = 0.0  # seconds from the acknowledgement of the last payload indexed to its being in the event log

    def _refresh(self) -> None:
        """Take what changed of the sources, and give ingest its snapshot of them; the same with message registries."""
        versions = self._store.versions()
        if versions[0] != self._versions[0]:
            sources = self._store.sources.list()
            self._directory = Directory(sources)
            write_snapshot(self._state_dir, map(_entry_of, sources))
        if versions[1] != self._versions[1]:
            self._catalogue = self._store.message_registries.catalogue()
        self._versions = versions

    def _refresh_proofs(self) -> None:
        """Take new announcements of test events. Read the journal first: none of what it had then is older."""
        version = self._store.proofs.version()
        if version == self._proofs_version:
            return
        self._proofs = {}
        for proof in self._store.proofs.waiting(cautious_ns()):
            self._proofs.setdefault(proof.source, []).append(proof)
        self._proofs_version = version

    def _settle(self, arrival: Arrival) -> tuple[Arrival, list[Settled]]:
        """An arrival with the announced test events marked, and which announcements are settled by it."""
        waiting = self._proofs.get(arrival.source)
        if not waiting or arrival.origin is not Origin.LIVE:
            return arrival, []
        records, found = settle(arrival.records, waiting, arrival.received_ns)
        markers = {one.marker for one in found}
        self._proofs[arrival.source] = [proof for proof in waiting if proof.marker not in markers]
        settled = [
            Settled(
                one.marker,
                arrival.received_ns,
                public_id(arrival.journal_id, arrival.journal_seq, one.index),
                one.matched,
            )
            for one in found
        ]
        return msgspec.structs.replace(arrival, records=records), settled

    def step(self) -> int:
        """Index one batch; returns how many payloads it had."""
        self._refresh()
        journal_id = self._reader.journal_id
        cursor = journal_cursor(journal_id)
        done = self._store.cursors.get(cursor) or 0
        entries = self._read(done)
        if entries:
            self._refresh_proofs()
            found = [self._settle(self._arrival(journal_id, seq, entry)) for seq, entry in entries]
            self._follow(journal_id)
            arrivals = [self._marked(arrival) for one, _settled in found if (arrival := self._lacking(one)) is not None]
            settled = [one for _arrival, some in found for one in some]
            done = entries[-1][0]
            # Where it isn't written, it is settled again with the next attempt.
            version, self._proofs_version = self._proofs_version, -1
            written = self._store.log.write(arrivals, cursor, done, settled)
            self._proofs_version = version
            self.late = time.time() - entries[-1][1].received_ns / 1e9
            if written.quarantined:
                logger.warning(
                    "%d payloads can't be understood; `event-listener quarantine list` shows them",
                    written.quarantined,
                )
        if done > self._deleted:
            self._reader.delete_through(done)
            self._deleted = done
        return len(entries)

    def head(self) -> int:
        """How many payloads were acknowledged so far. Raises JournalUnavailableError."""
        return self._reader.head()

    def _follow(self, journal_id: str) -> None:
        """What was said lately: all of it after a start, then what other listeners write into a shared event log."""
        if not self._recent.window_ns or (self._followed is not None and not self._store.place):
            return
        since = time.time_ns() - self._recent.window_ns
        first = self._followed is None
        self._followed, lately = self._store.queries.said(
            since, self._recent.most, after=self._followed or 0, but_of="" if first else journal_id
        )
        for one in lately:
            self._recent.note(one.source, one.record, one.event_id, one.received_ns)

    def _marked(self, arrival: Arrival) -> Arrival:
        """An arrival with its repeats marked; what we added ourselves repeats nothing, and a site marked its own."""
        if arrival.origin is not Origin.LIVE or not arrival.records or arrival.given:
            return arrival
        repeats = tuple(
            self._recent.repeats(
                arrival.source,
                record.record,
                public_id(arrival.journal_id, arrival.journal_seq, index),
                arrival.received_ns,
            )
            for index, record in enumerate(arrival.records)
        )
        return msgspec.structs.replace(arrival, repeats=repeats) if any(repeats) else arrival

    def _read(self, after: int) -> list[tuple[int, Entry]]:
        entries = self._reader.read_after(after, self._batch)
        size = 0
        for index, (_seq, entry) in enumerate(entries):
            size += len(entry.body)
            if size > _BODY_BYTES or (is_backfill(entry) and index == 0):
                return entries[: index + 1]
            if is_backfill(entry):
                return entries[:index]  # it is compared with the event log, so what came before has to be there
        return entries

    def _lacking(self, arrival: Arrival) -> Arrival | None:
        """A backfill without what has arrived since it was asked for; None where nothing is left."""
        if arrival.origin is not Origin.BACKFILL:
            return arrival
        tolerance = json.loads(arrival.body)["Oem"]["redfleet"]["tolerance"]
        known = self._store.queries.seen(arrival.source)
        positions = missing([seen(record) for record in arrival.records], known, int(tolerance * 1e9))
        records = tuple(arrival.records[position] for position in positions)
        return msgspec.structs.replace(arrival, records=records) if records else None

    def _arrival(self, journal_id: str, seq: int, entry: Entry) -> Arrival:
        if entry.credential.startswith(SITE):
            return self._forwarded(journal_id, seq, entry)
        if is_from_bus(entry.credential):
            return self._from_bus(journal_id, seq, entry)
        identity = self._directory.identify(entry.source, entry.peer)
        meaning = functools.partial(self._catalogue.find, identity.make)
        found = normalise(entry.body, meaning) if entry.status == STATUS_OK else None
        return Arrival(
            journal_id=journal_id,
            journal_seq=seq,
            received_ns=entry.received_ns,
            source=identity.source,
            address=identity.address or identity.source,  # a backfill has no peer
            peer=entry.peer,
            credential=entry.credential,
            content_type=entry.content_type,
            owner=identity.owner,
            body=entry.body,
            origin=Origin.BACKFILL if is_backfill(entry) else Origin.LIVE,
            records=found.records if found else (),
            problem=found.problem if found else entry.reason or "malformed",
        )

    def _from_bus(self, journal_id: str, seq: int, entry: Entry) -> Arrival:
        """What a message bus delivered. Its address is its name: the peer is a broker, and may be another tomorrow."""
        name = entry.source or entry.credential
        return from_bus(
            Arrival(
                journal_id=journal_id,
                journal_seq=seq,
                received_ns=entry.received_ns,
                source=name,
                address=name,
                peer=entry.peer,
                credential=entry.credential,
                content_type=entry.content_type,
                owner=self._directory.identify(name, "").owner,
                body=entry.body,
            )
        )

    def _forwarded(self, journal_id: str, seq: int, entry: Entry) -> Arrival:
        """What a site forwarded: each event is who it was there; to whom it belongs is for our registry to say."""
        site = entry.credential.removeprefix(SITE)
        problem = ""
        events: tuple[Forwarded, ...] = ()
        try:
            events = forwarded(entry.body, site)
        except ForwardedError as error:  # ingest looked, so another version did
            problem = str(error)
        return Arrival(
            journal_id=journal_id,
            journal_seq=seq,
            received_ns=entry.received_ns,
            source=entry.credential,
            address=f"site-{site}",
            peer=entry.peer,
            credential=entry.credential,
            content_type=entry.content_type,
            body=entry.body,
            records=tuple(event.record for event in events),
            given=tuple(self._given(event) for event in events),
            problem=problem,
        )

    def _given(self, event: Forwarded) -> Given:
        owner = self._directory.identify(event.source, event.address).owner
        return Given(
            id=event.id,
            source=event.source,
            address=event.address,
            received_ns=event.received_ns,
            owner=owner,
            site=event.site,
            repeat_of=event.repeat_of,
        )

    def close(self) -> None:
        """Release the journal."""
        self._reader.close()


def is_backfill(entry: Entry) -> bool:
    """Whether an entry was made by :mod:`event_listener.backfill`."""
    return not entry.peer and entry.credential.startswith(f"{BACKFILL}:")


def _entry_of(source: Source) -> SourceEntry:
    return SourceEntry(
        name=source.name,
        address=source.address,
        state=source.state,
        response_status=source.response_status,
        path_secrets=source.path_secrets,
    )
