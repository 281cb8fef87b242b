# SPDX-License-Identifier: GPL-3.0-or-later
"""/metrics of webhooks: outcomes, what waits and for how long, and no more series than the settings allow."""

import time

import pytest
from event_listener.manage import create_app
from event_listener.settings import Manage, Settings
from event_listener.store import open_store
from event_listener.store.deliveries import Delivery, Tried, new_id
from event_listener.webhooks.schedule import DELIVERED, FAILED, PENDING, Attempt, Health, Next
from prometheus_client.parser import text_string_to_metric_families

from tests.unit.listener.stores import arrival, write
from tests.unit.listener.webhook_kit import alter, make

HOUR = 3600 * 10**9


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path) as store:
        yield store


def scraped(directory, **manage):
    """Name and labels of each sample of webhooks, and its value."""
    app = create_app(Settings(state_dir=str(directory), manage=Manage(**manage)))
    text = app.test_client().get("/metrics").text
    return {
        (sample.name.removeprefix("event_listener_"), *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if "_webhook" in sample.name
    }


def waiting(store, webhook, count):
    """Deliveries that were made an hour ago."""
    lease = store.cursors.acquire("webhooks", "test", 60)
    place = store.webhooks.place(webhook.id).position
    fields = {"webhook": webhook.id, "event_owner": "/", "content_type": "", "payload": b"{}"}
    made = [
        Delivery(id=new_id(), message_id="m", event_id="e", event_type="t", created_ns=time.time_ns() - HOUR, **fields)
        for _number in range(count)
    ]
    store.deliveries.expand(lease, {webhook.id: place}, place, made)
    return lease


def test_outcomes_and_queues(store, tmp_path):
    """Of each webhook, and of all of them together."""
    good, bad = make(store, "good"), make(store, "bad", url="https://bad.example/in")
    alter(store, make(store, "off", url="https://off.example/in"), state="Disabled")
    lease = waiting(store, good, 3)
    waiting(store, bad, 2)
    for webhook, health, states in ((good, Health(), [DELIVERED]), (bad, Health(4, 1, 1), [FAILED, PENDING])):
        due = store.deliveries.due(webhook.id, time.time_ns(), len(states))
        tried = [
            Tried(one, Attempt(started_ns=1, duration_ms=1), Next(state, 0))
            for one, state in zip(due, states, strict=True)
        ]
        store.deliveries.note(lease, webhook, tried, health)
    write(store, *(arrival(seq) for seq in range(1, 6)))
    found = scraped(tmp_path)
    assert {name: found[name] for name in found if name[1:] in ((), ("Enabled",), ("Disabled",))} == {
        ("webhooks", "Enabled"): 2,
        ("webhooks", "Disabled"): 1,
        ("webhooks_failing",): 1,
        ("webhooks_waiting",): 3,
    }
    assert found["webhook_deliveries_total", "delivered", good.id] == 1
    assert found["webhook_deliveries_total", "failed", good.id] == 0
    assert found["webhook_deliveries_total", "failed", bad.id] == 1
    assert (found["webhook_waiting", good.id], found["webhook_waiting", bad.id]) == (2, 1)
    assert 3600 <= found["webhook_oldest_waiting_seconds", good.id] < 3900
    assert (found["webhook_failures", good.id], found["webhook_failures", bad.id]) == (0, 4)
    assert found["webhook_lag", good.id] == store.log.head() - store.webhooks.place(good.id).position >= 5


def test_series_are_bounded(store, tmp_path):
    """Those that fail are shown first, then those with most to deliver; the sums hold for all."""
    hooks = [make(store, f"hook{number}", url=f"https://h{number}.example/in") for number in range(4)]
    waiting(store, hooks[3], 2)
    lease = waiting(store, hooks[2], 1)
    store.deliveries.note(lease, hooks[2], [], Health(1, 1, 1))
    found = scraped(tmp_path, metrics_sources=2)
    assert {name[1] for name in found if name[0] == "webhook_waiting"} == {hooks[2].id, hooks[3].id}
    assert (found["webhooks", "Enabled"], found["webhooks_waiting",]) == (4, 3)
    assert not any(name[0].startswith("webhook_") for name in scraped(tmp_path, metrics_sources=0))
