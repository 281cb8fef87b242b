# SPDX-License-Identifier: GPL-3.0-or-later
"""Sockets: one listening socket per BMC, TLS by the BMC's own certificate, HTTP by aiohttp's server protocol."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import ssl
import struct
import time
from dataclasses import dataclass
from email.utils import formatdate

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMethod

from .answer import Answer, problem
from .bmc import Bmc
from .call import Call
from .dispatch import dispatch
from .faults import Cut

LOG = logging.getLogger(__name__)
BACKLOG = 128
KEEPALIVE = 600.0
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Connection:
    """A TLS connection to a BMC; numbers count from 1 over the whole fleet."""

    bmc: Bmc
    number: int


class Protocol(web.RequestHandler):
    """HTTP/1.1 of a BMC: aiohttp's, but for methods that nobody knows (DSP0266 7.1 wants 501, the parser says 400)."""

    __slots__ = ()

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Answer what couldn't be parsed."""
        if not isinstance(exc, BadHttpMethod):
            return super().handle_error(request, status, exc, message)
        response = _response(problem(501, "OperationNotAllowed").answer())
        response.force_close()
        return response


class RedfishServer(web.Server):
    """The HTTP side of all BMCs: knows to which BMC each connection was made."""

    def __init__(self) -> None:
        super().__init__(self._handle)
        self._by_protocol: dict[web.RequestHandler, Connection] = {}
        self._sockets: list[socket.socket] = []
        self._handshakes: set[asyncio.Task[None]] = set()
        self._numbers = 0

    def listen(self, bmc: Bmc, listening: socket.socket) -> None:
        """Accept connections to this BMC from now on."""
        asyncio.get_running_loop().add_reader(listening.fileno(), self._accept, bmc, listening)
        self._sockets.append(listening)

    async def close(self) -> None:
        """Stop listening and close what is open."""
        for listening in self._sockets:
            asyncio.get_running_loop().remove_reader(listening.fileno())
            listening.close()
        for task in self._handshakes:
            task.cancel()
        await self.shutdown(0.1)

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        """Forget whose connection it was."""
        super().connection_lost(handler, exc)
        self._by_protocol.pop(handler, None)

    def _accept(self, bmc: Bmc, listening: socket.socket) -> None:
        for _ in range(BACKLOG):
            try:
                connection, _peer = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # out of file descriptors: the client times out, the fleet lives on
                LOG.warning("%s can't accept a connection: %s", bmc.identity.name, error)
                return
            if bmc.faults.find("unreachable"):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
                connection.close()
                continue
            connection.setblocking(False)
            task = asyncio.get_running_loop().create_task(self._shake_hands(bmc, connection))
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)

    async def _shake_hands(self, bmc: Bmc, connection: socket.socket) -> None:
        self._numbers += 1
        handler = Protocol(self, loop=asyncio.get_running_loop(), keepalive_timeout=KEEPALIVE)
        self._by_protocol[handler] = Connection(bmc, self._numbers)
        bmc.counters.connections += 1
        accept = asyncio.get_running_loop().connect_accepted_socket
        try:
            await accept(lambda: handler, connection, ssl=bmc.tls.context, ssl_handshake_timeout=30)
        except (OSError, ssl.SSLError) as error:
            self._by_protocol.pop(handler, None)
            connection.close()
            LOG.debug("%s: no TLS: %s", bmc.identity.name, error)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = self._by_protocol[request.protocol]
        bmc = connection.bmc
        bmc.counters.requests += 1
        path = request.path
        call = Call(
            bmc=bmc,
            method=request.method,
            path=path.rstrip("/") if len(path) > 1 else path,
            query=request.query,
            headers=request.headers,
            raw=await request.read() if request.can_read_body else b"",
        )
        try:
            answer = await dispatch(call)
        except Cut:
            self._note(call, request, 0, connection.number)
            _reset(request)
            return web.Response(status=500)  # never arrives: its connection is gone
        except asyncio.CancelledError:
            self._note(call, request, 0, connection.number)
            raise
        self._note(call, request, answer.status, connection.number)
        if offset := bmc.faults.clock_offset() if bmc.faults else 0.0:
            answer.headers["Date"] = formatdate(time.time() + offset, usegmt=True)
        return _response(answer)

    def _note(self, call: Call, request: web.BaseRequest, status: int, number: int) -> None:
        name, path = call.bmc.identity.name, request.path_qs
        call.bmc.world.requests.add(name, call.method, path, status, call.authentication, number)


def _reset(request: web.BaseRequest) -> None:
    transport = request.transport
    if transport is None:
        return
    raw = transport.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    transport.abort()


def _response(answer: Answer) -> web.Response:
    body = json.dumps(answer.body).encode() if isinstance(answer.body, dict) else answer.body
    headers = {"OData-Version": "4.0", "Cache-Control": "no-cache", **answer.headers}
    if body is not None:
        headers["Content-Type"] = answer.content_type
    return web.Response(status=answer.status, body=body, headers=headers)


def bind(addresses: list[str], port: int) -> tuple[int, list[socket.socket]]:
    """Listening sockets on all addresses at one port; 0 finds one that is free on all. Raises OSError."""
    for _ in range(50):
        sockets: list[socket.socket] = []
        try:
            chosen = port
            for address in addresses:
                sockets.append(_listening(address, chosen))
                chosen = chosen or int(sockets[0].getsockname()[1])
        except OSError as error:
            for each in sockets:
                each.close()
            if port:
                raise OSError(
                    error.errno,
                    f"Can't listen on {addresses[len(sockets)]}:{port}: {error.strerror}. "
                    "Give another --port or --network, or stop what uses it; for thousands of BMCs raise `ulimit -n`.",
                ) from None
        else:
            return chosen, sockets
    raise OSError(f"Found no port that is free on all {len(addresses)} addresses; raise `ulimit -n` or give --port.")


def _listening(address: str, port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setblocking(False)
        listening.bind((address, port))
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening
