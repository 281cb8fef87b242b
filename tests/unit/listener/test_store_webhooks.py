# SPDX-License-Identifier: GPL-3.0-or-later
"""What every database does for webhooks and their deliveries."""

import pytest
from event_listener.event import Category, Level
from event_listener.policy import Owner, PolicyError, Reach, Scope
from event_listener.store import DeliveryQuery, FencedError, Query, Tried
from event_listener.webhooks import render
from event_listener.webhooks.filters import Filter, Match, Mode
from event_listener.webhooks.model import WebhookConflictError
from event_listener.webhooks.schedule import Attempt, Health, Next

from tests.unit.listener.webhook_kit import ACTOR, alter, make, of_owner

FULL = {
    "description": "ä",
    "domain": "/a/",
    "account": "x",
    "secret": "s" * 20,
    "tls_verify": False,
    "format": "cloudstack",
    "filters": (Filter(value="VM.", mode=Mode.EXCLUDE, match=Match.PREFIX),),
    "categories": (Category.ALERT,),
    "levels": (Level.ERROR,),
}


def expanded(store, webhook, count=1):
    """A lease, and deliveries of events that were added."""
    lease = store.cursors.acquire("webhooks", "test", 60)
    place = store.webhooks.place(webhook.id).position
    store.log.add([of_owner(f"e{number}", webhook.owner) for number in range(count)])
    events = [event for event in store.log.read_events_after(place, 100) if event.type == "Test.Event"]
    made = [render.delivery(webhook, event, 1000 + number) for number, event in enumerate(events)]
    store.deliveries.expand(lease, {webhook.id: place}, store.log.head(), made)
    return lease, store.deliveries.due(webhook.id, 10**19 // 2, 100)


def test_what_is_set_is_found(store):
    one = make(store, **FULL)
    assert store.webhooks.get(one.id) == one
    assert {name: getattr(one, name) for name in FULL} == FULL
    assert store.webhooks.find() == [one]
    assert store.webhooks.find(Scope(Reach.ACCOUNT, "/a/", "x")) == [one]
    assert store.webhooks.find(Scope(Reach.ACCOUNT, "/a/", "y")) == []
    version = store.webhooks.version()
    assert alter(store, one, levels=(Level.ERROR,)) == one
    assert store.webhooks.version() == version
    assert alter(store, one, name="other").name == "other"
    assert store.webhooks.version() > version
    with pytest.raises(WebhookConflictError, match="already in use"):
        make(store, "third", domain="/a/", account="x")
    with pytest.raises(PolicyError, match=r"webhook\.limit"):
        make(store, "third", "https://third.example/", domain="/a/", account="x", limit=1)


def test_a_history(store):
    one = make(store, domain="/a/")
    lease, (first, second) = expanded(store, one, 2)
    bad = Attempt(started_ns=1, duration_ms=2, status=500, response="no", response_headers={"retry-after": "1"})
    good = Attempt(started_ns=3, duration_ms=4, status=200, request_headers={"a": "b"})
    store.deliveries.note(lease, one, [Tried(first, bad, Next("Pending", 10**18))], Health(1, 1, 5))
    assert store.deliveries.next_due(one.id) == second.next_ns
    store.deliveries.note(lease, one, [Tried(second, good, Next("Delivered", 0))], Health())
    delivery, attempts = store.deliveries.get(second.id)
    assert (delivery.state, delivery.attempts, attempts) == ("Delivered", 1, [good])
    assert store.deliveries.get(first.id)[1] == [bad]
    assert store.deliveries.pending() == {one.id: 1}
    assert store.webhooks.place(one.id).delivered == 1
    page, following = store.deliveries.find(DeliveryQuery(limit=1))
    assert [item.id for item in page] == [second.id]
    assert [item.id for item in store.deliveries.find(DeliveryQuery(before=following))[0]] == [first.id]
    for query in (DeliveryQuery(state="Delivered"), DeliveryQuery(keyword="TEST", event_id=second.event_id)):
        assert [item.id for item in store.deliveries.find(query)[0]] == [second.id]
    assert store.deliveries.find(DeliveryQuery(keyword="%"))[0] == []


def test_an_event_becomes_a_delivery_once(store):
    """Who expands from a place that isn't the webhook's any more makes nothing: no delivery twice, none of the past."""
    one = make(store, domain="/a/")
    lease, (delivery,) = expanded(store, one)
    before = store.webhooks.place(one.id).position
    store.deliveries.expand(lease, {one.id: before - 1}, before, [delivery])
    assert len(store.deliveries.find(DeliveryQuery())[0]) == 1


def test_disabling_tells_once_and_waits(store):
    one = make(store, domain="/a/")
    lease, (delivery,) = expanded(store, one)
    tried = [Tried(delivery, Attempt(started_ns=1, duration_ms=1, status=410), Next("Failed", 0))]
    store.deliveries.note(lease, one, tried, Health(1, 1, 1), "gone")
    store.deliveries.note(lease, one, [], Health(1, 1, 1), "gone")
    assert store.webhooks.get(one.id).disabled_because == "gone"
    assert len(store.queries.find(Query(type=("RedfleetEvents.WebhookDisabled",))).events) == 1
    assert alter(store, one, state="Enabled").disabled_because == ""
    assert store.webhooks.place(one.id).health == Health()
    assert store.webhooks.place(one.id).position == store.log.head()


def test_removing(store):
    """A webhook goes with all that is its own; deliveries go by what is asked for, in the asker's scope."""
    one, two = make(store, domain="/a/"), make(store, domain="/b/")
    lease, (delivery,) = expanded(store, one)
    _lease, (other,) = expanded(store, two)
    tried = [Tried(delivery, Attempt(started_ns=1, duration_ms=1, status=200), Next("Delivered", 0))]
    store.deliveries.note(lease, one, tried, Health())
    assert store.deliveries.remove(DeliveryQuery(until_ns=10**18), ACTOR, Scope(Reach.SUBTREE, "/b/")) == 1
    assert store.deliveries.get(other.id) is None
    assert store.webhooks.remove(one.id, ACTOR)
    assert store.deliveries.get(delivery.id) is None
    assert not store.webhooks.remove(one.id, ACTOR)
    told = {event.type for event in store.queries.find(Query(limit=100)).events}
    assert {"WEBHOOK.CREATE", "WEBHOOK.DELETE", "WEBHOOK.DELIVERY.DELETE"} <= told


def test_a_lost_lease_counts_nothing(store):
    one = make(store, domain="/a/")
    lease, (delivery,) = expanded(store, one)
    store.cursors.release(lease)
    store.cursors.acquire("webhooks", "other", 60)
    tried = [Tried(delivery, Attempt(started_ns=1, duration_ms=1, status=200), Next("Delivered", 0))]
    with pytest.raises(FencedError):
        store.deliveries.note(lease, one, tried, Health())
    assert store.deliveries.get(delivery.id) == (delivery, [])
    assert store.webhooks.place(one.id).delivered == 0
    assert one.owner == Owner("/a/")


def test_a_delivery_of_a_later_clock_comes_last(store):
    """What waits too far ahead was put off by a clock that was set back since; others go first."""
    one = make(store)
    lease, (first, second) = expanded(store, one, 2)
    bad = Attempt(started_ns=1, duration_ms=2, status=500)
    store.deliveries.note(lease, one, [Tried(first, bad, Next("Pending", 10**15))], Health())
    assert [item.seq for item in store.deliveries.due(one.id, 10**6, 10)] == [second.seq]
    assert [item.seq for item in store.deliveries.due(one.id, 10**6, 10, 10**15)] == [second.seq]
    store.deliveries.note(lease, one, [Tried(second, bad, Next("Failed", 0))], Health())
    assert store.deliveries.due(one.id, 10**6, 10) == []
    assert [item.seq for item in store.deliveries.due(one.id, 10**6, 10, 10**15)] == [first.seq]
