# SPDX-License-Identifier: GPL-3.0-or-later
"""CloudEvents in batches by HTTP POST (``application/cloudevents-batch+json``)."""

from __future__ import annotations

import base64
import http.client
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple
from urllib.parse import urlsplit

from event_listener import __version__, cloudevents, http_answers
from event_listener.event import Event
from event_listener.secrets import SecretError, read_secret
from event_listener.settings_bus import HttpSink
from event_listener.sinks.base import Ok, Outcome, Reject, Retry, UnitName, shifted
from event_listener.sinks.bodies import to_json
from event_listener.sinks.client_tls import client_context

CONTENT_TYPE = "application/cloudevents-batch+json; charset=utf-8"
_REFUSED = {400, 413, 422}  # about the events themselves, if it takes others
_CONFIGURATION_SECONDS = 60.0  # until somebody changes something, so not often
_DOUBTED = 5  # events that are tried alone before the server is believed to refuse everything
_SHOWN = 200


class _Answer(NamedTuple):
    status: int
    retry_after: float | None
    text: str


class Http:
    """Posts events over one connection that is kept."""

    unit: ClassVar[UnitName] = "event"

    def __init__(self, settings: HttpSink, state_dir: str | Path) -> None:  # noqa: ARG002 - as all sinks are made
        self.name = settings.name
        self._settings = settings
        self._url = urlsplit(settings.url)
        self._connection: http.client.HTTPConnection | None = None
        self._taken = False  # anything, since this process began

    @staticmethod
    def problems(settings: HttpSink) -> Iterator[str]:
        """What can't be used, found out without connecting."""
        try:
            client_context(settings.tls)
        except OSError as error:
            yield str(error)

    def counts(self) -> Mapping[str, int]:
        """Nothing beyond what every sink counts."""
        return {}

    def send(self, batch: Sequence[Event]) -> Outcome:
        """Post a batch; where it is refused for what is in it, halves of it, until the refused event is alone."""
        outcome = self._post_parts(batch)
        if isinstance(outcome, Reject) and not self._taken:
            return self._doubted(outcome, batch[outcome.done + 1 :])
        return outcome

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _post_parts(self, batch: Sequence[Event]) -> Outcome:
        try:
            answer = self._post(batch)
        except (OSError, http.client.HTTPException, SecretError) as error:
            self.close()
            return Retry(f"{self._url.netloc}: {error or type(error).__name__}")
        if 200 <= answer.status < 300:
            self._taken = True
            return Ok()
        reason = f"{self._url.netloc} answers {answer.status} {answer.text}".rstrip()
        if answer.status not in _REFUSED:
            return _not_now(answer, reason)
        if len(batch) == 1:
            return Reject(reason)
        middle = len(batch) // 2
        outcome = self._post_parts(batch[:middle])
        return outcome if not isinstance(outcome, Ok) else shifted(self._post_parts(batch[middle:]), middle)

    def _doubted(self, outcome: Reject, others: Sequence[Event]) -> Outcome:
        """An event is refused before any was taken: is it the event, or does this server refuse everything?

        A plain 400 is also what a wrong port or path answers; that must not send all events into quarantine.
        """
        for event in others[:_DOUBTED]:
            if isinstance(self._post_parts([event]), Ok):
                return outcome
        reason = f"{outcome.reason}; it has taken no event yet, so none is given up: check its url and settings"
        return Retry(reason, after=_CONFIGURATION_SECONDS)

    def _post(self, batch: Sequence[Event]) -> _Answer:
        """Raises OSError, HTTPException, SecretError. A kept connection that was closed meanwhile is opened anew."""
        body = to_json([cloudevents.encode(event) for event in batch])
        kept = self._connection is not None
        try:
            return self._exchange(body)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            self.close()
            if not kept:
                raise
            return self._exchange(body)

    def _exchange(self, body: bytes) -> _Answer:
        connection = self._connection = self._connection or self._connect()
        path = (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")
        connection.request("POST", path, body, self._headers())
        response = connection.getresponse()
        text = response.read(1 << 16)
        if response.length:  # a longer answer isn't read to its end, so the connection can't be used again
            self.close()
        shown = text[:_SHOWN].decode(errors="replace").replace("\n", " ")
        return _Answer(response.status, http_answers.retry_after(response.getheader("Retry-After")), shown)

    def _connect(self) -> http.client.HTTPConnection:
        host, timeout = self._url.hostname or "", self._settings.timeout
        if self._url.scheme == "https":
            context = client_context(self._settings.tls)
            return http.client.HTTPSConnection(host, self._url.port, timeout=timeout, context=context)
        return http.client.HTTPConnection(host, self._url.port, timeout=timeout)

    def _headers(self) -> dict[str, str]:
        settings = self._settings
        headers = {"Content-Type": CONTENT_TYPE, "User-Agent": f"event-listener/{__version__}", **settings.headers}
        if settings.token is not None:
            headers["Authorization"] = f"Bearer {read_secret(settings.token)}"
        if settings.password is not None:
            pair = f"{settings.username}:{read_secret(settings.password)}".encode()
            headers["Authorization"] = "Basic " + base64.b64encode(pair).decode()
        return headers


def _not_now(answer: _Answer, reason: str) -> Retry:
    """Busy or broken servers are asked again soon, wrong settings slowly: a person has to change them."""
    if http_answers.passes(answer.status):
        return Retry(reason, after=answer.retry_after)
    hint = http_answers.hint(answer.status, "check its settings")
    return Retry(f"{reason}; {hint}", after=answer.retry_after or _CONFIGURATION_SECONDS)
