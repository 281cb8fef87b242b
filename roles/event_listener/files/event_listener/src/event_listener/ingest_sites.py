# SPDX-License-Identifier: GPL-3.0-or-later
"""`POST /cloudevents`: a central listener takes what the listeners of its sites forward.

The modes of the CloudEvents HTTP binding (1.0.2): a batch, which is what our sink sends, one structured event, or one
in binary mode. Answered 2xx is on disk, as for a BMC. What isn't ours is answered 400 and not kept: a listener, unlike
a BMC, keeps what was refused, finds the event in the batch that is at fault, and sends the others.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from flask import Response

from event_listener import ingest_metrics as metrics
from event_listener.auth import CHALLENGE, Authenticator
from event_listener.forwarded import SITE, ForwardedError, forwarded
from event_listener.ingest import Receiver, RefusedError, answer, welcome
from event_listener.journal import STATUS_OK, Entry, JournalUnavailableError
from event_listener.settings import Settings

_BATCH, _STRUCTURED = "application/cloudevents-batch+json", "application/cloudevents+json"
_ATTRIBUTE = "HTTP_CE_"


class CentralReceiver(Receiver):
    """A receiver that takes events of sites, too: with the same limits, disk and answers, but their own credentials."""

    def __init__(self, settings: Settings, bmcs: Authenticator, sites: Authenticator, *rest: Any, **named: Any) -> None:
        super().__init__(settings, bmcs, *rest, **named)
        self._sites = sites
        self._is_central = bool(settings.ingest.sites)

    def receive_forwarded(self, environ: dict[str, Any]) -> Response:
        """Return the answer to a POST of CloudEvents."""
        if not self._is_central:
            return super().receive_forwarded(environ)
        peer = self._peer(environ)
        try:
            site = self._admit_site(environ, peer)
            with contextlib.ExitStack() as memory:
                body = structured(environ, self._body(environ, memory))
                events = _checked(body, site)
                self._submit(_entry(environ, peer, site, body), self._settings.commit_timeout)
        except RefusedError as refusal:
            return self._refused(refusal, "cloudevents", peer)
        except JournalUnavailableError as error:
            return self._unavailable(error)
        metrics.FORWARDED.labels(site).inc(events)
        metrics.BYTES.inc(len(body))
        return answer(200, {"status": "stored"})

    def _admit_site(self, environ: dict[str, Any], peer: str) -> str:
        """The site whose credentials were shown. Raises RefusedError."""
        self._check_network(environ, peer)
        verdict = self._sites.judge(environ.get("HTTP_AUTHORIZATION"))
        if not verdict.name:
            reason, detail = f"credentials_{verdict.reason}", f"{verdict.reason} credentials of a site (ingest.sites)"
            self._refuse_stranger(environ, peer, 401, reason, detail, {"WWW-Authenticate": CHALLENGE})
        welcome(environ)
        self._check_encoding(environ)
        return verdict.name


def structured(environ: Mapping[str, Any], body: bytes) -> bytes:
    """The JSON of one event or of a batch, whatever the mode. Raises RefusedError."""
    kind = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if kind in (_BATCH, _STRUCTURED):
        return body
    if _ATTRIBUTE + "SPECVERSION" not in environ:
        raise RefusedError(415, "cloudevents", f"send {_BATCH}, {_STRUCTURED}, or the attributes in ce- headers")
    attributes = {
        name.removeprefix(_ATTRIBUTE).lower(): unquote(value)
        for name, value in environ.items()
        if name.startswith(_ATTRIBUTE)
    }
    try:
        data = json.loads(body) if body else None
    except ValueError as error:
        raise RefusedError(400, "cloudevents", f"the data of a binary event isn't JSON: {error}") from error
    return json.dumps({**attributes, "data": data}).encode()


def _checked(body: bytes, site: str) -> int:
    """How many events it has, all of which can be stored. Raises RefusedError."""
    try:
        return len(forwarded(body, site))
    except ForwardedError as error:
        raise RefusedError(400, "cloudevents", str(error)) from error


def _entry(environ: Mapping[str, Any], peer: str, site: str, body: bytes) -> Entry:
    return Entry(
        received_ns=time.time_ns(),
        source=None,
        peer=peer,
        credential=SITE + site,
        content_type=environ.get("CONTENT_TYPE", "")[:256],
        status=STATUS_OK,
        reason="",
        body=body,
    )
