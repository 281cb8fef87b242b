# SPDX-License-Identifier: GPL-3.0-or-later
"""`event-listener run`: the three processes under one parent, where no service manager does it.

The parent opens the listening sockets and keeps them: while a killed process is being replaced, connections wait in
the kernel's queue instead of being refused.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from event_listener import inputs
from event_listener.console import Console
from event_listener.process import give_to_service_user
from event_listener.settings import Settings
from event_listener.sockets import INHERITED, open_sockets

logger = logging.getLogger(__name__)

_FIRST_DELAY = 0.25
_LONGEST_DELAY = 30.0
# A process that lived this long was healthy: its next restart is immediate again.
_HEALTHY_SECONDS = 30.0
_STOP_SECONDS = 20.0
# What a killed supervisor leaves behind ends within about this time, and frees its ports.
_ORPHAN_SECONDS = 4.0


@dataclass
class Child:
    """One supervised process."""

    name: str
    environment: dict[str, str]
    descriptors: tuple[int, ...]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    restart_at: float = 0.0
    delay: float = _FIRST_DELAY


@dataclass
class Supervisor:
    """Starts, watches, restarts and stops. `on_ready()` is called once, when all three answer."""

    config: str
    children: list[Child] = field(default_factory=list)
    _stopping: bool = False

    def add(self, name: str, environment: dict[str, str] | None = None, descriptors: tuple[int, ...] = ()) -> None:
        """Supervise `event-listener <name>`."""
        self.children.append(Child(name, environment or {}, descriptors))

    def run(self, on_tick: Callable[[], None]) -> None:
        """Keep the children running until SIGTERM or SIGINT; `on_tick` is called about ten times a second."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, self._reload)
        try:
            while not self._stopping:
                for child in self.children:
                    self._tend(child)
                on_tick()
                time.sleep(0.1)
        finally:
            self._end_all()

    def _stop(self, *_frame: object) -> None:
        self._stopping = True

    def _reload(self, *_frame: object) -> None:
        for child in self.children:
            # The relay and the sources have nothing to reload; new ones are as good.
            ends = child.name == "relay" or child.name.startswith("source ")
            _signal(child, signal.SIGTERM if ends else signal.SIGHUP)

    def _tend(self, child: Child) -> None:
        now = time.monotonic()
        if child.process is None:
            if now >= child.restart_at:
                self._start(child)
            return
        code = child.process.poll()
        if code is None:
            return
        if now - child.started > _HEALTHY_SECONDS:
            child.delay = _FIRST_DELAY
        how = f"signal {-code}" if code < 0 else f"status {code}"
        logger.warning("%s ended with %s; starting it again in %g s", child.name, how, child.delay)
        child.process, child.restart_at = None, now + child.delay
        child.delay = min(child.delay * 2, _LONGEST_DELAY)

    def _start(self, child: Child) -> None:
        command = [sys.executable, "-m", "event_listener", *child.name.split(), "--config", self.config]
        child.process = subprocess.Popen(
            [*command, "--child-of", str(os.getpid())],
            env={**os.environ, **child.environment},
            pass_fds=child.descriptors,
            stdin=subprocess.DEVNULL,
            # A Ctrl-C is for the parent, which ends its children in good order.
            start_new_session=True,
        )
        child.started = time.monotonic()

    def _end_all(self) -> None:
        for child in self.children:
            _signal(child, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        for child in self.children:
            if child.process is None:
                continue
            try:
                child.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                logger.warning("%s doesn't end; killing it", child.name)
                child.process.kill()
                child.process.wait()


def _signal(child: Child, number: signal.Signals) -> None:
    if child.process is not None and child.process.poll() is None:
        child.process.send_signal(number)


def listening(binds: list[str]) -> tuple[dict[str, str], tuple[int, ...], list[socket.socket]]:
    """Open sockets for a child: its environment, its descriptors, and the sockets, to be kept open here.

    Raises BindError.
    """
    opened = open_sockets(binds, _ORPHAN_SECONDS)
    numbers = tuple(one.fileno() for one in opened)
    return {INHERITED: ",".join(map(str, numbers))}, numbers, opened


def build(settings: Settings, config: str, console: Console | None) -> tuple[Supervisor, list[socket.socket]]:
    """Return a supervisor of ingest, manage, relay and, where they are enabled, nginx and sources; and the sockets.

    Raises BindError.
    """
    supervisor = Supervisor(config)
    environment, descriptors, kept = listening(settings.ingest.bind)
    if console is not None:
        environment.update(console.environment())
        descriptors += console.descriptors()
    supervisor.add("ingest", environment, descriptors)
    if settings.nginx.enabled:
        give_to_service_user(settings, settings.ingest.bind[0])
        environment, descriptors, more = listening(settings.nginx.bind)
        supervisor.add("nginx", environment, descriptors)
        kept += more
    environment, descriptors, more = listening([settings.manage.bind])
    supervisor.add("manage", environment, descriptors)
    supervisor.add("relay")
    for kind in inputs.configured(settings):
        supervisor.add(f"source {kind}")
    return supervisor, kept + more
