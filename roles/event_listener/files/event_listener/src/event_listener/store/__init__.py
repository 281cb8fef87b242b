# SPDX-License-Identifier: GPL-3.0-or-later
"""The event log: SQLAlchemy Core, one interface, one conformance suite for every database that holds it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import select

from event_listener.journal import JournalBrokenError, JournalReader, JournalUnavailableError
from event_listener.secrets import SecretError, read_secret
from event_listener.settings import EventLogSettings
from event_listener.store import migrations, schema
from event_listener.store.accounts import Tree
from event_listener.store.actions import Actor
from event_listener.store.alerts import AlertQuery, Alerts, AlertsRefusedError
from event_listener.store.backend import Backend, SQLiteBackend, StoreBrokenError, StoreUnavailableError
from event_listener.store.checkpoints import INDEXED, Checkpoints, History, Unit
from event_listener.store.cloud import Cloud, Known
from event_listener.store.conditions import Conditions
from event_listener.store.cursors import PAUSED_HOLDER, Cursors, FencedError, LaneStatus, Lease
from event_listener.store.deeds import Deed, Deeds, NotThereError, TooMuchError
from event_listener.store.deliveries import Deliveries, Delivery, DeliveryQuery, Tried
from event_listener.store.given_up import GivenUp, Loss
from event_listener.store.jobs import JobQuery, Jobs
from event_listener.store.log import Arrival, EventLog, Given, Written
from event_listener.store.message_registries import IMPORTED, Listed, MessageRegistries, RegistriesFullError, Stored
from event_listener.store.message_registries import VERSION as MESSAGE_REGISTRIES
from event_listener.store.move import marker
from event_listener.store.own import own_arrival
from event_listener.store.postgresql import PostgreSQLBackend
from event_listener.store.proofs import Proofs, Settled
from event_listener.store.purge import Purge, Removed, Waiting
from event_listener.store.quarantine import Held, Quarantine
from event_listener.store.query import Page, Queries
from event_listener.store.question import MAX_LIMIT, Query
from event_listener.store.rejections import Rejected, Rejections
from event_listener.store.scans import Scans
from event_listener.store.search import Search
from event_listener.store.source_health import SourceHealth
from event_listener.store.sources import VERSION as SOURCES
from event_listener.store.sources import Activity, Sources
from event_listener.store.space import Space
from event_listener.store.states import ResourceState, StateQuery, States
from event_listener.store.upkeep import Care, Outage, Upkeep
from event_listener.store.users import Users
from event_listener.store.webhooks import Place, Webhooks

__all__ = [
    "IMPORTED",
    "INDEXED",
    "MAX_LIMIT",
    "PAUSED_HOLDER",
    "Activity",
    "Actor",
    "AlertQuery",
    "Alerts",
    "AlertsRefusedError",
    "Arrival",
    "Care",
    "Checkpoints",
    "Cloud",
    "Conditions",
    "Cursors",
    "Deed",
    "Deeds",
    "Deliveries",
    "Delivery",
    "DeliveryQuery",
    "EventLog",
    "FencedError",
    "Given",
    "GivenUp",
    "Held",
    "History",
    "JobQuery",
    "Jobs",
    "Known",
    "LaneStatus",
    "Lease",
    "Listed",
    "Loss",
    "MessageRegistries",
    "NotThereError",
    "Outage",
    "Page",
    "Place",
    "Proofs",
    "Purge",
    "Quarantine",
    "Queries",
    "Query",
    "RegistriesFullError",
    "Rejected",
    "Rejections",
    "Removed",
    "ResourceState",
    "Scans",
    "Search",
    "Settled",
    "Sources",
    "Space",
    "StateQuery",
    "States",
    "Store",
    "StoreBrokenError",
    "StoreUnavailableError",
    "Stored",
    "TooMuchError",
    "Tree",
    "Tried",
    "Unit",
    "Upkeep",
    "Users",
    "Waiting",
    "Webhooks",
    "Written",
    "left_behind",
    "open_store",
    "own_arrival",
    "shared_database",
    "sqlite_path",
]


class Store:
    """The event log with all its parts, migrated to this version's schema.

    ``place`` tells the hosts apart that share it; "" where nobody else does.
    """

    def __init__(self, backend: Backend, place: str = "") -> None:
        self._backend = backend
        self.place = place
        self.log = EventLog(backend)
        self.cursors = Cursors(backend, place)
        self.rejections = Rejections(backend, self.cursors.key)
        self.queries = Queries(backend)
        self.sources = Sources(backend)
        self.proofs = Proofs(backend)
        self.upkeep = Upkeep(backend, place)
        self.message_registries = MessageRegistries(backend)
        self.health = SourceHealth(backend)
        self.quarantine = Quarantine(backend)
        self.given_up = GivenUp(backend)
        self.space = Space(backend)
        self.states = States(backend)
        self.checkpoints = Checkpoints(backend)
        self.tree = Tree(backend)
        self.users = Users(backend)
        self.jobs = Jobs(backend)
        self.search = Search(backend)
        self.deeds = Deeds(backend)
        self.purge = Purge(backend)
        self.webhooks = Webhooks(backend)
        self.deliveries = Deliveries(backend)
        self.scans = Scans(backend)
        self.alerts = Alerts(backend)
        self.conditions = Conditions(backend)
        with backend.read() as connection:
            current = migrations.is_current(connection)
        if not current:
            with backend.lock_migrations(), backend.write() as connection:
                migrations.upgrade(connection)

    def versions(self) -> tuple[int, int]:
        """What rises with every change of the sources, and of the message registries; in one question."""
        counter = schema.counter.c
        statement = select(counter.name, counter.value).where(counter.name.in_((SOURCES, MESSAGE_REGISTRIES)))
        with self._backend.read() as connection:
            found = {row.name: int(row.value) for row in connection.execute(statement)}
        return found.get(SOURCES, 0), found.get(MESSAGE_REGISTRIES, 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def cloud(self, source: str, types: Iterable[str]) -> Cloud:
        """What is known of a cloud, and its events of ``types``."""
        return Cloud(self._backend, source, types)

    def make_durable(self) -> None:
        """Before what was read is acted on for good, after a start. Raises StoreUnavailableError."""
        self._backend.make_durable()

    def close(self) -> None:
        """Release all connections."""
        self._backend.close()


def open_store(state_dir: str | Path, event_log: EventLogSettings | None = None) -> Store:
    """Open the event log of a listener, making or migrating it. Raises StoreUnavailableError, NewerSchemaError."""
    if event_log is None or not event_log.url:
        return Store(SQLiteBackend(sqlite_path(state_dir)))
    backend = shared_database(event_log)
    try:
        with JournalReader(state_dir) as reader:
            return Store(backend, reader.journal_id)
    except (JournalUnavailableError, JournalBrokenError) as error:
        backend.close()
        raise StoreUnavailableError(f"which host this is isn't known: {error}") from error
    except BaseException:
        backend.close()
        raise


def sqlite_path(state_dir: str | Path) -> Path:
    """Where the event log is when no database is set."""
    return Path(state_dir) / "log" / "events.db"


def left_behind(state_dir: str | Path, store: Store) -> bool:
    """Whether a shared event log is used for the first time while this host's own, in SQLite, wasn't moved there."""
    if not store.place or not sqlite_path(state_dir).exists():
        return False
    position = store.cursors.get(marker(store.place))
    # None: never moved; but who began anew on purpose has a cursor of its journal.
    return position == 0 or (position is None and store.cursors.get(f"journal:{store.place}") is None)


def shared_database(event_log: EventLogSettings) -> PostgreSQLBackend:
    """The database that the settings name; not connected yet. Raises StoreUnavailableError."""
    try:
        password = None if event_log.password is None else read_secret(event_log.password)
    except SecretError as error:
        raise StoreUnavailableError(f"event_log.password: {error}") from error
    return PostgreSQLBackend(event_log.url, password)
