# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP to one BMC, which nothing else asks, on DMTF's `redfish` library (_http.py) with its traps closed.

One keep-alive connection, one authentication, one log-out whatever happens. The traps (redfish 3.4.2, rest/v1.py),
each with a test in tests/unit/plugins/module_utils/test_client.py: certificates aren't verified without a CA file,
POST is repeated up to ten times, `login()` with Basic adds a GET, ~/.netrc replaces the credentials, bodies go to
the log, HTML error bodies become {}, redirects are followed on writes, `logout()` raises on 401 and 404.
"""

from __future__ import annotations

import base64
import json
import time
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.redfleet.events.plugins.module_utils._connection import Connection, local_path
from ansible_collections.redfleet.events.plugins.module_utils._errors import (
    Answer,
    BmcError,
    CredentialsError,
    TlsError,
    UnreachableError,
    error_for,
    not_redfish,
)
from ansible_collections.redfleet.events.plugins.module_utils._http import Library, NoAnswerError
from ansible_collections.redfleet.events.plugins.module_utils._transport_errors import transport_error

ROOT = "/redfish/v1/"
SESSIONS = "/redfish/v1/SessionService/Sessions"
BUSY = (429, 502, 503, 504)
MAX_REDIRECTS = 3
MAX_PAUSE = 30  # seconds, the longest Retry-After that is obeyed


class RedfishClient:
    """A logged-in connection to one BMC, as a context manager.

    `root` is the ServiceRoot, `requests` counts what was sent, `warnings` are sentences for the user, `secrets`
    are values to mask beside the options marked no_log. `pool` is one of urllib3's, to be asked instead of the BMC's.
    """

    def __init__(self, connection: Connection, pool: Any = None):
        self.connection = connection
        self.base = connection.base
        self.root: dict[str, Any] = {}
        self.requests = 0
        self.warnings: list[str] = []
        self.secrets: set[str] = set()
        self.clock_offset: int | None = None  # seconds that its Date was ahead of our clock, at the first answer
        self._library = Library(connection, pool)
        self._session_uri: str | None = None
        if self.base.startswith("http://"):
            self.warnings.append(f"{self.base} is not encrypted: the credentials travel in clear text.")

    def __enter__(self) -> RedfishClient:
        try:
            self._open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def _open(self) -> None:
        settings = self.connection
        if settings.auth_token:
            self._library.set_session_key(settings.auth_token)
        elif settings.login_type == "basic":
            pair = base64.b64encode(f"{settings.username}:{settings.password}".encode()).decode()
            self.secrets.add(pair)
            self._library.set_authorization_key(f"Basic {pair}")
        else:
            self._open_with_session()
            return
        self.root = self.get(ROOT)

    def _open_with_session(self) -> None:
        answer = self._ask_kindly("GET", ROOT)
        if answer.status == 401:
            # Some services refuse even the ServiceRoot without credentials (a workaround of the library, too).
            self._login(SESSIONS)
            self.root = self.get(ROOT)
            return
        self.root = _resource(answer)
        links = self.root.get("Links")
        sessions = links.get("Sessions") if isinstance(links, dict) else None
        self._login(sessions["@odata.id"] if isinstance(sessions, dict) and "@odata.id" in sessions else SESSIONS)

    def _login(self, sessions: str) -> None:
        body = {"UserName": self.connection.username, "Password": self.connection.password}
        answer = self._once("POST", local_path(sessions), body, {}, self.connection.timeout)
        token = answer.headers.get("x-auth-token")
        if token:
            # Also of a refused log-in: iLO and others create a session that may only change the password.
            self.secrets.add(token)
            self._library.set_session_key(token)
            where = answer.headers.get("location") or (answer.body or {}).get("@odata.id")
            self._session_uri = local_path(where) if where else None
        error = error_for(answer)
        if answer.status in (400, 403) and error.reason != "full":
            # iLO answers a wrong password with 400 UnauthorizedLoginAttempt, others with 403.
            raise CredentialsError(
                str(error), "Check username and password; they were tried once, not again.", answer.status
            )
        if not answer.ok:
            raise error
        if not token:
            raise BmcError(
                f"{self.base}{sessions} created a session without X-Auth-Token.",
                "Use login_type basic for this BMC.",
                status=answer.status,
            )
        if not self._session_uri:
            self.warnings.append(f"{self.base} did not say where its new session is, so it could not be deleted.")

    def close(self) -> None:
        """Delete the session and close the connection; never raises, since an earlier error matters more."""
        if self._session_uri:
            uri, self._session_uri = self._session_uri, None
            try:
                answer = self._once("DELETE", uri, None, {}, min(self.connection.timeout, 10))
            except (UnreachableError, TlsError) as error:
                self.warnings.append(f"The session {uri} was left on the BMC until it expires: {error}")
            else:
                if not answer.ok and answer.status not in (401, 404):  # expired or gone is what we want
                    self.warnings.append(f"The session {uri} was left on the BMC (HTTP {answer.status}).")
        self._library.close()

    def get(self, uri: str) -> dict[str, Any]:
        """Read one resource.

        :raises RedfishError: when it cannot be read, or is no JSON object.
        """
        return _resource(self.ask("GET", uri))

    def ask(
        self, method: str, uri: str, body: dict[str, Any] | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """Send a request, and repeat it where that is safe: never a POST, never after 401 or 403.

        :raises CredentialsError: on 401; other statuses are returned.
        :raises AnswerLostError: when it is unknown whether a write took effect.
        """
        answer = self._ask_kindly(method, uri, body, headers)
        if answer.status == 401:
            raise error_for(answer)
        return answer

    def _ask_kindly(
        self, method: str, uri: str, body: dict[str, Any] | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        left = 0 if method == "POST" else self.connection.retries
        pause, hops = 1.0, 0
        while True:
            try:
                answer = self._once(method, local_path(uri), body, dict(headers or {}), self.connection.timeout)
            except UnreachableError as error:
                if left <= 0 or error.details.get("timed_out"):
                    raise  # waiting was `timeout`'s job
            else:
                if method == "GET" and answer.status in (301, 302, 303, 307, 308) and hops < MAX_REDIRECTS:
                    hops += 1
                    uri = self._redirected(answer)
                    continue
                if answer.status not in BUSY or left <= 0:
                    return answer
                pause = _retry_after(answer, pause)
            left -= 1
            time.sleep(pause)
            pause = min(pause * 2, MAX_PAUSE)

    def _redirected(self, answer: Answer) -> str:
        target = urlsplit(answer.headers.get("location", ""))
        if target.netloc and f"{target.scheme}://{target.netloc}".lower() != self.base.lower():
            raise error_for(answer)
        return local_path(answer.headers.get("location", ""))

    def _once(self, method: str, uri: str, body: Any, headers: dict[str, str], timeout: int) -> Answer:
        self.requests += 1
        headers.setdefault("Accept", "application/json")
        try:
            raw = self._library.ask(method, uri, body, headers, timeout)
        except NoAnswerError as error:
            raise transport_error(self.base, method, uri, error.__cause__ or error) from error
        text = raw.text
        answered = {name.lower(): value for name, value in raw.getheaders()}
        if self.clock_offset is None:
            self.clock_offset = _ahead(answered.get("date", ""))
        try:
            parsed = json.loads(text) if text.strip() else None
        except ValueError:
            parsed = None
        return Answer(
            method=method,
            uri=uri,
            base=self.base,
            status=raw.status,
            headers=answered,
            text=text,
            body=parsed if isinstance(parsed, dict) else None,
        )


def _resource(answer: Answer) -> dict[str, Any]:
    if answer.status != 200:
        raise error_for(answer)
    if answer.body is None:
        raise not_redfish(answer)
    return answer.body


def _ahead(date: str) -> int | None:
    """Seconds from now to an HTTP date; None where it is none."""
    try:
        return round(parsedate_to_datetime(date).timestamp() - time.time())
    except (TypeError, ValueError, IndexError):
        return None


def _retry_after(answer: Answer, default: float) -> float:
    told = answer.headers.get("retry-after", "")
    return min(float(told), MAX_PAUSE) if told.isdigit() else default
