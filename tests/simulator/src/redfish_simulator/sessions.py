# SPDX-License-Identifier: GPL-3.0-or-later
"""The session table of a BMC: limited, expiring after idleness, as BMCs' are."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field

from .answer import problem


@dataclass
class Session:
    """One session; `token` is what X-Auth-Token must carry."""

    id: str
    token: str
    username: str
    last_used: float = field(default_factory=time.monotonic)


class SessionTable:
    """Sessions by token. A session unused for `timeout` seconds is gone; a table with `limit` sessions refuses more."""

    def __init__(self, limit: int, timeout: float) -> None:
        self.limit = limit
        self.timeout = timeout
        self._by_token: dict[str, Session] = {}
        self._created = 0

    def create(self, username: str) -> Session:
        """Open a session. Raises RedfishProblem (503, SessionLimitExceeded) where the table is full."""
        self._expire()
        if len(self._by_token) >= self.limit:
            raise problem(503, "SessionLimitExceeded")
        self._created += 1
        session = Session(str(self._created), secrets.token_hex(16), username)
        self._by_token[session.token] = session
        return session

    def use(self, token: str) -> Session | None:
        """The session of a token, its idle time restarted; None where there is none."""
        session = self._by_token.get(token)
        if session is None:
            return None
        now = time.monotonic()
        if now - session.last_used > self.timeout:
            del self._by_token[token]
            return None
        session.last_used = now
        return session

    def all(self) -> list[Session]:
        """The sessions that live, oldest first."""
        self._expire()
        return list(self._by_token.values())

    def find(self, session_id: str) -> Session | None:
        """The session with this id."""
        return next((session for session in self.all() if session.id == session_id), None)

    def delete(self, session: Session) -> None:
        """End a session."""
        self._by_token.pop(session.token, None)

    def clear(self) -> None:
        """End them all, as a reset does."""
        self._by_token.clear()

    def _expire(self) -> None:
        oldest = time.monotonic() - self.timeout
        for token in [token for token, session in self._by_token.items() if session.last_used < oldest]:
            del self._by_token[token]
