# SPDX-License-Identifier: GPL-3.0-or-later
"""The event log in PostgreSQL, shared by the listeners and relays of several hosts.

Writers of the same rows take turns by an advisory lock that ends with the transaction. Sequence numbers come from a
counter row under it, so they are committed in their order and a reader never waits for, nor looks at, transactions of
others: one that idles for hours holds nobody up. Our own can't either: the server ends it after ``IDLE_MS``.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, Engine, Table, event, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DatabaseError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from event_listener.store.backend import APPEND, StoreUnavailableError, insert_or_update

OLDEST_SERVER = 130000  # PostgreSQL 13

_LOCK_MS = 30_000  # longest wait for our own lock, or behind somebody's LOCK TABLE
IDLE_MS = 10_000  # a relay that stops in mid-transaction (SIGSTOP, a lost host) gives the lock back after this
_CONNECTIONS = 8  # kept open per process; up to twice as many when all threads ask at once
_READ_ONLY = "25006"
# What libpq is told unless the URL says otherwise: notice a dead server within seconds, find the one that can write.
_DEFAULTS = {
    "application_name": "event-listener",
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
    "target_session_attrs": "read-write",
}
# Payloads are deleted from the journal after our commit, so a session never commits before the server's disk has it.
_PREPARE = f"""
SELECT set_config('lock_timeout', '{_LOCK_MS}', false),
       set_config('idle_in_transaction_session_timeout', '%d', false),
       set_config('synchronous_commit',
                  CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
                  ELSE current_setting('synchronous_commit') END, false)
"""
_ASKED = ("fsync", "full_page_writes", "synchronous_commit", "server_encoding", "server_version_num")


class PostgreSQLBackend:
    """One database; ``url`` is libpq's and holds no password. Connects when first used, and again after a failure."""

    name = "postgresql"

    def __init__(self, url: str, password: str | None = None, *, idle_ms: int = IDLE_MS) -> None:
        try:
            import psycopg  # noqa: PLC0415 - an extra: who keeps the event log in SQLite doesn't need it
        except ImportError as error:
            raise StoreUnavailableError(
                f"event_log.url needs psycopg, which can't be loaded ({error}); "
                "install the listener with its extra: redfleet-event-listener[postgresql]"
            ) from error
        self._psycopg = psycopg
        try:
            given = psycopg.conninfo.conninfo_to_dict(url)
        except psycopg.ProgrammingError as error:
            raise StoreUnavailableError(f"event_log.url isn't a PostgreSQL URL: {_sentence(error)}") from error
        self._prepare = _PREPARE % idle_ms
        secret = {} if password is None else {"password": password}
        self._parameters = psycopg.conninfo.make_conninfo("", **{**_DEFAULTS, **given, **secret})
        self.where = f"{given.get('host', 'the local socket')}/{given.get('dbname', '')}"
        self.engine: Engine = sqlalchemy.create_engine(
            "postgresql+psycopg://",
            creator=self._connect,
            pool_pre_ping=True,  # after a restart of the server nobody sees the connections it closed
            pool_size=_CONNECTIONS,
            max_overflow=_CONNECTIONS,
            pool_timeout=10,
            use_native_hstore=False,
        )
        event.listen(self.engine, "handle_error", self._judge)

    def _connect(self) -> Any:
        connection = self._psycopg.connect(self._parameters)
        try:
            connection.execute(self._prepare)
            connection.commit()
        except BaseException:
            connection.close()
            raise
        return connection

    @staticmethod
    def _judge(context: ExceptionContext) -> None:
        """After a failover the old server may answer still, and only read: connect again, to the new one."""
        if getattr(context.original_exception, "sqlstate", None) == _READ_ONLY:
            context.is_disconnect = True

    @contextlib.contextmanager
    def _transaction(self, **options: Any) -> Iterator[Connection]:
        try:
            with self.engine.connect().execution_options(**options) as connection, connection.begin():
                yield connection
        except (DatabaseError, InterfaceError, PoolTimeoutError) as error:
            cause = getattr(error, "orig", None) or error
            raise StoreUnavailableError(f"the event log at {self.where} can't be used: {_sentence(cause)}") from error

    def read(self) -> contextlib.AbstractContextManager[Connection]:
        """One snapshot for all statements; never waits for writers."""
        return self._transaction(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    @contextlib.contextmanager
    def write(self, lock: str = APPEND, *further: str) -> Iterator[Connection]:
        """One transaction, one at a time for each lock, over all hosts."""
        # READ COMMITTED: what the holder of the lock before us committed is seen from the next statement on.
        with self._transaction(isolation_level="READ COMMITTED", postgresql_readonly=False) as connection:
            for one in (lock, *further):
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _key(one)})
            yield connection

    def upsert(self, connection: Connection, table: Table, rows: Sequence[dict[str, Any]], add: Sequence[str]) -> None:
        """INSERT … ON CONFLICT DO UPDATE."""
        insert_or_update(postgresql.insert(table), connection, table, rows, add)

    @contextlib.contextmanager
    def lock_migrations(self) -> Iterator[None]:
        """Nothing to do: a migration is one transaction here, under the lock of appends."""
        yield

    def make_durable(self) -> None:
        """Nothing to do: the server shows only what it has synced."""

    def now_ns(self, connection: Connection) -> int:
        """The server's clock: those of the hosts may differ by more than a lease lasts."""
        return int(
            connection.execute(text("SELECT (extract(epoch FROM clock_timestamp()) * 1e9)::bigint")).scalar_one()
        )

    def unsafe(self) -> list[str]:
        """What of the server's settings can lose events, a sentence each. Raises StoreUnavailableError."""
        names = ", ".join(f"'{name}'" for name in _ASKED)
        with self.read() as connection:
            # reset_val: what the role and the database get, not what our sessions then insist on.
            query = f"SELECT name, reset_val FROM pg_settings WHERE name IN ({names})"  # noqa: S608 - constants
            found = {row.name: row.reset_val for row in connection.execute(text(query))}
        return list(_judged(found))

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _judged(found: dict[str, str]) -> Iterator[str]:
    for name, loss in (("fsync", "a crash of its host"), ("full_page_writes", "a torn page after a power cut")):
        if found[name] == "off":
            yield (
                f"the server has {name} = off and can lose the event log by {loss}; set {name} = on in postgresql.conf "
                "and reload"
            )
    if found["synchronous_commit"] == "off":
        yield (
            "synchronous_commit is off, so the last commits are lost by a crash; set it to on (ALTER SYSTEM, "
            "ALTER DATABASE or ALTER ROLE, where it was changed)"
        )
    if found["server_encoding"] != "UTF8":
        yield f"the database's encoding is {found['server_encoding']}; make one WITH ENCODING 'UTF8' TEMPLATE template0"
    if int(found["server_version_num"]) < OLDEST_SERVER:
        yield f"the server is older than PostgreSQL {OLDEST_SERVER // 10000}; upgrade it"


def _key(lock: str) -> int:
    """A number for pg_advisory_xact_lock, which has one name space for all users of a database."""
    digest = hashlib.blake2b(f"redfleet-event-listener:{lock}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def _sentence(error: BaseException) -> str:
    return "; ".join(line.strip() for line in str(error).splitlines() if line.strip())
