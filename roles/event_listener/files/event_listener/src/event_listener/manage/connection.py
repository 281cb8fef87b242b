# SPDX-License-Identifier: GPL-3.0-or-later
"""The event log, opened when first needed: readiness must be able to say that it can't be."""

from __future__ import annotations

import threading

from event_listener.settings import Settings
from event_listener.store import Store, StoreUnavailableError, open_store
from event_listener.store.migrations import NewerSchemaError


class Connection:
    """For many threads. One store for all of them, kept once it could be opened."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._store: Store | None = None

    @property
    def store(self) -> Store:
        """The event log. Raises StoreUnavailableError."""
        with self._lock:
            if self._store is None:
                try:
                    self._store = open_store(self._settings.state_dir, self._settings.event_log)
                except (OSError, NewerSchemaError) as error:
                    raise StoreUnavailableError(str(error)) from error
            return self._store
