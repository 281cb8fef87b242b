# SPDX-License-Identifier: GPL-3.0-or-later
"""How the event log's tables come to be, and what is no event log of ours."""

import contextlib
import sqlite3
import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from event_listener.store import Store, StoreUnavailableError, migrations, schema
from event_listener.store.backend import SQLiteBackend
from sqlalchemy import text

from tests.unit.listener.stores import arrival, write


@pytest.mark.usefixtures("store")
def test_migrations_make_the_tables_of_the_queries(backend):
    """The two descriptions of the schema can't drift."""

    def ours(name, kind, _parents):
        return kind != "table" or not name.startswith("event_words")  # differs between databases: text_index.py

    with backend.read() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": ours})
        assert compare_metadata(context, schema.metadata) == []


def test_opening_again_keeps_everything(store, backend):
    write(store, arrival(1))
    assert Store(backend).log.head() == 1


def become(backend, revision, change="SELECT 1"):
    """As a newer version of the program does."""
    with backend.write() as connection:
        connection.exec_driver_sql(change)
        connection.execute(text("UPDATE alembic_version SET version_num = :number"), {"number": revision})


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("revision", ["9999", "9999_9998"])
def test_a_newer_schema_is_refused(backend, revision):
    become(backend, revision)
    with pytest.raises(migrations.NewerSchemaError, match=revision):
        Store(backend)


def test_a_schema_that_only_grew_is_used(store, backend):
    """Two versions side by side: one host was upgraded, the relay of another is restarted before its turn comes."""
    write(store, arrival(1))
    become(backend, "9999_0001", "ALTER TABLE event ADD COLUMN hint TEXT")
    older = Store(backend)
    write(older, arrival(2))
    assert [event.seq for event in older.log.read_events_after(0, 9)] == [1, 2]
    with backend.read() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == "9999_0001"


def test_sqlite_is_durable(tmp_path):
    """Entries are deleted from the journal after this commit, so it has to be synced."""
    backend = SQLiteBackend(tmp_path / "log" / "events.db")
    with backend.read() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    backend.close()


def test_two_that_open_a_new_log_wait_for_each_other(tmp_path):
    """SQLite's own timeout isn't asked when the file isn't in write-ahead mode yet and another process writes to it."""
    path = tmp_path / "log" / "events.db"
    backend = SQLiteBackend(path)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError, match="locked"), sqlite3.connect(path, timeout=30) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
        threading.Timer(0.5, lambda: other.execute("COMMIT")).start()
        Store(backend)
    backend.close()


def test_a_broken_file_says_so(tmp_path):
    path = tmp_path / "log" / "events.db"
    path.parent.mkdir()
    path.write_bytes(b"this is no database" * 100)
    backend = SQLiteBackend(path)
    with pytest.raises(StoreUnavailableError, match=str(path)):
        Store(backend)
    backend.close()
    with pytest.raises(sqlite3.DatabaseError), sqlite3.connect(path) as connection:
        connection.execute("SELECT 1 FROM event")
