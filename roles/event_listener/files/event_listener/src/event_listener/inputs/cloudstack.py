# SPDX-License-Identifier: GPL-3.0-or-later
"""CloudStack's event bus on RabbitMQ. CloudStack makes the exchange and no queue; ours is bound to it."""

from __future__ import annotations

import itertools

from event_listener.inputs.amqp import AmqpBus, Binding, problems
from event_listener.inputs.base import Bus, Opened
from event_listener.normalise.cloudstack_secrets import clean
from event_listener.settings_inputs import CloudStack


def opened(settings: CloudStack) -> Opened:
    """The input. Its hosts are tried in turn."""
    hosts = itertools.cycle(settings.hosts)
    bindings = [Binding(settings.exchange, tuple(settings.keys))]
    known: set[str] = set()

    def connect() -> Bus:
        # The category stands in the routing key alone.
        return AmqpBus(settings, next(hosts), bindings, lambda method: {"routing-key": method.routing_key}, known)

    return Opened(settings.name, connect, clean, problems=lambda: problems(settings.tls))
