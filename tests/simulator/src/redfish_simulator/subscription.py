# SPDX-License-Identifier: GPL-3.0-or-later
"""Subscriptions and their table."""

from __future__ import annotations

import random
import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from .answer import Json
from .personality import Personality

Payload = tuple[bytes, int]
"""An encoded body and the number of records in it."""


@dataclass(eq=False)
class Subscription:
    """An EventDestination: `properties` as accepted (HttpHeaders apart), and what the BMC keeps to itself."""

    id: str
    properties: Json
    http_headers: list[tuple[str, str]] = field(default_factory=list)
    enabled: bool = True
    queue: deque[Payload] = field(default_factory=deque)
    delivered: int = 0
    failed: int = 0
    certificates: list[str] = field(default_factory=list)
    expires_at: float | None = None
    """time.monotonic() at which the BMC forgets it; None for never."""
    owner: str = ""
    """Name of the account that made it."""

    def get(self, name: str) -> Any:
        """A property, None where it was never set."""
        return self.properties.get(name)

    @property
    def destination(self) -> str:
        """The URL that events are POSTed to."""
        return str(self.properties["Destination"])

    def inside(self) -> Json:
        """Everything, the headers included, for those who test (the control API)."""
        return {
            "Id": self.id,
            **self.properties,
            "HttpHeaders": [{name: value} for name, value in self.http_headers],
            "Enabled": self.enabled,
            "Queued": len(self.queue),
            "Delivered": self.delivered,
            "Failed": self.failed,
            "Authorities": list(self.certificates),
        }


class SubscriptionTable:
    """The subscriptions of a BMC, oldest first."""

    def __init__(self, personality: Personality, seed: str) -> None:
        self._kind = personality.create.ids
        self._rng = random.Random(seed)
        self._members: dict[str, Subscription] = {}
        self._last = 0
        self.slots = personality.create.slots
        self._fill_slots()

    def __len__(self) -> int:
        return len(self._members)

    def all(self) -> list[Subscription]:
        """All of them, oldest first; those whose time is over are gone."""
        now = time.monotonic()
        for each in [each for each in self._members.values() if each.expires_at is not None and each.expires_at < now]:
            self.remove(each.id)
        return list(self._members.values())

    def get(self, subscription_id: str) -> Subscription | None:
        """The one with this id."""
        return self._members.get(subscription_id)

    def add(self, properties: Json, http_headers: list[tuple[str, str]], subscription_id: str = "") -> Subscription:
        """Keep a new one; ids are never used again."""
        subscription = Subscription(subscription_id or self._new_id(), properties, http_headers)
        self._members[subscription.id] = subscription
        return subscription

    def remove(self, subscription_id: str) -> None:
        """Forget it, and what waits for its listener."""
        subscription = self._members.pop(subscription_id, None)
        if subscription:
            subscription.queue.clear()

    def clear(self) -> None:
        """Forget all, as some BMCs do in a reset."""
        for subscription_id in list(self._members):
            self.remove(subscription_id)
        self._fill_slots()

    def _fill_slots(self) -> None:
        """A service with fixed members has them empty at first."""
        for number in range(1, self.slots + 1):
            slot = self.add(
                {"Destination": "", "Protocol": "Redfish", "Context": "", "EventTypes": []}, [], str(number)
            )
            slot.enabled = False
            slot.properties["Oem"] = {"Supermicro": {"EnableSubscription": False, "Severity": "OK"}}

    def _new_id(self) -> str:
        if self._kind == "random":
            return str(self._rng.getrandbits(32))
        if self._kind == "uuid":
            return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))
        self._last += 1
        return str(self._last)
