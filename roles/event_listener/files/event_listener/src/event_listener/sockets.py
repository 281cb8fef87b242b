# SPDX-License-Identifier: GPL-3.0-or-later
"""Listening sockets: opened by whoever may (root, systemd, the supervisor) and inherited by who serves them."""

from __future__ import annotations

import errno
import logging
import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path

logger = logging.getLogger(__name__)

INHERITED = "EVENT_LISTENER_SOCKETS"
_BACKLOG = 4096


class BindError(Exception):
    """An address can't be listened on; the text names it and what to do."""


def split_bind(bind: str) -> tuple[str, int]:
    """Return host and port of `address:port` or `[address]:port`. Raises BindError."""
    host, separator, port = bind.rpartition(":")
    if not separator or not port.isdecimal() or not 0 <= int(port) <= 65535 or (":" in host and host[0] != "["):
        raise BindError(f"{bind} is not an address to listen on; write address:port, [IPv6 address]:port or unix:/path")
    return host.strip("[]"), int(port)


def open_sockets(binds: Sequence[str], patience: float = 0.0) -> list[socket.socket]:
    """Return one listening socket per bind, inheritable. Raises BindError; then none stays open.

    With `patience`, tries again for so many seconds: processes that outlived a killed parent need a moment to end.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            return _open_all(binds)
        except BindError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(0.2)


def _open_all(binds: Sequence[str]) -> list[socket.socket]:
    opened: list[socket.socket] = []
    try:
        for bind in binds:
            made = _open_unix(bind[5:]) if bind.startswith("unix:") else _open_tcp(bind, optional=len(binds) > 1)
            if made is not None:
                opened.append(made)
        if not opened:
            raise BindError(f"none of {', '.join(binds)} exists on this host")  # noqa: TRY301 - closed below
    except BindError:
        for one in opened:
            one.close()
        raise
    return opened


def _open_tcp(bind: str, *, optional: bool) -> socket.socket | None:
    host, port = split_bind(bind)
    try:
        return _listen(host, port)
    except OSError as error:
        no_ipv6 = error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
        if host == "::" and no_ipv6 and optional:
            logger.info("this host has no IPv6; not listening on %s", bind)
            return None
        advice = {
            errno.EADDRINUSE: "another program listens there; stop it or choose another ingest.bind or manage.bind",
            errno.EACCES: "ports below 1024 need root, CAP_NET_BIND_SERVICE or systemd socket activation",
            errno.EADDRNOTAVAIL: "the address isn't one of this host",
        }.get(error.errno or 0, "check the address")
        raise BindError(f"can't listen on {bind}: {error.strerror or error}; {advice}") from error


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # IPv4 has a socket of its own; one for both would clash with it.
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((host, port))
        # Accepted sockets inherit it: answers are small, and must not wait for Nagle.
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.listen(_BACKLOG)
        made.set_inheritable(True)
    except BaseException:
        made.close()
        raise
    return made


def _open_unix(path: str) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if Path(path).is_socket():
            Path(path).unlink()
        made.bind(path)
        os.chmod(path, 0o660)
        made.listen(_BACKLOG)
        made.set_inheritable(True)
    except OSError as error:
        made.close()
        raise BindError(f"can't listen on unix:{path}: {error.strerror}; check its directory and owner") from error
    return made


def activated_by_systemd() -> bool:
    """Whether systemd handed sockets to this process (sd_listen_fds(3)); gunicorn takes them itself."""
    return os.environ.get("LISTEN_PID") == str(os.getpid()) and int(os.environ.get("LISTEN_FDS", "0")) > 0


def inherited() -> list[int]:
    """Return the descriptors that our own supervisor handed down."""
    return [int(number) for number in os.environ.get(INHERITED, "").split(",") if number]


def taken_over() -> list[socket.socket]:
    """Return the listening sockets that systemd or our own supervisor handed to this process; [] when neither did."""
    numbers = range(3, 3 + int(os.environ["LISTEN_FDS"])) if activated_by_systemd() else inherited()
    return [socket.socket(fileno=number) for number in numbers]
