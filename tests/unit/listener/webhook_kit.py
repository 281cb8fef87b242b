# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of webhooks share: events of an owner, and webhooks."""

from event_listener.event import Record
from event_listener.policy import Owner, Principal, Role
from event_listener.store import Actor, Arrival
from event_listener.webhooks.model import WebhookChange

ROOT = Principal(name="root", role=Role.ROOT_ADMIN)
ACTOR = Actor("root", "tests")


def of_owner(name, owner=Owner(), received_ns=1000, **fields):  # noqa: B008 - frozen
    """An arrival with one event; its id is ``<name>-0-0``."""
    return Arrival(
        journal_id=name,
        journal_seq=0,
        received_ns=received_ns,
        source=name,
        address=name,
        peer="",
        credential="",
        content_type="",
        body=b"{}",
        owner=owner,
        records=(Record(**{"type": "Test.Event", "record": {}, "message": name, **fields}),),
    )


def make(store, name="hook", url="https://receiver.example/in", asks=ROOT, limit=50, **fields):
    """A stored webhook."""
    change = WebhookChange(**{"name": name, "url": url, **fields})
    _before, after = store.webhooks.set(None, change, asks, ACTOR, limit=limit)
    return after


def alter(store, webhook, asks=ROOT, limit=50, **fields):
    """The webhook after a change."""
    _before, after = store.webhooks.set(webhook.id, WebhookChange(**fields), asks, ACTOR, limit=limit)
    return after
