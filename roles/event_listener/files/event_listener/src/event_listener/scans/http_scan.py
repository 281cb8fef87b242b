# SPDX-License-Identifier: GPL-3.0-or-later
"""Any scanner behind HTTP: it gets the list of addresses as JSON, and may say how the scan is.

POST url {"id": ..., "attempt": 1, "addresses": [...]}, with the id as Idempotency-Key. 2xx is taken: the answer may
be JSON with ``reference``, and a Location header then is where to ask (GET) for {"state": "running", "finished" or
"failed", "error": ...}. Without a Location the scan counts as over once it is taken: nobody can say more of it.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urljoin, urlsplit

from event_listener import __version__
from event_listener.redact import cleaned
from event_listener.scans import client
from event_listener.scans.scanner import Absent, Answer, Ended, Later, Launched, Refused, Request, Running, Unsure
from event_listener.settings_scans import HttpScanSink

_WRONG_SECONDS = 3600.0
_LONGEST_WAIT = 86400.0
_REFUSED = {400, 413, 422}  # about these addresses; other 4xx are about the settings
_BUSY = {409, 429, 503}  # with or without Retry-After: it did nothing


class HttpScanner:
    """One request per call; credentials are read anew for each."""

    def __init__(self, settings: HttpScanSink) -> None:
        self._settings = settings

    def launch(self, request: Request) -> Answer:
        """POST the addresses."""
        told = {"id": request.id, "attempt": request.attempt, "addresses": list(request.addresses)}
        try:
            headers = {**self._headers(), "Content-Type": "application/json", "Idempotency-Key": request.id}
            reply = client.request(self._settings, "POST", self._settings.url, headers, json.dumps(told).encode())
        except client.NotSentError as error:
            return Answer(Later(str(error)))
        except client.LostError as error:
            return Answer(Unsure(str(error)))
        if 200 <= reply.status < 300:
            return Answer(self._launched(request, reply))
        said = f"{urlsplit(self._settings.url).netloc} answers {reply.status} {reply.shown}".rstrip()
        if reply.status in _BUSY:
            return _busy(reply, said)
        if reply.status >= 500:
            return Answer(Unsure(said))
        if reply.status in _REFUSED:
            return Answer(Refused(said))
        return Answer(Later(f"{said}; check url and credentials", after=_WRONG_SECONDS))

    def find(self, request: Request) -> Answer:  # noqa: ARG002 - as all scanners have it
        """It can't say; the id that it gets again tells it that it may know the scan already."""
        return Answer(Absent(known=False))

    def poll(self, request: Request) -> Answer:
        """GET where the launch said; without such a place nobody is asked."""
        if not self._is_ours(request.reference):
            return Answer(Ended(text="The scanner took it, and doesn't say more."))
        try:
            reply = client.request(self._settings, "GET", request.reference, self._headers())
        except (client.NotSentError, client.LostError) as error:
            return Answer(Later(str(error)))
        said = f"{urlsplit(request.reference).netloc} answers {reply.status} {reply.shown}".rstrip()
        if reply.status in (404, 410):
            return Answer(Ended(error=f"{said}: the scanner doesn't know the scan any more"))
        if reply.status in _BUSY:
            return _busy(reply, said)
        if reply.status != 200:
            return Answer(Later(said))
        found = _json(reply.body)
        state = found.get("state")
        if state == "failed":
            return Answer(Ended(error=_shown(found.get("error")) or "the scanner says that it failed"))
        if state not in ("running", "finished"):
            return Answer(Later(f"{said}: no state that is running, finished or failed"))
        return Answer(Ended(text="finished") if state == "finished" else Running())

    def _launched(self, request: Request, reply: client.Reply) -> Launched:
        reference = _shown(_json(reply.body).get("reference"))
        if "location" not in reply.headers:
            return Launched(reference or request.id, over=True)
        where = urljoin(self._settings.url, reply.headers["location"])
        if not self._is_ours(where):
            return Launched(reference or request.id, text="it says to ask elsewhere, which isn't done", over=True)
        return Launched(where)

    def _is_ours(self, where: str) -> bool:
        """Our credentials go to nobody but who was configured."""
        ours, theirs = urlsplit(self._settings.url), urlsplit(where)
        return (ours.scheme, ours.netloc) == (theirs.scheme, theirs.netloc)

    def _headers(self) -> dict[str, str]:
        """Raises NotSentError."""
        settings = self._settings
        headers = {"User-Agent": f"event-listener/{__version__}", "Accept": "application/json"}
        if settings.token is not None:
            headers["Authorization"] = f"Bearer {client.secret(settings.token)}"
        if settings.password is not None:
            headers["Authorization"] = client.basic(settings.username, settings.password)
        return headers


def _busy(reply: client.Reply, said: str) -> Answer:
    wait = min(reply.number("retry-after") or 0.0, _LONGEST_WAIT)
    return Answer(Later(said, after=0.0 if wait else None), wait, said if wait else "")


def _json(body: bytes) -> dict[str, Any]:
    """The object that it is; empty for anything else."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _shown(value: Any) -> str:
    return cleaned(value)[:1000] if isinstance(value, str) else ""
