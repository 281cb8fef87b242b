# SPDX-License-Identifier: GPL-3.0-or-later
"""A TCP proxy that breaks connections in the ways that networks do."""

from __future__ import annotations

import contextlib
import enum
import socket
import struct
import threading
import time
from typing import Self

from tests.services.service import Address, free_address

_TICK = 0.05


class Fault(enum.Enum):
    """What happens to connections, those that exist included."""

    NONE = "everything passes"
    REFUSE = "nobody listens; connections are reset"
    STALL = "connections are accepted, bytes are not taken: the sender's buffers fill"
    HALF_OPEN = "the other end is gone without a word: bytes are taken and vanish"
    SLOW = "a trickle passes"
    CUT = "connections are reset after so many bytes towards the peer, in mid-message; new ones too"


class FaultProxy:
    """Forwards ``address`` to ``target``; ``set()`` changes the weather.

    Counts ``connections`` and the bytes ``forwarded`` towards the peer.
    """

    def __init__(self, target: Address, address: Address | None = None) -> None:
        self.target, self.address = target, address or free_address()
        self.connections = self.forwarded = 0
        self._fault, self._amount, self._open = Fault.NONE, 0, True
        self._changed = threading.Condition()
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._half_closed: set[tuple[socket.socket, socket.socket]] = set()
        self._listener: socket.socket | None = None

    def __enter__(self) -> Self:
        self._listen()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._open = False
        self.set(Fault.REFUSE)

    def set(self, fault: Fault, amount: int = 0) -> None:
        """``amount``: bytes per second for SLOW, bytes until the reset for CUT."""
        with self._changed:
            before, self._fault, self._amount = self._fault, fault, amount
            self._changed.notify_all()
        if fault is Fault.REFUSE:
            self._close_listener()
        elif self._listener is None:
            self._listen()
        if fault is Fault.REFUSE or before is Fault.HALF_OPEN:  # what vanished leaves a hole that no stream survives
            self.reset()

    def reset(self) -> None:
        """Reset every connection that exists, both ways."""
        for pair in list(self._pairs):
            self._reset(pair)

    def _listen(self) -> None:
        self._listener = socket.create_server(self.address, backlog=64)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _close_listener(self) -> None:
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept(), which close() would not
            self._listener.close()
            self._listener = None

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                client, _ = listener.accept()
                self.connections += 1
                try:
                    pair = (client, socket.create_connection(self.target, timeout=5))
                except OSError:
                    client.close()
                    continue
                pair[1].settimeout(None)
                self._pairs.add(pair)
                if self._fault is Fault.REFUSE:  # set() did not see this pair yet
                    self._reset(pair)
                    continue
                for source, sink in (pair, pair[::-1]):
                    threading.Thread(target=self._pump, args=(pair, source, sink), daemon=True).start()

    def _pump(self, pair: tuple[socket.socket, socket.socket], source: socket.socket, sink: socket.socket) -> None:
        try:
            while self._may_read() and (data := source.recv(65536)):
                self._forward(pair, sink, data)
            if (
                self._fault is not Fault.HALF_OPEN and pair in self._pairs
            ):  # one that is reset must not say goodbye first
                sink.shutdown(socket.SHUT_WR)
        except OSError:
            self._reset(pair)
        if pair not in self._half_closed:
            self._half_closed.add(pair)
        else:  # both directions are over
            self._half_closed.discard(pair)
            self._reset(pair)

    def _may_read(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._fault is not Fault.STALL)
        return self._open

    def _forward(self, pair: tuple[socket.socket, socket.socket], sink: socket.socket, data: bytes) -> None:
        self._may_read()  # the weather may have changed while recv() waited
        if self._fault is Fault.HALF_OPEN:
            return
        towards_peer = sink is pair[1]
        while data:
            piece, data = self._piece(data)
            if self._fault is Fault.CUT and towards_peer:
                piece, self._amount = piece[: self._amount], max(self._amount - len(piece), 0)
            self.forwarded += len(piece) if towards_peer else 0  # first: the peer may answer before we go on
            sink.sendall(piece)
            if self._fault is Fault.CUT and towards_peer and self._amount == 0:
                raise ConnectionResetError

    def _piece(self, data: bytes) -> tuple[bytes, bytes]:
        if self._fault is not Fault.SLOW:
            return data, b""
        time.sleep(_TICK)
        size = max(int(self._amount * _TICK), 1)
        return data[:size], data[size:]

    def _reset(self, pair: tuple[socket.socket, socket.socket]) -> None:
        self._pairs.discard(pair)
        for end in pair:
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # RST, not FIN
                end.shutdown(socket.SHUT_RD)  # wakes the other thread's recv(), which close() would not
            end.close()
