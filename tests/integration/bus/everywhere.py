# SPDX-License-Identifier: GPL-3.0-or-later
"""All confirmed sinks at once, each with a real peer behind a fault proxy; and a relay that is killed meanwhile."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.integration.bus.bus_harness import (
    AmqpPeer,
    HttpPeer,
    KafkaPeer,
    Peer,
    RunningRelay,
    SyslogPeer,
    assert_arrived,
)
from tests.services.faults import Fault, FaultProxy
from tests.services.service import wait_until

PATIENCE = 120.0
# `event-listener`, ending when the tests do. Not by preexec_fn: the tests have threads.
_WITH_US = """\
import runpy, sys
from event_listener.process import die_with_parent
die_with_parent(int(sys.argv.pop(1)))
runpy.run_module("event_listener", run_name="__main__", alter_sys=True)
"""


class Everywhere:
    """The peers by the names of their sinks, and the proxies before them."""

    def __init__(self, rabbitmq: Any, kafka: Any, rsyslog: Any) -> None:
        self.http = HttpPeer()
        self.peers: dict[str, Peer] = {
            "amqp": AmqpPeer(rabbitmq),
            "kafka": KafkaPeer(kafka),
            "syslog": SyslogPeer(rsyslog, "tls"),
            "http": self.http,
        }
        self.proxies: dict[str, FaultProxy] = {}

    @contextlib.contextmanager
    def connected(self) -> Iterator[Everywhere]:
        """With the proxies."""
        with contextlib.ExitStack() as stack:
            stack.callback(self.http.close)
            for name, peer in self.peers.items():
                self.proxies[name] = stack.enter_context(FaultProxy(*peer.target()))
            yield self

    def sinks(self) -> dict[str, Any]:
        """The section `sinks`: each kind has one, of its own name."""
        return {
            name: [{**peer.settings(self.proxies[name].address), "name": name, "timeout": 5}]
            for name, peer in self.peers.items()
        }

    def weather(self, fault: Fault, amount: int = 0) -> None:
        """The same for all."""
        for proxy in self.proxies.values():
            proxy.set(fault, amount)

    def check(self, relay: RunningRelay) -> dict[str, int]:
        """Everything arrived everywhere, in order per source, under its id; returns how many came more than once."""
        for name in self.peers:
            relay.wait_for(name, PATIENCE + relay.fed / 100)
        logged = relay.logged()
        repeated = {}
        for name, peer in self.peers.items():
            ids = {item.id for item in logged}
            wait_until(
                lambda peer=peer, ids=ids: {item.id for item in peer.received()} >= ids, f"{name} has all", PATIENCE
            )
            received = peer.received()
            assert_arrived(logged, received)
            repeated[name] = len(received) - len(logged)
        return repeated


class RelayProcess(RunningRelay):
    """The relay as a process of its own, that can be killed and started again."""

    def __init__(self, directory: Path, sinks: dict[str, Any], **settings: Any) -> None:
        directory.mkdir(exist_ok=True)
        super().__init__(directory, sinks, user="root", **settings)
        self._config = directory / "config.json"
        self._config.write_text(json.dumps(self.data))
        self.log = directory / "relay.log"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> RelayProcess:
        self.open()
        self.start()
        return self

    def start(self) -> None:
        """Start it."""
        program = [sys.executable, "-c", _WITH_US, str(os.getpid()), "relay", "--config", str(self._config)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(program, stderr=log)

    def kill(self) -> None:
        """SIGKILL, as the kernel does where memory ends."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def __exit__(self, *_: object) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.store.close()
        self.journal.close()


def kill_again_and_again(relay: RelayProcess, names: list[str], kills: int, rng: random.Random) -> int:
    """Feed, and kill the relay at random moments; returns at how many of them something was still to be sent."""
    relay.feed(200)
    for name in names:
        wait_until(lambda name=name: relay.cursor(name) > 0, f"{name} works", PATIENCE)
    busy = 0
    for _ in range(kills):
        end = time.monotonic() + rng.choice([0.3, 1.0, 3.0]) * (0.5 + rng.random())
        while time.monotonic() < end:
            relay.feed(10)
            time.sleep(0.02)
        busy += any(relay.cursor(name) < relay.fed for name in names)
        relay.kill()
        relay.start()
    return busy


def assert_text_log_once(relay: RunningRelay) -> None:
    """Each payload once, in order, counted without a gap."""
    text = b"".join(path.read_bytes() for path in sorted((relay.directory / "logs").glob("*.txt"))).decode()
    assert [int(count) for count in re.findall(r" Count:(\d+)$", text, re.MULTILINE)] == list(range(1, relay.fed + 1))
    assert [int(number) for number in re.findall(r'"number (\d+)"', text)] == list(range(1, relay.fed + 1))


class Outage(NamedTuple):
    """What an outage of all peers was like: seconds, events, and how it went on."""

    fed: int
    neighbour: float  # the longest that an event took into the JSON lines meanwhile
    catching_up: float  # from the peers' return until the last sink confirmed the last event
    repeated: dict[str, int]
    said: dict[str, int]  # lines about each sink in the relay's log


def outage(everywhere: Everywhere, relay: RelayProcess, seconds: float, rate: int) -> Outage:
    """All peers are away for some time under load, and come back."""
    relay.feed(100)
    for name in everywhere.peers:
        relay.wait_for(name, PATIENCE)
    everywhere.weather(Fault.REFUSE)
    slowest, due, end = 0.0, [], time.monotonic() + seconds
    while (now := time.monotonic()) < end or due:
        if now < end:
            relay.feed(rate // 10)
            due.append((relay.fed, time.monotonic()))
        written = relay.cursor("json_lines")
        while due and due[0][0] <= written:
            slowest = max(slowest, time.monotonic() - due.pop(0)[1])
        assert now < end + PATIENCE, f"the neighbour stands at {written} of {relay.fed}"
        time.sleep(0.1)
    for name in everywhere.peers:
        assert relay.state(name)[0] == "retrying", f"{name}: {relay.state(name)}"
    back = time.monotonic()
    everywhere.weather(Fault.NONE)
    for name in everywhere.peers:
        relay.wait_for(name, PATIENCE + seconds)
    catching_up = time.monotonic() - back
    repeated = everywhere.check(relay)
    lines = relay.log.read_text().splitlines()
    said = {name: sum(f"sink {name} " in line for line in lines) for name in everywhere.peers}
    return Outage(relay.fed, slowest, catching_up, repeated, said)
