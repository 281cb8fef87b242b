# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a request's body from gunicorn, within limits of size and time, and tell a whole one from one cut short."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
from gunicorn.http.errors import ParseException

from event_listener.body_memory import SMALL

_CHUNK = 65536


class BodyError(Exception):
    """The body can't be had."""


class CutShortError(BodyError):
    """The client ended, or broke the framing, before the body was complete."""


class TooSlowError(BodyError):
    """The body took longer than ingest.body_timeout."""


class TooLargeError(BodyError):
    """The body is larger than the limit; `declared` is its Content-Length, None when chunked."""

    def __init__(self, declared: int | None) -> None:
        self.declared = declared
        super().__init__("the body is too large")


def read_body(environ: dict[str, Any], limit: int, seconds: float, hold: Callable[[int], None]) -> bytes:
    """Return the whole body. Raises TooLargeError, TooSlowError or CutShortError, and what `hold` raises.

    `hold(size)` is called before more than SMALL bytes are read: with the length, or with `limit` when it is chunked.
    """
    declared = _declared(environ)
    if declared is not None and declared > limit:
        raise TooLargeError(declared)
    if declared is not None and declared > SMALL:
        hold(declared)
    try:
        with gevent.Timeout(seconds, TooSlowError("the body came too slowly")):
            if declared is not None:
                return _read_exactly(environ["wsgi.input"], declared)
            return _read_chunked(environ["wsgi.input"], limit, hold) if _is_chunked(environ) else b""
    except TooSlowError:
        close_after_answer(environ)
        raise
    except (OSError, ParseException) as error:  # the latter: a bad chunk
        close_after_answer(environ)
        raise CutShortError(type(error).__name__) from error


def discard_body(environ: dict[str, Any], limit: int, seconds: float) -> None:
    """Read what a refused client still sends, so that it gets our answer; close when it is more than `limit`."""
    if _declared(environ) is None and not _is_chunked(environ):
        return
    try:
        with gevent.Timeout(seconds, TooSlowError("the body came too slowly")):
            while limit > 0 and (data := environ["wsgi.input"].read(_CHUNK)):
                limit -= len(data)
    except (OSError, ParseException, TooSlowError):
        limit = 0
    if limit <= 0:
        close_after_answer(environ)


def _declared(environ: dict[str, Any]) -> int | None:
    length = environ.get("CONTENT_LENGTH")
    return int(length) if length else None


def _is_chunked(environ: dict[str, Any]) -> bool:
    return "HTTP_TRANSFER_ENCODING" in environ


def _read_exactly(stream: Any, length: int) -> bytes:
    body: bytes = stream.read(length)
    # gunicorn hands over a body that ended early without an error.
    if len(body) != length:
        raise ConnectionError
    return body


def _read_chunked(stream: Any, limit: int, hold: Callable[[int], None]) -> bytes:
    parts: list[bytes] = []
    size = 0
    while data := stream.read(_CHUNK):
        size += len(data)
        if size > limit:
            raise TooLargeError(None)
        if size > SMALL >= size - len(data):
            hold(limit)
        parts.append(data)
    return b"".join(parts)


def close_after_answer(environ: dict[str, Any]) -> None:
    """Let this answer be the connection's last."""
    # Set by our worker; an application has no way of its own to make gunicorn close a connection.
    force_close = getattr(environ["wsgi.input"], "force_close", None)
    if force_close is not None:
        force_close()
