# SPDX-License-Identifier: GPL-3.0-or-later
"""The ingest application: POST only. Authenticate, limit, journal, answer; 2xx means that it is on disk.

401 no or wrong credentials      403 network or source not allowed      404, 405 not POST to / or /events/<source>
408 body too slow                400 body cut short (dropped)           413 above quarantine_max_body
415 compressed                   429 refused too often (Retry-After)
503 the journal can't be written, or too many large bodies at once (Retry-After)
response_status stored           malformed_status stored in quarantine
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import time
from collections.abc import Callable
from functools import cache
from typing import Any, NoReturn

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from event_listener import ingest_metrics as metrics
from event_listener import path_secret
from event_listener.addresses import UNIX_PEER, PeerResolver, canonical_address, contains, parse_networks
from event_listener.admission import Admission, Visit
from event_listener.auth import CHALLENGE, Authenticator
from event_listener.body import (
    BodyError,
    TooLargeError,
    TooSlowError,
    close_after_answer,
    discard_body,
    read_body,
)
from event_listener.body_memory import BodyMemory, NoRoomError
from event_listener.ingest_direct import Direct, Made
from event_listener.journal import STATUS_MALFORMED, STATUS_OK, Entry, JournalUnavailableError
from event_listener.notices import Notices
from event_listener.payload import MalformedError, decode
from event_listener.refusals import Refusals
from event_listener.registry_snapshot import RegistryView, SourceEntry
from event_listener.settings import SOURCE_ID_PATTERN, Settings

logger = logging.getLogger(__name__)

Submit = Callable[[Entry, float], int]
Stored = Callable[[Entry], None]

_PAYLOADS = {status: metrics.PAYLOADS.labels(status) for status in (STATUS_OK, STATUS_MALFORMED)}
_SOURCE_ID = re.compile(SOURCE_ID_PATTERN)
# What is read and thrown away of a refused request, so that the client gets to read the answer.
_DISCARD_STRANGER = 65536
_DISCARD_FACTOR = 4


class RefusedError(Exception):
    """The request is answered with `status`, and nothing of it is stored; `reason` is its name in the metrics."""

    def __init__(self, status: int, reason: str, detail: str, headers: dict[str, str] | None = None) -> None:
        self.status = status
        self.reason = reason
        self.detail = detail
        self.headers = headers or {}
        super().__init__(detail)


class Receiver:
    """The steps between a request and its answer. `submit` stores an entry durably; `stored` is told afterwards."""

    def __init__(
        self,
        settings: Settings,
        authenticator: Authenticator,
        submit: Submit,
        notices: Notices,
        stored: Stored | None = None,
    ) -> None:
        self._settings = settings.ingest
        self._authenticator = authenticator
        self._submit = submit
        self._notices = notices
        self._stored = stored
        self.refusals: Refusals | None = None  # who was refused, where that is counted
        self._registry = RegistryView(settings.state_dir)
        self._peers = PeerResolver(settings.ingest.trusted_proxies)
        self._allowed = parse_networks(settings.ingest.allowed_networks)
        self._memory = BodyMemory(settings.ingest.body_memory)
        self._admission = Admission(
            strangers=settings.ingest.stranger_connections,
            known_strangers=max(settings.ingest.stranger_connections, settings.ingest.max_connections // 2),
            refusals=settings.ingest.stranger_refusals,
            registered=lambda address: self._registry.find(None, address) is not None,
        )

    def enter(self, remote: str) -> Visit | None:
        """Return the visit of a new connection from `remote` ("" is a Unix socket); None means: close it."""
        address = self._stranger(remote)
        visit = self._admission.enter(address)
        if isinstance(visit, Visit):
            return visit
        metrics.TURNED_AWAY.labels(visit).inc()
        self._notices.warn(f"away {address}", f"closing connections of {address}: too many {visit} without credentials")
        return None

    def misbehaved(self, remote: str) -> None:
        """Count what wasn't HTTP or TLS against its address."""
        self._admission.refused(self._stranger(remote))

    def _stranger(self, remote: str) -> str:
        peer = canonical_address(remote) if remote else UNIX_PEER
        return "" if peer == UNIX_PEER or self._peers.is_proxy(peer) else peer

    def receive(self, environ: dict[str, Any], source: str | None, secret: str | None = None) -> Response:
        """Return the answer to a POST for `source` and path `secret` (in the path; None for `/`)."""
        peer = self._peer(environ)
        try:
            credential, registered = self._admit(environ, source, peer, secret)
            with contextlib.ExitStack() as memory:
                body = self._body(environ, memory)
                entry = self._entry(environ, source, peer, credential, body)
                self._submit(entry, self._settings.commit_timeout)
        except RefusedError as refusal:
            return self._refused(refusal, source, peer)
        except JournalUnavailableError as error:
            return self._unavailable(error)
        return self._accepted(entry, registered)

    def _peer(self, environ: dict[str, Any]) -> str:
        return self._peers.resolve(environ.get("REMOTE_ADDR", ""), environ.get("HTTP_X_FORWARDED_FOR", ""))

    def _admit(
        self, environ: dict[str, Any], source: str | None, peer: str, secret: str | None
    ) -> tuple[str, SourceEntry | None]:
        """Return the credential's name and the registered source; raises RefusedError."""
        self._check_network(environ, peer)
        registered = self._registry.find(source, peer)
        credential = self._credential(environ, peer, registered, secret)
        welcome(environ)
        if self._registry.problem:
            self._notices.warn("registry", self._registry.problem)
        if self._settings.registered_only and (registered is None or registered.state == "retired"):
            self._refuse(environ, _DISCARD_STRANGER, 403, "unregistered", "this source is not in the registry")
        self._check_encoding(environ)
        return credential, registered

    def _check_network(self, environ: dict[str, Any], peer: str) -> None:
        if self._allowed and not contains(self._allowed, peer):
            detail = "this network is not allowed to send events"
            self._refuse_stranger(environ, peer, 403, "network", detail)

    def _check_encoding(self, environ: dict[str, Any]) -> None:
        if environ.get("HTTP_CONTENT_ENCODING", "identity").lower() not in ("", "identity"):
            detail = "compressed bodies are not taken"
            self._refuse(
                environ, self._settings.quarantine_max_body, 415, "compressed", detail, {"Accept-Encoding": "identity"}
            )

    def _credential(
        self, environ: dict[str, Any], peer: str, registered: SourceEntry | None, secret: str | None
    ) -> str:
        """Return the name of what was shown: a secret in the path, else the Authorization header."""
        if secret is None:
            verdict = self._authenticator.judge(environ.get("HTTP_AUTHORIZATION"))
            name, reason = verdict.name, verdict.reason
            detail = f"{reason} credentials; set them in the subscription's HttpHeaders"
        else:
            usable = registered is not None and registered.state != "retired"
            found = path_secret.match(registered.path_secrets if registered and usable else (), secret, peer)
            name, reason = f"path:{found}" if found else "", "path"
            detail = "no secret path of this source and network; look at `event-listener sources secrets`"
        if not name:
            challenge = {"WWW-Authenticate": CHALLENGE}
            self._refuse_stranger(environ, peer, 401, f"credentials_{reason}", detail, challenge)
        return name

    def _body(self, environ: dict[str, Any], memory: contextlib.ExitStack) -> bytes:
        limit, seconds = self._settings.quarantine_max_body, self._settings.body_timeout
        patience = self._settings.commit_timeout
        try:
            return read_body(
                environ, limit, seconds, lambda size: memory.enter_context(self._memory.share(size, patience))
            )
        except NoRoomError:
            detail = "too many large bodies at once (ingest.body_memory); send it again"
            retry = {"Retry-After": str(self._settings.retry_after)}
            self._refuse(environ, limit, 503, "memory", detail, retry)
        except TooLargeError:
            detail = f"the body is larger than {limit} bytes (ingest.quarantine_max_body)"
            self._refuse(environ, limit * _DISCARD_FACTOR, 413, "too_large", detail)
        except TooSlowError as error:
            metrics.CUT_SHORT.inc()
            raise RefusedError(
                408, "too_slow", f"the body took longer than {seconds} s (ingest.body_timeout)"
            ) from error
        except BodyError as error:
            metrics.CUT_SHORT.inc()
            raise RefusedError(400, "cut_short", "the body ended before it was complete; dropped") from error

    def _entry(self, environ: dict[str, Any], source: str | None, peer: str, credential: str, body: bytes) -> Entry:
        limits = self._settings
        status, reason = STATUS_OK, ""
        try:
            if len(body) > limits.max_body:
                raise MalformedError(f"{len(body)} bytes, more than {limits.max_body} (ingest.max_body)")  # noqa: TRY301 - one way into quarantine
            decode(body, max_depth=limits.max_depth, max_records=limits.max_records)
        except MalformedError as error:
            status, reason = STATUS_MALFORMED, str(error)
        return Entry(
            received_ns=time.time_ns(),
            source=source,
            peer=peer,
            credential=credential,
            content_type=environ.get("CONTENT_TYPE", "")[:256],
            status=status,
            reason=reason,
            body=body,
        )

    def receive_forwarded(self, environ: dict[str, Any]) -> Response:
        """Return the answer to a site's POST of CloudEvents; without sites there is no such path."""
        discard_body(environ, _DISCARD_STRANGER, self._settings.body_timeout)
        return _not_found()

    def receive_cloudstack(self, environ: dict[str, Any]) -> Response:
        """Return the answer to a delivery of a CloudStack webhook; without webhooks there is no such path."""
        discard_body(environ, _DISCARD_STRANGER, self._settings.body_timeout)
        return _not_found()

    def _refuse_stranger(
        self, environ: dict[str, Any], peer: str, status: int, reason: str, detail: str,
        headers: dict[str, str] | None = None,
    ) -> NoReturn:  # fmt: skip
        """Refuse who showed no right credentials; too often is 429, and the end of the connection."""
        if self._admission.is_flooding(peer):
            close_after_answer(environ)
            wait = {"Retry-After": str(self._admission.wait_seconds())}
            raise RefusedError(429, "rate", f"refused too often within a minute, lately: {detail}", wait)
        self._admission.refused(peer)
        self._refuse(environ, _DISCARD_STRANGER, status, reason, detail, headers)

    def _refuse(
        self, environ: dict[str, Any], discard: int, status: int, reason: str, detail: str,
        headers: dict[str, str] | None = None,
    ) -> NoReturn:  # fmt: skip
        discard_body(environ, discard, self._settings.body_timeout)
        raise RefusedError(status, reason, detail, headers)

    def _accepted(self, entry: Entry, registered: SourceEntry | None) -> Response:
        _PAYLOADS[entry.status].inc()
        metrics.BYTES.inc(len(entry.body))
        if self._stored is not None:
            self._stored(entry)
        if entry.status == STATUS_MALFORMED:
            self._notices.warn(
                f"malformed {entry.peer}", f"kept a malformed payload of {entry.peer} in quarantine: {entry.reason}"
            )
            if self._settings.malformed_status >= 300:
                return answer(self._settings.malformed_status, {"status": "quarantined", "detail": entry.reason})
        status = (registered.response_status if registered else None) or self._settings.response_status
        return _stored(status)

    def _refused(self, refusal: RefusedError, source: str | None, peer: str) -> Response:
        metrics.REFUSED.labels(refusal.reason).inc()
        named = f"{peer} ({source})" if source else peer
        self._notices.warn(f"{refusal.reason} {peer}", f"refused {refusal.status} {named}: {refusal.detail}")
        if self.refusals is not None:
            registered = self._registry.find(source, peer)
            self.refusals.note(registered.name if registered else peer, refusal.reason)
        return answer(refusal.status, {"status": "refused", "detail": refusal.detail}, refusal.headers)

    def _unavailable(self, error: JournalUnavailableError) -> Response:
        metrics.UNAVAILABLE.inc()
        self._notices.warn("unavailable", f"answering 503: {error}")
        headers = {"Retry-After": str(self._settings.retry_after)}
        return answer(503, {"status": "unavailable", "detail": "the event can't be stored now; send it again"}, headers)


