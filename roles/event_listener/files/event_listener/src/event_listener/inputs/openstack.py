# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenStack's notifications, from RabbitMQ. Our queue gets copies: those of ceilometer and others get theirs."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from event_listener.inputs.amqp import AmqpBus, Binding, problems
from event_listener.inputs.base import Bus, Opened
from event_listener.normalise.openstack import clean
from event_listener.settings_inputs import Enrich, OpenStack

if TYPE_CHECKING:
    from event_listener.store import Store


def opened(settings: OpenStack) -> Opened:
    """The input. Its hosts are tried in turn."""
    hosts = itertools.cycle(settings.hosts)
    # oslo.messaging's routing key is the topic with the priority: notifications.info.
    keys = tuple(f"{topic}.*" for topic in settings.topics)
    bindings = [Binding(exchange, keys) for exchange in settings.exchanges]

    known: set[str] = set()

    def connect() -> Bus:
        return AmqpBus(settings, next(hosts), bindings, lambda method: {"routing-key": method.routing_key}, known)

    account = settings.security_groups
    follow = _follower(settings.name, account) if account is not None else None
    return Opened(settings.name, connect, clean, follow, lambda: problems(settings.tls))


def _follower(name: str, account: Enrich) -> Callable[[Store, threading.Event], threading.Thread]:
    import openstack as _installed  # noqa: PLC0415, F401 - the extra; what is missing is said at the start

    from event_listener.cloud.changes import TYPES  # noqa: PLC0415 - SQL, for those who enrich
    from event_listener.cloud.follower import Follower  # noqa: PLC0415 - same
    from event_listener.cloud.neutron import Neutron  # noqa: PLC0415 - same

    def follow(store: Store, stop: threading.Event) -> threading.Thread:
        return Follower(store.cloud(name, TYPES), Neutron(account), stop)

    return follow
