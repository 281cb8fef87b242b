# SPDX-License-Identifier: GPL-3.0-or-later
"""Follows the event log for security group changes, asks the cloud whom they affect, and tells of each by an event.

``RedfleetEvents.SecurityGroupChanged`` is stored in the transaction that moves the cursor: each change is told once. A
cloud that can't be asked delays it, and drops nothing.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from event_listener import backoff
from event_listener.cloud.changes import PORT, RULE, Before, Change, changes
from event_listener.cloud.neutron import CloudError, Neutron, Port
from event_listener.event import Category, Event
from event_listener.policy import Owner
from event_listener.scans.addresses import KEY, stated
from event_listener.store import Arrival, Cloud, Known, StoreUnavailableError, own_arrival

logger = logging.getLogger(__name__)

CHANGED = "SecurityGroupChanged"
_IDLE_SECONDS = 0.5
_MOST_PORTS = 500  # named in one event; the addresses are all there
_VERBS = {
    "sg_rule_add": "a rule was added", "sg_rule_del": "a rule was removed", "sg_add": "it was made",
    "sg_change": "it was changed", "sg_del": "it was deleted", "port_sg_add": "a port has it now",
    "port_sg_del": "a port doesn't have it any more",
}  # fmt: skip


class Follower(threading.Thread):
    """Runs until ``stop`` is set."""

    def __init__(self, cloud: Cloud, neutron: Neutron, stop: threading.Event) -> None:
        super().__init__(name="security-groups")
        self._cloud, self._neutron, self._stopped = cloud, neutron, stop
        self._primed = False
        self._attempt = 0

    def run(self) -> None:
        """Follow, and wait where the cloud or the event log is away."""
        while not self._stopped.is_set():
            try:
                done = self.step()
            except (CloudError, StoreUnavailableError) as error:
                self._wait(error)
                continue
            if self._attempt:
                self._attempt = 0
                logger.info("security group changes are told again")
            if not done:
                self._stopped.wait(_IDLE_SECONDS)
        self._neutron.close()

    def _wait(self, error: Exception) -> None:
        self._attempt += 1
        if self._attempt == 1:
            logger.error("security group changes wait, none is lost: %s", error)
        self._stopped.wait(backoff.delay(self._attempt, random.random()))  # noqa: S311 - jitter, no secret

    def step(self) -> int:
        """Tell of the next changes; returns how many events were taken. Raises CloudError, StoreUnavailableError."""
        batch = self._cloud.read()  # first: the cursor begins here, and what happens from now on is seen
        if not self._primed:
            self._prime()
        for event in batch.events:
            if self._stopped.is_set() or not self._take(event):
                return 1
        if not batch.events:
            self._cloud.skip(batch)
        return len(batch.events) or int(batch.more)

    def _prime(self) -> None:
        """What was there before us. Known objects stay: notifications said it."""
        rules, ports = self._neutron.rules(), self._neutron.ports()
        now = time.time_ns()
        known = [Known(RULE, one["id"], one, now) for one in rules]
        known += [Known(PORT, one["id"], {**one, "primed": True}, now) for one in ports]
        added = self._cloud.prime(known)
        self._primed = True
        logger.info("the cloud has %d rules and %d ports; %d were new to us", len(rules), len(ports), added)

    def _take(self, event: Event) -> bool:
        def known(kind: str, ident: str) -> Before | None:
            found = self._cloud.get(kind, ident)
            if found is None or found.body is None:
                return None
            return Before(found.body, bool(found.body.get("primed")) and found.seen_ns >= event.received_ns)

        payload = event.record.get("payload") if isinstance(event.record, dict) else None
        found, seen = changes(event.type, payload, known)
        arrivals = [self._told(event, number, change) for number, change in enumerate(found)]
        objects = [Known(one.kind, one.id, one.body, event.received_ns) for one in seen]
        return self._cloud.take(event, objects, arrivals)

    def _told(self, event: Event, number: int, change: Change) -> Arrival:
        if change.port is not None:
            ports = self._neutron.completed([change.port])
        elif change.group and change.type not in (
            "sg_add",
            "sg_del",
        ):  # a new group has no ports, a deleted one had none
            ports = self._neutron.ports_of(change.group, event.received_ns)
        else:
            ports = []
        return told(event, number, change, ports)


def told(event: Event, number: int, change: Change, ports: Sequence[Port]) -> Arrival:
    """The event of ours that tells of a change. Its id follows from the notification's."""
    addresses = stated(address for port in ports for address in port.addresses())
    details: dict[str, Any] = {
        KEY: addresses,
        "change_type": change.type,
        "security_group": change.group,
        "security_group_rule": change.rule,
        "ports": [msgspec.structs.asdict(port) for port in ports[:_MOST_PORTS]],
        "who": asked(event),
        "time": event.time,
        "cause": event.id,
        "message_bus": str(event.record.get("publisher_id", "")) if isinstance(event.record, dict) else "",
    }
    user = details["who"].get("user") or "somebody"
    group = change.group or "unknown, since the rule is older than what we know"
    text = f"Security group {group}: {_VERBS[change.type]} by {user}; {len(addresses)} addresses are affected."
    return own_arrival(
        CHANGED,
        text,
        unique=f"security-group:{event.id}:{number}",
        now_ns=time.time_ns(),
        about=event.source,
        owner=Owner(event.domain, event.account),
        category=Category.ACTION,
        arguments=(change.group, change.type, str(len(addresses))),
        details=details,
        resource=("security_group", change.group),
    )


def asked(event: Event) -> dict[str, str]:
    """Who asked for it, as far as the notification says: user, project, request (ids or names)."""
    context = event.record.get("context") if isinstance(event.record, dict) else None
    context = context if isinstance(context, dict) else {}
    names = {
        "user": ("user_name", "user_id", "user"),
        "user_id": ("user_id", "user"),
        "project": ("project_name", "tenant_name", "project_id", "project", "tenant"),
        "project_id": ("project_id", "project", "tenant_id", "tenant"),
        "request_id": ("request_id",),
    }
    found = {name: next((context[key] for key in keys if context.get(key)), "") for name, keys in names.items()}
    return {name: str(value) for name, value in found.items() if value}
