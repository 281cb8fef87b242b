# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors as RFC 9457 problem details: what happened, and what to do next."""

from __future__ import annotations

import http
import json
import logging
from typing import TypedDict

from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from event_listener.backfill import BackfillError
from event_listener.journal import JournalUnavailableError
from event_listener.message_registry import InvalidRegistryError
from event_listener.parameters import ParameterError
from event_listener.policy import PolicyError
from event_listener.proofs import InvalidProofError
from event_listener.registry import InvalidSourceError
from event_listener.store import NotThereError, RegistriesFullError, StoreUnavailableError, TooMuchError
from event_listener.upkeep import InvalidUpkeepError
from event_listener.webhooks.model import WebhookConflictError
from event_listener.webhooks.trials import TooManyError

logger = logging.getLogger(__name__)

RETRY_AFTER = "5"
MEDIA = "application/problem+json"


class Problem(TypedDict):
    """RFC 9457. ``detail`` says what happened and what to do next."""

    type: str
    title: str
    status: int
    detail: str


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """An error's response."""
    body = Problem(type="about:blank", title=http.HTTPStatus(status).phrase, status=status, detail=detail)
    return Response(json.dumps(body), status, headers, content_type=MEDIA)


def install(app: Flask) -> None:
    """Answer every error so."""

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Response:
        status = error.code or 500
        answer = problem(status, error.description or http.HTTPStatus(status).description)
        for name, value in error.get_headers():
            if name.lower() not in ("content-type", "content-length"):
                answer.headers[name] = value
        return answer

    @app.errorhandler(NotThereError)
    def _not_there(error: Exception) -> Response:
        return problem(404, str(error))

    @app.errorhandler(ParameterError)
    @app.errorhandler(TooMuchError)
    @app.errorhandler(PolicyError)
    @app.errorhandler(InvalidSourceError)
    @app.errorhandler(InvalidRegistryError)
    @app.errorhandler(BackfillError)
    @app.errorhandler(InvalidProofError)
    @app.errorhandler(InvalidUpkeepError)
    def _request(error: ValueError) -> Response:
        return problem(400, str(error))

    @app.errorhandler(WebhookConflictError)
    def _conflict(error: ValueError) -> Response:
        return problem(409, str(error))

    @app.errorhandler(TooManyError)
    def _busy(error: Exception) -> Response:
        return problem(503, str(error), {"Retry-After": RETRY_AFTER})

    @app.errorhandler(RegistriesFullError)
    def _full(error: Exception) -> Response:
        return problem(507, str(error))

    @app.errorhandler(StoreUnavailableError)
    @app.errorhandler(JournalUnavailableError)
    def _store(error: Exception) -> Response:
        logger.error("%s", error)
        return problem(503, str(error), {"Retry-After": RETRY_AFTER})
