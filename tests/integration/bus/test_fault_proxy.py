# SPDX-License-Identifier: GPL-3.0-or-later
"""Each fault of the proxy is what it says."""

from __future__ import annotations

import socket
import socketserver
import threading
import time

import pytest

from tests.services.faults import Fault, FaultProxy
from tests.services.service import Address, wait_until


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        try:
            while data := self.request.recv(65536):
                self.server.received += data
                self.request.sendall(data)
        except ConnectionError:
            self.server.resets += 1


@pytest.fixture
def echo():
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads, server.received, server.resets = True, b"", 0
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def proxy(echo):
    with FaultProxy(Address(*echo.server_address)) as proxy:
        yield proxy


@pytest.fixture
def client(proxy):
    with socket.create_connection(proxy.address, timeout=5) as connection:
        yield connection


def test_passes(client, proxy):
    client.sendall(b"hello")
    assert client.recv(10) == b"hello"
    assert (proxy.connections, proxy.forwarded) == (1, 5)


def test_refuse_resets_what_exists_and_comes_back(client, proxy):
    proxy.set(Fault.REFUSE)
    with pytest.raises(ConnectionResetError):
        client.recv(10)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(proxy.address, timeout=5)
    proxy.set(Fault.NONE)
    with socket.create_connection(proxy.address, timeout=5) as again:
        again.sendall(b"back")
        assert again.recv(10) == b"back"


def test_stall_takes_nothing_and_loses_nothing(client, proxy, echo):
    client.sendall(b"before ")
    assert client.recv(10) == b"before "
    proxy.set(Fault.STALL)
    client.sendall(b"during")
    client.settimeout(0.3)
    with pytest.raises(TimeoutError):
        client.recv(10)
    assert echo.received == b"before "
    proxy.set(Fault.NONE)
    client.settimeout(5)
    assert client.recv(10) == b"during"


def test_stall_fills_the_senders_buffers(client, proxy):
    proxy.set(Fault.STALL)
    client.settimeout(0.5)
    with pytest.raises(TimeoutError):
        client.sendall(bytes(64 << 20))


def test_half_open_swallows(client, proxy, echo):
    proxy.set(Fault.HALF_OPEN)
    client.sendall(bytes(8 << 20))  # far more than buffers hold
    assert echo.received == b""
    proxy.set(Fault.NONE)
    with pytest.raises(ConnectionResetError):
        client.recv(10)


def read_to_the_end(connection):
    while connection.recv(10):
        pass


def test_cut_resets_in_mid_message(client, proxy, echo):
    proxy.set(Fault.CUT, 3)
    client.sendall(b"hello")
    with pytest.raises(ConnectionResetError):
        read_to_the_end(client)
    wait_until(lambda: echo.received == b"hel", "the first three bytes arrived")


def test_slow_keeps_to_the_rate(client, proxy):
    proxy.set(Fault.SLOW, 1000)
    started = time.monotonic()
    client.sendall(bytes(300))
    received = b""
    while len(received) < 300:
        received += client.recv(300)
    assert 0.3 < time.monotonic() - started < 3  # both ways
