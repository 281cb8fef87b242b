# SPDX-License-Identifier: GPL-3.0-or-later
"""`POST /webhooks/cloudstack`: what CloudStack's webhooks deliver (4.20 and later).

A delivery is known by its signature, ``X-CS-Signature``: base64(HMAC-SHA256(secret, body)). CloudStack signs only where
a secret is set, and signs neither a time nor the other headers; so what is stored follows from the body alone, and a
delivery that is sent again, by CloudStack or by who overheard it, adds nothing. CloudStack takes nothing but 200 for
success, whatever ``ingest.response_status`` says.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import re
import time
from collections.abc import Iterable, Mapping
from typing import Any

from flask import Response

from event_listener import ingest_metrics as metrics
from event_listener.auth import Credential
from event_listener.ingest import RefusedError, answer, welcome
from event_listener.ingest_sites import CentralReceiver
from event_listener.journal import STATUS_OK, Entry, JournalUnavailableError
from event_listener.normalise.buses import credential_of
from event_listener.normalise.cloudstack_secrets import clean
from event_listener.normalise.labels import labelled
from event_listener.settings import Settings

_SIGNATURE = re.compile(r"[A-Za-z0-9+/]{43}=")
_UUID = re.compile(r"[0-9a-fA-F-]{36}")


class WebhookReceiver(CentralReceiver):
    """A receiver that takes CloudStack's deliveries, too. ``webhooks``: name and secret of each."""

    def __init__(self, webhooks: Iterable[Credential], settings: Settings, *rest: Any, **named: Any) -> None:
        super().__init__(settings, *rest, **named)
        self._webhooks = list(webhooks)

    def receive_cloudstack(self, environ: dict[str, Any]) -> Response:
        """Return the answer to a delivery."""
        if not self._webhooks:
            return super().receive_cloudstack(environ)
        peer = self._peer(environ)
        try:
            shown = self._shown(environ, peer)
            with contextlib.ExitStack() as memory:
                body = self._body(environ, memory)
                name = self._signer(environ, peer, shown, body)
                self._submit(_entry(environ, peer, name, clean(body)), self._settings.commit_timeout)
        except RefusedError as refusal:
            return self._refused(refusal, "cloudstack", peer)
        except JournalUnavailableError as error:
            return self._unavailable(error)
        metrics.BYTES.inc(len(body))
        return answer(200, {"status": "stored"})

    def _shown(self, environ: dict[str, Any], peer: str) -> bytes:
        """The signature, before anything of the body is read. Raises RefusedError."""
        self._check_network(environ, peer)
        shown = environ.get("HTTP_X_CS_SIGNATURE", "").strip()
        if not _SIGNATURE.fullmatch(shown):
            what = "malformed" if shown else "missing"
            detail = f"{what} X-CS-Signature; give the webhook the secretkey of ingest.cloudstack_webhooks"
            self._refuse_stranger(environ, peer, 401, f"credentials_{what}", detail)
        self._check_encoding(environ)
        length, most = environ.get("CONTENT_LENGTH", ""), self._settings.max_body
        if not length.isdigit() or int(length) > most:
            # Who may deliver is known when the body is: so it is a short one, of which the length is said before.
            detail = f"a delivery has a Content-Length, of at most {most} bytes (ingest.max_body)"
            self._refuse_stranger(environ, peer, 413, "too_large", detail)
        return base64.b64decode(shown)

    def _signer(self, environ: dict[str, Any], peer: str, shown: bytes, body: bytes) -> str:
        """The webhook whose secret signed the body. Raises RefusedError."""
        name = ""
        for one in self._webhooks:  # all of them: the time tells neither which nor whether one of them
            if hmac.compare_digest(hmac.new(one.secret.encode(), body, hashlib.sha256).digest(), shown):
                name = one.name
        if not name:
            detail = "wrong X-CS-Signature; the webhook's secretkey is none of ingest.cloudstack_webhooks"
            self._refuse_stranger(environ, peer, 401, "credentials_wrong", detail)
        welcome(environ)
        return name


def _entry(environ: Mapping[str, Any], peer: str, name: str, body: bytes) -> Entry:
    event = environ.get("HTTP_X_CS_EVENT_ID", "")
    labels = {"event-id": event} if _UUID.fullmatch(event) else {}
    return Entry(
        received_ns=time.time_ns(),
        source=name,
        peer=peer,
        credential=credential_of("cloudstack", name),
        content_type=labelled(environ.get("CONTENT_TYPE", ""), labels),
        status=STATUS_OK,
        reason="",
        body=body,
    )