def create_app(receiver: Receiver) -> Flask:
    """Return the WSGI application around `receiver`."""
    app = Flask("event_listener.ingest", static_folder=None)
    app.url_map.strict_slashes = False

    def receive(source: str | None = None, secret: str | None = None) -> Response:
        if not _is_good(source, secret):
            return _not_found()
        return receiver.receive(request.environ, source, secret)

    for rule in ("/", "/events/<source>", "/events/<source>/<secret>"):
        app.add_url_rule(rule, "receive", receive, methods=["POST"], provide_automatic_options=False)

    for rule, take in (
        ("/cloudevents", receiver.receive_forwarded),
        ("/webhooks/cloudstack", receiver.receive_cloudstack),
    ):
        app.add_url_rule(rule, rule, _view(take), methods=["POST"], provide_automatic_options=False)

    @app.errorhandler(HTTPException)
    def _http_error(error: HTTPException) -> Response:
        discard_body(request.environ, _DISCARD_STRANGER, 5)
        if error.code == 405:
            return answer(405, {"status": "refused", "detail": "only POST is answered here"}, {"Allow": "POST"})
        return _not_found() if error.code == 404 else answer(error.code or 400, {"status": "refused"})

    @app.errorhandler(Exception)
    def _bug(error: Exception) -> Response:
        logger.error("a request failed in an unforeseen way; please report this", exc_info=error)
        return answer(500, {"status": "error"})

    app.wsgi_app = Direct(receiver.receive, _is_good, _bug, app.wsgi_app)  # type: ignore[method-assign] # Flask's own way
    return app


def _is_good(source: str | None, secret: str | None) -> bool:
    """Whether a path names a source, and a secret where it has one."""
    return (source is None or _SOURCE_ID.fullmatch(source) is not None) and (
        secret is None or path_secret.is_one(secret)
    )


def _view(take: Callable[[dict[str, Any]], Response]) -> Callable[[], Response]:
    return lambda: take(request.environ)


def welcome(environ: dict[str, Any]) -> None:
    """Say that right credentials were shown."""
    # Set by our worker: from here on the connection isn't a stranger's.
    welcome = getattr(environ["wsgi.input"], "welcome", None)
    if welcome is not None:
        welcome()


def _not_found() -> Response:
    return answer(404, {"status": "refused", "detail": "post to / or /events/<source>"})


def answer(status: int, body: dict[str, str], headers: dict[str, str] | None = None) -> Response:
    """Return an answer that every known BMC takes: a length, and a short JSON body (none with 204)."""
    if status == 204:
        return Response(status=204, headers=headers)
    return Response(json.dumps(body) + "\n", status=status, headers=headers, content_type="application/json")


@cache
def _stored(status: int) -> Response:
    """Return the answer to what is on disk; made once, since making it costs a twentieth of a request."""
    return Made(answer(status, {"status": "stored"}))
