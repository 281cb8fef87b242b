# SPDX-License-Identifier: GPL-3.0-or-later
"""gunicorn's gevent worker, with time limits on what it leaves without: handshakes, stalled clients; and quiet logs.

`server_class` is gunicorn's documented place for another server; the rest overrides public methods of its workers.
"""

from __future__ import annotations

import logging
import os
import socket
import struct
from contextlib import closing
from functools import partial
from typing import Any, cast

import gevent
from gevent import ssl
from gevent.local import local
from gevent.server import StreamServer
from gunicorn import util
from gunicorn.workers.base_async import AsyncWorker
from gunicorn.workers.ggevent import GeventWorker

from event_listener import ingest_metrics as metrics
from event_listener.addresses import canonical_address
from event_listener.admission import Visit
from event_listener.ingest import Receiver
from event_listener.notices import Notices
from event_listener.settings import Ingest

logger = logging.getLogger(__name__)
# Before the first fork, so that the workers share it.
notices = Notices(logger)
# The visit that this greenlet serves.
_here = local()
# Close at once, without a state that the kernel keeps for a minute.
_RESET = struct.pack("ii", 1, 0)

_STATUS = {
    "LimitRequestLine": (414, "URI Too Long"),
    "LimitRequestHeaders": (431, "Request Header Fields Too Large"),
    "ExpectationFailed": (417, "Expectation Failed"),
    "UnsupportedTransferCoding": (501, "Not Implemented"),
}


class _Name:
    """Stands for a listening socket where gunicorn asks for its name.

    On the way down the socket itself is closed first, and connections that were accepted before would be dropped
    unanswered with EBADF.
    """

    def __init__(self, listener: Any) -> None:
        self._name = listener.getsockname()

    def getsockname(self) -> Any:
        """Return the address it was bound to."""
        return self._name


class _Answer:
    """Stands for a client's socket while gunicorn answers: head and body leave together, in one packet."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._parts: list[bytes] = []

    def sendall(self, data: bytes) -> None:
        """Keep a part of the answer."""
        self._parts.append(data)

    def flush(self) -> None:
        """Send it."""
        self._client.sendall(b"".join(self._parts))

    def __getattr__(self, name: str) -> Any:
        # "100 Continue" goes out by send(), at once.
        return getattr(self._client, name)


class IngestWorker(GeventWorker):
    """Serves the ingest application."""

    def server_class(  # type: ignore[override] # gunicorn only calls it; as a method it knows the worker
        self, listener: Any, *, spawn: Any, ssl_context: ssl.SSLContext | None = None, **_unused: Any
    ) -> StreamServer:
        """Return the server of one listening socket (called by GeventWorker.run)."""
        # The handshake is ours and not gevent's, which has no limit for it and prints a trace when it fails.
        server = StreamServer(listener, handle=partial(self._enter, _Name(listener), ssl_context), spawn=spawn)
        # One at a time, so that a burst of connections is shared by the workers.
        server.max_accept = 1
        return server

    def notify(self) -> None:
        """Tell the master that we live. Without a master, finish what was accepted, and end (gunicorn drops it)."""
        self.tmp.notify()
        if self.alive and self.ppid != os.getppid():
            logger.warning("the master process is gone; worker %s ends", os.getpid())
            self.alive = False

    @property
    def _receiver(self) -> Receiver:
        return cast("Receiver", cast("Any", self.app).receiver)

    @property
    def _settings(self) -> Ingest:
        return cast("Ingest", cast("Any", self.app).settings.ingest)

    def _enter(self, listener: Any, context: ssl.SSLContext | None, client: Any, address: Any) -> None:
        visit = self._receiver.enter(_remote(address))
        if visit is None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            client.close()
            return
        _here.visit = visit
        try:
            self._serve(listener, context, client, address)
        finally:
            visit.leave()

    def _serve(self, listener: Any, context: ssl.SSLContext | None, client: Any, address: Any) -> None:
        if context is None:
            self.handle(listener, client, address)
            return
        client.settimeout(self._settings.tls.handshake_timeout)
        try:
            wrapped = context.wrap_socket(client, server_side=True)
        except OSError as error:  # ssl.SSLError, time-outs and resets
            metrics.TLS_FAILURES.inc()
            self._receiver.misbehaved(_remote(address))
            peer = canonical_address(_remote(address)) or "unix"
            reason = getattr(error, "reason", None) or str(error) or type(error).__name__
            notices.warn(f"tls {peer} {reason}", f"TLS handshake with {peer} failed: {reason}")
            return
        with closing(wrapped):
            self.handle(listener, wrapped, address)

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serve one connection; every single read or write ends, also with a peer that is gone without a word."""
        client.settimeout(self.cfg.keepalive + 5)
        AsyncWorker.handle(self, listener, client, addr or ("", 0))

    def timeout_ctx(self) -> Any:
        """Return the limit of waiting for a request's head: shorter for strangers."""
        visit: Visit = _here.visit
        seconds = min(self.cfg.keepalive, self._settings.head_timeout) if visit.stranger else self.cfg.keepalive
        # False: the block ends silently, and the connection with it.
        return gevent.Timeout(seconds, cast("Any", False))

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> bool:
        """Serve one request; lets the application end the connection (see body.py)."""
        req.body.force_close = req.force_close
        req.body.welcome = _here.visit.welcome
        answer = _Answer(sock)
        try:
            try:
                super().handle_request(listener_name, req, cast("Any", answer), addr)
            except StopIteration:  # the connection's last answer
                answer.flush()
                raise
            answer.flush()
        except TimeoutError as error:
            logger.debug("a client doesn't read its answer")
            raise StopIteration from error
        return True

    def handle_error(
        self,
        req: Any,  # noqa: ARG002 - gunicorn's signature
        client: Any,
        addr: Any,
        exc: BaseException,
    ) -> None:
        """Answer what isn't HTTP. gunicorn would log the offending header line, which may hold a password."""
        peer = canonical_address(_remote(addr)) or "unix"
        kind = type(exc).__name__
        if type(exc).__module__.startswith("gunicorn.http"):
            status, reason = _STATUS.get(kind, (400, "Bad Request"))
            metrics.REFUSED.labels("not_http").inc()
            self._receiver.misbehaved(_remote(addr))
            notices.warn(f"http {peer}", f"refused {status} {peer}: not a valid HTTP request ({kind})")
        elif isinstance(exc, OSError):
            logger.debug("a connection broke: %s", kind)
            return
        else:
            status, reason = 500, "Internal Server Error"
            logger.error("a request failed in an unforeseen way; please report this", exc_info=exc)
        try:
            util.write_error(client, status, reason, "")
        except OSError:
            logger.debug("the client is gone before its answer")


def _remote(address: Any) -> str:
    """Return the peer's address as the kernel says it; "" for a Unix socket."""
    return str(address[0]) if address else ""
