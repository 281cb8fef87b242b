# SPDX-License-Identifier: GPL-3.0-or-later
"""An event log on every database that holds one; the server is started once, and only if a test asks."""

import pytest
from event_listener.store import Store
from event_listener.store.backend import SQLiteBackend
from event_listener.store.postgresql import PostgreSQLBackend

from tests.services.fixtures import postgresql

__all__ = ["postgresql"]  # a fixture


@pytest.fixture(params=["postgresql", "sqlite"])
def backend(request, tmp_path):
    if request.param == "sqlite":
        backend = SQLiteBackend(tmp_path / "log" / "events.db")
    else:
        server = request.getfixturevalue("postgresql")
        backend = PostgreSQLBackend(server.without_password(server.new_database()), server.password)
    yield backend
    backend.close()


@pytest.fixture
def store(backend):
    return Store(backend)
