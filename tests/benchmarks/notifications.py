# SPDX-License-Identifier: GPL-3.0-or-later
"""Notifications by oslo.messaging while source, relay and RabbitMQ are killed: each confirmed one is stored once.

`notifications.py [--count N] [--kills N] [--broker-kills N] [--seed N]`. Exchanges and queues are durable
(amqp_durable_queues). Ends with status 1 and the first broken promise.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.integration.bus.source_harness import Cloud, rabbit_url
from tests.integration.listener_process import RunningListener, issue_certificates, wait_for
from tests.services.oslo_sender import OsloSender
from tests.services.rabbitmq import RabbitMQ

_BATCH = 500


def main() -> int:
    """Run and print the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--broker-kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    print(f"notifications: {options.count}, {options.kills} kills, seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory() as directory, RabbitMQ() as rabbitmq:
        return run(Path(directory), rabbitmq, options)


def run(directory: Path, rabbitmq: RabbitMQ, options: argparse.Namespace) -> int:
    """Send, kill and judge; returns the exit status."""
    chance, cloud = random.Random(options.seed), Cloud(rabbitmq, directory)
    settings = {"openstack": cloud.settings("neutron", "nova", max_length=1_000_000)}
    began = time.monotonic()
    with OsloSender(rabbit_url(rabbitmq), amqp_durable_queues=True) as sender:
        for service in ("neutron", "nova"):
            sender.notify("noise.before", {}, **cloud.order(service))
        with RunningListener(directory, issue_certificates(directory), settings, host="127.0.0.1", arguments=[]) as one:
            one.start()
            wait_for(lambda: cloud.tag in rabbitmq.control("list_bindings", "destination_name"), 60)
            done = threading.Event()
            sending = threading.Thread(target=_send, args=(sender, cloud, options.count, done))
            sending.start()
            _kill(one, rabbitmq, chance, options, done)
            sending.join()
            return _judge(one, cloud, options.count, began)


def _send(sender: OsloSender, cloud: Cloud, count: int, done: threading.Event) -> None:
    try:
        for first in range(0, count, _BATCH):
            service = ("neutron", "nova")[first // _BATCH % 2]
            size = min(_BATCH, count - first)
            sender.notify("port.update.end", {"port": {"id": "p"}}, count=size, first=first, **cloud.order(service))
    finally:
        done.set()


def _kill(
    one: RunningListener, rabbitmq: RabbitMQ, chance: random.Random, options: argparse.Namespace, done: threading.Event
) -> None:
    victims = ["source", "relay"] * (options.kills // 2) + ["broker"] * options.broker_kills
    chance.shuffle(victims)
    for victim in victims:
        if done.wait(chance.uniform(0.5, 3)):
            return
        if victim == "broker":
            rabbitmq.kill()
            rabbitmq.start()
        else:
            one.kill(victim)


def _judge(one: RunningListener, cloud: Cloud, count: int, began: float) -> int:
    """Every number once, whatever was killed."""
    from event_listener.store import open_store

    numbers: list[int] = []
    with open_store(one.state_dir) as store:

        def all_there() -> bool:
            after, numbers[:] = 0, []
            while page := store.log.read_events_after(after, 5000):
                after = page[-1].seq
                numbers.extend(event.record["payload"]["number"] for event in page if event.type == "port.update.end")
            return len(set(numbers)) >= count

        try:
            wait_for(all_there, 300)
        except AssertionError:
            print(f"LOST: {count - len(set(numbers))} of {count}")
            return 1
    if len(numbers) != count:
        print(f"TWICE: {len(numbers) - count}")
        return 1
    print(f"notifications: {count} stored once in {time.monotonic() - began:.0f} s; {cloud.count(cloud.tag)} wait")
    return 0


if __name__ == "__main__":
    sys.exit(main())
