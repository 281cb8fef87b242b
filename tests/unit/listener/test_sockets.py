# SPDX-License-Identifier: GPL-3.0-or-later
"""Listening sockets: IPv4 and IPv6 side by side, and a sentence when an address can't be had."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from event_listener import sockets
from event_listener.sockets import BindError, open_sockets, split_bind


@pytest.mark.parametrize(
    ("bind", "parts"),
    [("0.0.0.0:443", ("0.0.0.0", 443)), ("[::1]:8443", ("::1", 8443)), ("localhost:1", ("localhost", 1))],
)
def test_binds_are_split(bind: str, parts: tuple):
    """IPv6 in brackets."""
    assert split_bind(bind) == parts


@pytest.mark.parametrize("bind", ["443", "::1:443", "host:", "host:99999", "host:-1", "host:http"])
def test_what_is_no_bind_says_how_to_write_one(bind: str):
    """An IPv6 address without brackets is ambiguous."""
    with pytest.raises(BindError, match=r"write address:port, \[IPv6 address\]:port or unix:/path"):
        split_bind(bind)


def test_both_families_share_a_port(tmp_path: Path):
    """The IPv6 socket doesn't take IPv4 connections away."""
    opened = open_sockets(["0.0.0.0:0"])
    port = opened[0].getsockname()[1]
    opened += open_sockets([f"[::]:{port}", f"unix:{tmp_path}/s"])
    try:
        assert [one.family for one in opened] == [socket.AF_INET, socket.AF_INET6, socket.AF_UNIX]
        assert all(one.get_inheritable() for one in opened)
        assert (tmp_path / "s").stat().st_mode & 0o777 == 0o660
    finally:
        for one in opened:
            one.close()


def test_a_taken_port_is_one_sentence():
    """And what was opened before it is closed again."""
    [taken] = open_sockets(["127.0.0.1:0"])
    port = taken.getsockname()[1]
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(BindError, match=f"can't listen on 127.0.0.1:{port}: .*another program listens there"):
        open_sockets(["127.0.0.1:0", f"127.0.0.1:{port}"])
    assert len(os.listdir("/proc/self/fd")) == before
    taken.close()


def test_a_foreign_address_is_one_sentence():
    """TEST-NET-1 belongs to nobody."""
    with pytest.raises(BindError, match="the address isn't one of this host"):
        open_sockets(["192.0.2.1:0"])


def test_a_stale_unix_socket_is_replaced(tmp_path: Path):
    """A file that isn't a socket is left alone."""
    for _ in range(2):
        for one in open_sockets([f"unix:{tmp_path}/s"]):
            one.close()
    (tmp_path / "file").write_text("keep")
    with pytest.raises(BindError, match="can't listen on unix:"):
        open_sockets([f"unix:{tmp_path}/file"])
    assert (tmp_path / "file").read_text() == "keep"


def test_inherited_descriptors(monkeypatch: pytest.MonkeyPatch):
    """What the supervisor says in the environment."""
    assert sockets.inherited() == []
    monkeypatch.setenv(sockets.INHERITED, "5,7")
    assert sockets.inherited() == [5, 7]
    monkeypatch.setenv("LISTEN_PID", "1")
    monkeypatch.setenv("LISTEN_FDS", "1")
    assert not sockets.activated_by_systemd()
