# SPDX-License-Identifier: GPL-3.0-or-later
"""Heartbeats by the clock, for the subscriptions that ask for them (SendHeartbeat, HeartbeatIntervalMinutes)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .catalogue import heartbeat
from .subscription import Subscription

if TYPE_CHECKING:
    from .bmc import Bmc

DEFAULT_MINUTES = 10


class Heartbeats:
    """The timers of one BMC: one per subscription, none while it asks for nothing."""

    def __init__(self, bmc: Bmc) -> None:
        self._bmc = bmc
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def schedule(self, subscription: Subscription) -> None:
        """Start, change or stop the timer of a subscription, after it was created or changed."""
        self._stop(subscription.id)
        if not subscription.get("SendHeartbeat"):
            return
        minutes = float(subscription.get("HeartbeatIntervalMinutes") or DEFAULT_MINUTES)
        seconds = minutes * 60 * self._bmc.world.time_scale
        timer = asyncio.get_running_loop().call_later(seconds, self._beat, subscription)
        self._timers[subscription.id] = timer

    def close(self) -> None:
        """Stop all timers."""
        for subscription_id in list(self._timers):
            self._stop(subscription_id)

    def _stop(self, subscription_id: str) -> None:
        timer = self._timers.pop(subscription_id, None)
        if timer:
            timer.cancel()

    def _beat(self, subscription: Subscription) -> None:
        if self._bmc.subscriptions.get(subscription.id) is subscription:
            self._bmc.emit_heartbeat(heartbeat(), only=subscription)
            self.schedule(subscription)
        else:
            self._stop(subscription.id)
