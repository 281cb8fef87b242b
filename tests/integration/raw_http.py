# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP by hand: sends what a test says, however wrong, and reads answers strictly by their framing."""

from __future__ import annotations

import base64
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Answer:
    """One answer; `body` is exactly what Content-Length announced."""

    status: int
    headers: dict[str, str]
    body: bytes


class RawConnection:
    """One connection to a listener; a context manager."""

    def __init__(self, address: tuple[str, int], ca: Path | None, timeout: float = 10, source: str = "") -> None:
        here = (source, 0) if source else None
        self.socket: socket.socket = socket.create_connection(address, timeout=timeout, source_address=here)
        if ca is not None:
            context = ssl.create_default_context(cafile=str(ca))
            self.socket = context.wrap_socket(self.socket, server_hostname=address[0])
        self._buffer = b""

    def __enter__(self) -> RawConnection:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(data)

    def read(self) -> Answer:
        """Return the next answer; fails when its framing is incomplete."""
        while b"\r\n\r\n" not in self._buffer:
            self._receive()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        status = int(first.split(" ")[1])
        assert "transfer-encoding" not in headers
        if status == 204:
            assert "content-length" not in headers
        length = 0 if status == 204 else int(headers["content-length"])
        while len(self._buffer) < length:
            self._receive()
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        return Answer(status, headers, body)

    def _receive(self) -> None:
        data = self.socket.recv(65536)
        assert data, f"the connection ended within an answer: {self._buffer!r}"
        self._buffer += data

    def ended(self) -> bool:
        """Whether the listener closes the connection, with no byte beyond the answers."""
        assert self._buffer == b""
        try:
            return self.socket.recv(1) == b""
        except (ConnectionResetError, ssl.SSLEOFError):
            return True
        except TimeoutError:
            return False


def basic(credentials: tuple[str, str]) -> str:
    """Return an Authorization header line."""
    return f"Authorization: Basic {base64.b64encode(':'.join(credentials).encode()).decode()}\r\n"


def post(body: bytes, *headers: str, path: str = "/", length: int | None = None, version: str = "1.1") -> bytes:
    """Return a POST; `headers` are whole lines, `length` may lie."""
    head = f"POST {path} HTTP/{version}\r\nHost: x\r\n{''.join(headers)}"
    return f"{head}Content-Length: {len(body) if length is None else length}\r\n\r\n".encode() + body
