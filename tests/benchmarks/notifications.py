# SPDX-License-Identifier: GPL-3.0-or-later
"""Notifications by oslo.messaging while source, relay, RabbitMQ and database are killed: each is stored once.

`notifications.py [--count N] [--kills N] [--queue-type quorum|classic] [--seed N] [--minutes N]`

The services' exchanges and default queues are durable (`amqp_durable_queues`), and a second consumer reads the default
queue as ceilometer does. A victim is killed, or asked to end, whenever the next of N random numbers of notifications
has been confirmed. The accounting is printed in any case; ends with status 1 where a promise is broken, or after the
minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from event_listener import config_file
from event_listener.inputs.report import reported
from event_listener.store import StoreUnavailableError, open_store
from pika.exceptions import AMQPError

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.integration.bus.source_harness import Cloud, rabbit_url
from tests.integration.crash_traffic import database
from tests.integration.listener_process import RunningListener, issue_certificates, wait_for
from tests.services.oslo_sender import OsloSender
from tests.services.postgresql import PostgreSQL
from tests.services.rabbitmq import RabbitMQ
from tests.services.service import Service

TYPE = "port.update.end"
BATCH = 250
SERVICES = ("neutron", "nova")
VICTIMS = {"source": 4, "relay": 3, "rabbitmq": 2, "database": 2}  # and how likely


class LateError(Exception):
    """Time is up."""


class Sending(threading.Thread):
    """Sends the numbers from 0; `confirmed` and `given_up` are numbers that oslo.messaging says so of."""

    def __init__(self, sender: OsloSender, cloud: Cloud, count: int) -> None:
        super().__init__(daemon=True)  # one that hangs must not keep the program
        self._sender, self._cloud, self._count = sender, cloud, count
        self.confirmed = 0
        self.given_up: set[int] = set()
        self.error = ""

    def run(self) -> None:
        try:
            for first in range(0, self._count, BATCH):
                size = min(BATCH, self._count - first)
                order = self._cloud.order(SERVICES[first // BATCH % 2], count=size, first=first)
                lost = self._sender.send(TYPE, {"port": {"id": "p"}}, **order)
                self.given_up |= lost
                self.confirmed += size - len(lost)
        except Exception as error:  # noqa: BLE001 - whatever it is, the accounting tells it
            self.error = f"{type(error).__name__}: {error}"


class Neighbour(threading.Thread):
    """Another consumer of the services' default queue, with manual acknowledgement: the numbers that it got."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(daemon=True)
        self._cloud, self._over = cloud, threading.Event()
        self.numbers: Counter[int] = Counter()

    def run(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(AMQPError, OSError):
                self._read()
            self._over.wait(0.5)

    def _read(self) -> None:
        channel = self._cloud.channel()
        channel.basic_qos(prefetch_count=200)
        for method, _properties, body in channel.consume(f"{self._cloud.topic}.info", inactivity_timeout=0.5):
            if method is not None:
                message = json.loads(json.loads(body)["oslo.message"])
                channel.basic_ack(method.delivery_tag)
                if message["event_type"] == TYPE:
                    self.numbers[message["payload"]["number"]] += 1
            elif self._over.is_set():
                break
        channel.connection.close()

    def stop(self) -> None:
        self._over.set()
        self.join(30)


class Stored(threading.Thread):
    """How often each number is in the event log, read on while it grows; what is down is waited for."""

    def __init__(self, one: RunningListener) -> None:
        super().__init__(daemon=True)
        self._settings = config_file.load(str(one.config_path))
        self._over = threading.Event()
        self.numbers: Counter[int] = Counter()

    def run(self) -> None:
        after = 0
        while not self._over.wait(0.5):
            with contextlib.suppress(StoreUnavailableError), self._open() as store:
                while page := store.log.read_events_after(after, 5000):
                    after = page[-1].seq
                    self.numbers.update(event.record["payload"]["number"] for event in page if event.type == TYPE)

    def _open(self):
        return open_store(self._settings.state_dir, self._settings.event_log)

    def all(self) -> Counter[int]:
        """Read from the beginning, once everything is at rest."""
        self._over.set()
        self.join(60)
        found: Counter[int] = Counter()
        after = 0
        with self._open() as store:
            while page := store.log.read_events_after(after, 5000):
                after = page[-1].seq
                found.update(event.record["payload"]["number"] for event in page if event.type == TYPE)
        return found


class Run:
    """One run: its processes, its victims and its accounting."""

    def __init__(self, options: argparse.Namespace, directory: Path, rabbitmq: RabbitMQ, server: PostgreSQL) -> None:
        self.options, self.chance = options, random.Random(options.seed)
        self.peers: dict[str, Service] = {"rabbitmq": rabbitmq, "database": server}
        self.cloud = Cloud(rabbitmq, directory)
        openstack = self.cloud.settings(*SERVICES, max_length=1_000_000, queue_type=options.queue_type)
        settings = {"openstack": openstack, **database(server, directory)}
        certificates = issue_certificates(directory)
        self.one = RunningListener(directory, certificates, settings, host="127.0.0.1", arguments=[])
        self.killed: Counter[str] = Counter()
        self.began = self.told = time.monotonic()

    def __call__(self) -> int:
        """Send, kill, wait and judge; returns the exit status."""
        url = rabbit_url(self.peers["rabbitmq"])
        with OsloSender(url, amqp_durable_queues=True) as sender, self.one:
            for service in SERVICES:
                sender.notify("noise.before", {}, **self.cloud.order(service))
            self.one.start()
            self._bound()
            self.sending, self.neighbour = Sending(sender, self.cloud, self.options.count), Neighbour(self.cloud)
            self.stored = Stored(self.one)
            for thread in (self.sending, self.neighbour, self.stored):
                thread.start()
            try:
                self._kill_all()
                self._until(lambda: not self.sending.is_alive())
                self._until(self._at_rest)
            except LateError:
                print(f"LATE: not done in {self.options.minutes:g} min", flush=True)
            return self._judge()

    def _bound(self) -> None:
        rabbitmq = self.peers["rabbitmq"]
        names = ["source_name", "destination_name"]
        wanted = {f"{self.cloud.tag}.{service}\t{self.cloud.tag}" for service in SERVICES}
        wait_for(lambda: wanted <= set(rabbitmq.control("list_bindings", *names).splitlines()), 60)
        # What was declared is only buffered until the next dump, which a kill in these seconds would lose.
        rabbitmq.control("eval", "mnesia:sync_log().")

    def _kill_all(self) -> None:
        once = self.chance.sample(sorted(VICTIMS), len(VICTIMS))
        for moment in sorted(self.chance.choices(range(self.options.count), k=self.options.kills)):
            self._until(lambda moment=moment: self.sending.confirmed >= moment - BATCH or self.sending.error)
            if self.sending.error:
                return
            time.sleep(self.chance.random() * 0.5)
            # Who was killed often is started again after up to 30 s; another one is taken meanwhile.
            there = [name for name in VICTIMS if name in self.peers or self.one.pids(name)]
            victim = once.pop() if once else self.chance.choices(there, [VICTIMS[name] for name in there])[0]
            self._kill(victim, hard=self.chance.random() < 0.7)
            self.killed[victim] += 1

    def _kill(self, victim: str, *, hard: bool) -> None:
        peer = self.peers.get(victim)
        if peer is None:
            self.one.kill(victim, signal.SIGKILL if hard else signal.SIGTERM)
            return
        peer.kill() if hard else peer.stop()
        time.sleep(self.chance.random() * 2)
        peer.start()

    def _at_rest(self) -> bool:
        """Everything that was confirmed is stored and with the neighbour, and nothing waits to come again."""
        wanted, tag = self.sending.confirmed, self.cloud.tag
        there = min(len(self.stored.numbers), len(self.neighbour.numbers))
        return there >= wanted and not self.cloud.count(tag) and not self.cloud.count(f"{tag}.dropped")

    def _until(self, condition) -> None:
        """Wait, and say every five seconds how far it is. Raises LateError."""
        while not condition():
            now = time.monotonic()
            if now - self.told > 5:
                self.told = now
                counts = [self.sending.confirmed, len(self.stored.numbers), len(self.neighbour.numbers)]
                told = "{} confirmed, {} stored, {} at the other consumer's".format(*counts)
                print(f"{now - self.began:5.0f} s: {told}, {self.killed.total()} kills", flush=True)
            if now - self.began > self.options.minutes * 60:
                raise LateError
            time.sleep(0.1)

    def _judge(self) -> int:
        """Print the accounting, and return the exit status."""
        seconds = time.monotonic() - self.began
        self.neighbour.stop()
        sending, stored, neighbour = self.sending, self.stored.all(), self.neighbour.numbers
        sent = set(range(self.options.count)) - sending.given_up
        lost, missed = sorted(sent - set(stored)), sorted(sent - set(neighbour))
        twice = stored.total() - len(stored)
        (report,) = reported(self.one.state_dir)
        waiting = [self.cloud.count(name) for name in (self.cloud.tag, f"{self.cloud.tag}.dropped")]
        kills = ", ".join(f"{name} {number}" for name, number in sorted(self.killed.items()))
        for name, value in {
            "kills": f"{self.killed.total()} ({kills})",
            "sent": self.options.count,
            "confirmed to the sender": f"{sending.confirmed} (oslo.messaging gave up {len(sending.given_up)})",
            "received by the source": f"{report.received}, and what it was killed over",
            "stored": len(stored),
            "stored twice": twice,
            "lost": f"{len(lost)} {lost[:10] or ''}",
            "the other consumer got": f"{len(neighbour)} ({neighbour.total() - len(neighbour)} came again)",
            "missing there": f"{len(missed)} {missed[:10] or ''}",
            "left and dropped": waiting,
            "took": f"{seconds:.0f} s, load {os.getloadavg()[0]:.1f} at the end",
        }.items():
            print(f"{name:<24} {value}", flush=True)
        if sending.error:
            print(f"the sender broke: {sending.error}")
        return 1 if lost or missed or twice or any(waiting) or report.lost or sending.error else 0


def main() -> int:
    """Run and print the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--queue-type", choices=["quorum", "classic"], default="quorum", help="of our own queue")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--minutes", type=float, default=20, help="give up after so many")
    options = parser.parse_args()
    print(f"notifications: {options}", flush=True)
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="notifications-"))
        peers = stack.enter_context(RabbitMQ()), stack.enter_context(PostgreSQL(durable=True))
        return Run(options, Path(directory), *peers)()


if __name__ == "__main__":
    sys.exit(main())
