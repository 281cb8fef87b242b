# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs an nginx in front of ingest: gives it the sockets, tells it of renewed certificates, redacts what it logs.

It has a directory of its own below `state_dir` and no root: the listening sockets were opened by whoever may (systemd,
our supervisor, or root before it became the service user) and are inherited, by nginx's own variable $NGINX.
"""

from __future__ import annotations

import functools
import logging
import os
import re
import resource
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from event_listener import nginx_config
from event_listener.path_secret import PREFIX
from event_listener.process import die_with_parent
from event_listener.settings import Settings
from event_listener.tls import RENEWAL_SECONDS, TlsError, server_context, stamp

logger = logging.getLogger(__name__)

_STOP_SECONDS = 10.0
_SECRET = re.compile(rf"{PREFIX}[^\s/?\"]+".encode())
_LINE = 65536


class NginxError(Exception):
    """nginx can't be run; the text says why and what to do."""


class Nginx:
    """One nginx, from `start` until it ends. `sockets` are listening ones; they stay open here."""

    def __init__(self, settings: Settings, sockets: Sequence[socket.socket]) -> None:
        self._settings = settings
        self._sockets = sockets
        self._directory = Path(settings.state_dir) / "run" / "nginx"
        self._process: subprocess.Popen[bytes] | None = None
        self._wanted = True
        self._reload = False
        self._log = b""

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT, or until nginx ends by itself; returns the exit status. Raises NginxError."""
        program = self._prepare()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, self._hang_up)
        read, write = os.pipe()
        try:
            self._process = self._start(program, write)
        finally:
            os.close(write)
        try:
            self._watch(self._process, read)
        finally:
            self._end(self._process, read)
        return 0 if not self._wanted else self._process.returncode or 1

    def _prepare(self) -> str:
        program = shutil.which(self._settings.nginx.program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        if program is None:
            raise NginxError(
                f"{self._settings.nginx.program} is not installed (nginx.program); install the package nginx"
            )
        try:
            # Its own words about a wrong pair of files are harder to understand.
            server_context(self._settings.ingest.tls)
            self._directory.mkdir(mode=0o750, parents=True, exist_ok=True)
        except (TlsError, OSError) as error:
            raise NginxError(str(error)) from error
        _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        # One to the BMC and one to ingest.
        connections = min(2 * self._settings.ingest.max_connections, hard)
        listen = [_bind(one) for one in self._sockets]
        text = nginx_config.render(self._settings, listen, str(self._directory), connections, root=os.geteuid() == 0)
        (self._directory / "nginx.conf").write_text(text)
        return program

    def _start(self, program: str, log: int) -> subprocess.Popen[bytes]:
        numbers = [one.fileno() for one in self._sockets]
        return subprocess.Popen(
            [program, "-p", str(self._directory), "-c", str(self._directory / "nginx.conf")],
            env={**os.environ, "NGINX": "".join(f"{number};" for number in numbers)},
            pass_fds=numbers,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # A group of its own, so that none of its workers is left when it is killed.
            start_new_session=True,
            preexec_fn=functools.partial(die_with_parent, os.getpid()),  # noqa: PLW1509 - there are no threads here
        )

    def _watch(self, process: subprocess.Popen[bytes], read: int) -> None:
        tls = self._settings.ingest.tls
        seen, looked = stamp(tls), time.monotonic()
        while self._wanted and process.poll() is None:
            self._pass_on(read, 0.5)
            now = time.monotonic()
            if now - looked >= RENEWAL_SECONDS:
                found, looked = stamp(tls), now
                if found not in (seen, ()):
                    seen, self._reload = found, True
            if self._reload:
                self._reload = False
                self._renew(process)

    def _renew(self, process: subprocess.Popen[bytes]) -> None:
        try:
            server_context(self._settings.ingest.tls)
        except TlsError as error:
            logger.error("the renewed certificate is not used, the old one stays: %s", error)  # noqa: TRY400 - no trace
            return
        process.send_signal(signal.SIGHUP)
        logger.info("nginx takes the renewed certificate %s", self._settings.ingest.tls.certificate)

    def _end(self, process: subprocess.Popen[bytes], read: int) -> None:
        deadline = time.monotonic() + _STOP_SECONDS
        if process.poll() is None:
            process.send_signal(signal.SIGQUIT)  # requests are finished first
        while process.poll() is None and time.monotonic() < deadline:
            self._pass_on(read, 0.1)
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            logger.debug("nothing is left of nginx")
        process.wait()
        self._pass_on(read, 0)
        os.close(read)

    def _pass_on(self, read: int, seconds: float) -> None:
        """Print what nginx logged, without secrets."""
        if not select.select([read], [], [], seconds)[0]:
            return
        whole, _newline, self._log = (self._log + os.read(read, _LINE)).rpartition(b"\n")
        if len(self._log) > _LINE:
            self._log = b""  # no line of nginx's is so long (2,048 bytes)
        if whole:
            sys.stderr.buffer.write(redact(whole) + b"\n")
            sys.stderr.buffer.flush()

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._wanted = False

    def _hang_up(self, _number: int, _frame: FrameType | None) -> None:
        self._reload = True


def redact(text: bytes) -> bytes:
    """Return a log line of nginx without the secret paths in its URLs."""
    return _SECRET.sub(PREFIX.encode() + b"***", text)


def _bind(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"[{host}]:{port}" if listening.family == socket.AF_INET6 else f"{host}:{port}"
