# SPDX-License-Identifier: GPL-3.0-or-later
"""What all real peers share: a directory of their own, free loopback ports, start, stop, crash, start again.

A peer is a context manager::

    with RabbitMQ() as broker:
        connect(broker.address)
        broker.kill()       # SIGKILL, as in a crash
        broker.start()      # same ports, same data

It runs below ``guard.py``, so that nothing outlives the tests.
"""

from __future__ import annotations

import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, NamedTuple, Self

LOOPBACK = "127.0.0.1"
# Below the kernel's ephemeral range, so that no outgoing connection takes a port while its owner restarts.
_PORTS = range(18000, 32000)
_taken: set[int] = set()


class Address(NamedTuple):
    """Where something listens; prints as ``host:port``."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class ServiceError(Exception):
    """A peer that did not start, or is not installed. Says what to do."""


def free_address() -> Address:
    """A loopback address on which nobody listens, handed out once per test process."""
    for _ in range(1000):
        port = random.choice(_PORTS)
        if port in _taken:
            continue
        try:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                with socket.socket(type=kind) as probe:
                    probe.bind((LOOPBACK, port))
        except OSError:
            continue
        _taken.add(port)
        return Address(LOOPBACK, port)
    raise ServiceError(f"no free port on {LOOPBACK} between {_PORTS.start} and {_PORTS.stop}")


def listens(address: Address) -> bool:
    """Whether a TCP connection to it is accepted."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(address) == 0


def wait_until(
    condition: Callable[[], object], what: str | Callable[[], str], timeout: float = 30.0, every: float = 0.05
) -> None:
    """Raises ServiceError when the condition is not true in time; ``what`` may be found out then."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise ServiceError(f"after {timeout:.0f} s: {what if isinstance(what, str) else what()}")
        time.sleep(every)


def program(name: str, package: str, *folders: str) -> str:
    """The path of a program on PATH or in one of the folders (globs, newest last)."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    for pattern in folders:
        found = found or next(
            iter(sorted(map(str, Path("/").glob(pattern.lstrip("/") + "/" + name)), reverse=True)), None
        )
    if found is None:
        raise ServiceError(f"{name} is not installed: tests/tools/install-debian-packages installs {package}")
    return found


class Service:
    """Base of the peers. A subclass says how its directory is prepared, what is run and when it is ready."""

    name: ClassVar[str]
    user: ClassVar[str | None] = None  # whom it runs as when the tests are root: some refuse to be root
    start_timeout: ClassVar[float] = 180.0
    grace: ClassVar[float] = 20.0

    def __init__(self) -> None:
        self.start_seconds = 0.0
        self.directory = Path()
        self._guard: subprocess.Popen[bytes] | None = None
        self._printed_before = 0

    # What a subclass says.

    def prepare(self) -> None:
        """Write configuration into ``directory``. Once, before the first start."""

    def command(self) -> list[str]:
        """The program in the foreground, with arguments."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """What is added to the environment."""
        return {}

    def ready(self) -> bool:
        """Whether it serves."""
        raise NotImplementedError

    # What a test uses.

    def __enter__(self) -> Self:
        self.directory = Path(tempfile.mkdtemp(prefix=f"redfleet-{self.name}-"))
        try:
            self.directory.chmod(0o755)
            self.prepare()
            self._give_away()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        self.kill() if self.pid is None else self.stop()
        shutil.rmtree(self.directory)

    def start(self) -> None:
        """Start it and wait until it serves. Raises ServiceError with the end of its output."""
        started = time.monotonic()
        guard = [sys.executable, str(Path(__file__).with_name("guard.py"))]
        guard += ["--grace", str(self.grace), "--remove", str(self.directory)]
        if self._switches_user():
            guard += ["--user", str(self.user)]
        self._printed_before = self._output.stat().st_size if self._output.exists() else 0
        with self._output.open("ab") as output:
            self._guard = subprocess.Popen(
                [*guard, "--", *self.command()],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env={**os.environ, **self.environment()},
                cwd=self.directory,
                start_new_session=True,
            )
        try:
            wait_until(lambda: self.pid is None or self.ready(), "not ready", self.start_timeout)
        except ServiceError:
            self.kill()
        if self.pid is None:
            raise ServiceError(f"{self.name} did not start. The end of its output:\n{self.printed()[-3000:]}")
        self.start_seconds = time.monotonic() - started

    def stop(self) -> None:
        """Stop it as an administrator would."""
        self._end(b"stop\n")

    def kill(self) -> None:
        """End it at once, as a crash does."""
        self._end(b"kill\n")

    def restart(self) -> None:
        """Stop and start on the same ports with the same data."""
        self.stop()
        self.start()

    def freeze(self) -> None:
        """Stop its processes without ending them (SIGSTOP): connections stay, nobody answers."""
        self._signal_program(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen one go on."""
        self._signal_program(signal.SIGCONT)

    @property
    def pid(self) -> int | None:
        """The guard's process id while it runs."""
        return self._guard.pid if self._guard and self._guard.poll() is None else None

    def printed(self) -> str:
        """What it wrote to its standard output and error since it was last started."""
        with self._output.open("rb") as output:
            output.seek(self._printed_before)
            return output.read().decode(errors="replace")

    @property
    def _output(self) -> Path:
        return self.directory / "output.txt"

    def _end(self, order: bytes) -> None:
        if self._guard is None:
            return
        if self._guard.stdin and not self._guard.stdin.closed:
            if self._guard.poll() is None:
                self._guard.stdin.write(order)
            self._guard.stdin.close()
        self._guard.wait(self.grace + 10)

    def _signal_program(self, number: int) -> None:
        if self._guard is None:
            raise ServiceError(f"{self.name} does not run")
        children = Path(f"/proc/{self._guard.pid}/task/{self._guard.pid}/children").read_text().split()
        for pid in children:
            os.killpg(int(pid), number)

    def _switches_user(self) -> bool:
        return self.user is not None and os.geteuid() == 0

    def _give_away(self) -> None:
        if not self._switches_user():
            return
        owner = pwd.getpwnam(str(self.user))
        for path in (self.directory, *self.directory.rglob("*")):
            os.chown(path, owner.pw_uid, owner.pw_gid)
