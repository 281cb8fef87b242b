# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenStack's notifications, from RabbitMQ. Our queue gets copies: those of ceilometer and others get theirs."""

from __future__ import annotations

import itertools

from event_listener.inputs.amqp import AmqpBus, Binding, problems
from event_listener.inputs.base import Bus, Opened
from event_listener.normalise.openstack import clean
from event_listener.settings_inputs import OpenStack


def opened(settings: OpenStack) -> Opened:
    """The input. Its hosts are tried in turn."""
    hosts = itertools.cycle(settings.hosts)
    # oslo.messaging's routing key is the topic with the priority: notifications.info.
    keys = tuple(f"{topic}.*" for topic in settings.topics)
    bindings = [Binding(exchange, keys) for exchange in settings.exchanges]

    def connect() -> Bus:
        return AmqpBus(settings, next(hosts), bindings, lambda method: {"routing-key": method.routing_key})

    return Opened(settings.name, connect, clean, lambda: problems(settings.tls))
