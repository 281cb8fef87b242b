# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics of webhooks: what was delivered, what waits, and whose endpoint fails."""

from __future__ import annotations

import time
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, Metric

from event_listener.manage.metric_families import PREFIX, gauge
from event_listener.store import Store
from event_listener.store.deliveries import Queue
from event_listener.store.webhooks import Place
from event_listener.webhooks.model import Webhook

_NONE = Queue(0, 0)


def webhooks(store: Store, limit: int) -> Iterator[Metric]:
    """Of all together, and by id of those that fail or have most to deliver: ``limit`` at most."""
    found, places, queues = store.webhooks.find(), store.webhooks.places(), store.deliveries.queues()
    there = [one for one in found if one.id in places]  # not removed meanwhile
    states = {state: float(sum(one.state == state for one in there)) for state in ("Enabled", "Disabled")}
    yield gauge("webhooks", "Webhooks, by state.", states, "state")
    failing = sum(one.state == "Enabled" and places[one.id].health.failures > 0 for one in there)
    yield gauge("webhooks_failing", "Enabled webhooks whose last attempt failed.", {"": failing})
    waiting = sum(queue.waiting for queue in queues.values())
    yield gauge("webhooks_waiting", "Deliveries of all webhooks that wait.", {"": waiting})

    def urgency(one: Webhook) -> tuple[int, int, str]:
        return -places[one.id].health.failures, -queues.get(one.id, _NONE).waiting, one.id

    yield from _each(sorted(there, key=urgency)[:limit], places, queues, store.log.head())


def _each(some: list[Webhook], places: dict[str, Place], queues: dict[str, Queue], head: int) -> Iterator[Metric]:
    text = "Deliveries that ended, by webhook and outcome (delivered, failed)."
    ended = CounterMetricFamily(PREFIX + "webhook_deliveries_total", text, labels=["webhook", "outcome"])
    for one in some:
        ended.add_metric([one.id, "delivered"], places[one.id].delivered)
        ended.add_metric([one.id, "failed"], places[one.id].failed)
    yield ended
    queue = {one.id: queues.get(one.id, _NONE) for one in some}
    waiting = {name: float(found.waiting) for name, found in queue.items()}
    yield gauge("webhook_waiting", "Deliveries of a webhook that wait.", waiting, "webhook")
    now = time.time_ns()
    oldest = {name: max(0.0, (now - found.oldest_ns) / 1e9) if found.waiting else 0.0 for name, found in queue.items()}
    text = "How long the oldest of these has waited; 0 where none waits."
    yield gauge("webhook_oldest_waiting_seconds", text, oldest, "webhook")
    behind = {one.id: float(max(0, head - places[one.id].position)) for one in some if one.state == "Enabled"}
    text = "Events that an enabled webhook hasn't looked at yet, since its queue is full or no relay runs."
    yield gauge("webhook_lag", text, behind, "webhook")
    failures = {one.id: float(places[one.id].health.failures) for one in some}
    yield gauge("webhook_failures", "Attempts that failed since the last success.", failures, "webhook")
