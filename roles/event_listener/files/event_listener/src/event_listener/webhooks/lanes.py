# SPDX-License-Identifier: GPL-3.0-or-later
"""Delivers: one lane per webhook, a turn at a time, so that an endpoint delays itself alone.

Threads are bounded. Endpoints that fail or are slow share a half of them, so the others always find one.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from event_listener.clock import cautious_ns, too_far
from event_listener.settings_webhooks import WebhookDelivery
from event_listener.store import Delivery, FencedError, Lease, Store, StoreUnavailableError, Tried
from event_listener.webhooks import render, schedule
from event_listener.webhooks.client import Endpoint
from event_listener.webhooks.guard import Guard
from event_listener.webhooks.model import Webhook
from event_listener.webhooks.schedule import SECOND, Health, Rules

logger = logging.getLogger(__name__)

TURN = 50  # deliveries that are sent before they are noted: so many come again after kill -9
TURN_SECONDS = 0.5
SLOW_SECONDS = 1.0
PRUNE_EVERY = 500


class Lane:
    """What is known of a webhook's lane between its turns."""

    def __init__(self, webhook: Webhook, health: Health) -> None:
        self.webhook, self.health = webhook, health
        self.next_ns: int | None = 0  # when to look; None: when told
        self.again = False  # told while it was running
        self.slow = False
        self.future: Future[None] | None = None
        self.sent = 0

    @property
    def suspect(self) -> bool:
        """Whether it may keep a thread long."""
        return self.slow or self.health.failures > 0

    def tell(self) -> None:
        """There is something new for it."""
        if self.future is not None:
            self.again = True
        elif not self.health.failures:
            self.next_ns = 0
        else:
            self.next_ns = self.health.rests_until_ns

    def is_due(self, now_ns: int, never: int) -> bool:
        """Whether it has a turn now; ``never`` is too far away to be waited for."""
        return self.future is None and self.next_ns is not None and not now_ns < self.next_ns < never


class Lanes:
    """The lanes of one holder of the lease. All but the turns is for one thread."""

    def __init__(
        self, store: Store, settings: WebhookDelivery, keep: int, guard: Callable[[], Guard], done: Callable[[], None]
    ) -> None:
        self._store, self._settings, self._keep = store, settings, keep
        self._guard, self._done = guard, done
        self._rules = Rules(settings.tries, settings.retry_base, settings.retry_longest, settings.disable_after)
        self._pool = ThreadPoolExecutor(settings.thread_pool_size, thread_name_prefix="webhook")
        self._stopped = threading.Event()
        self._lanes: dict[str, Lane] = {}

    def set(self, webhooks: Mapping[str, Webhook], healths: Mapping[str, Health]) -> None:
        """These are enabled now; each is looked at."""
        for webhook_id in [name for name, lane in self._lanes.items() if name not in webhooks and lane.future is None]:
            del self._lanes[webhook_id]
        for webhook_id, webhook in webhooks.items():
            lane = self._lanes.get(webhook_id)
            if lane is None:
                self._lanes[webhook_id] = Lane(webhook, healths.get(webhook_id, Health()))
                continue
            if lane.future is None:
                # Somebody may have enabled it again, or given it another URL: then it needn't rest.
                lane.health = healths.get(webhook_id, Health())
            lane.webhook = webhook
            lane.tell()

    def tell(self, webhook_id: str) -> None:
        """There are new deliveries of a webhook."""
        if lane := self._lanes.get(webhook_id):
            lane.tell()

    def start(self, lease: Lease, enabled: Mapping[str, Webhook], now_ns: int) -> int | None:
        """Give turns to those that are due and find a thread; returns when the next is due, ns."""
        running = [lane for lane in self._lanes.values() if lane.future is not None]
        free = self._settings.thread_pool_size - len(running)
        for_suspects = max(1, self._settings.thread_pool_size // 2) - sum(lane.suspect for lane in running)
        waiting = [lane for name, lane in self._lanes.items() if name in enabled and lane.future is None]
        never = too_far(now_ns, self._rules.longest_ns)
        for lane in sorted((one for one in waiting if one.is_due(now_ns, never)), key=lambda lane: lane.next_ns or 0):
            if free <= 0:
                break
            if lane.suspect:
                if for_suspects <= 0:
                    continue
                for_suspects -= 1
            free -= 1
            lane.future = self._pool.submit(self._turn, lane, lease)
        later = [lane.next_ns for lane in waiting if lane.future is None and (lane.next_ns or 0) > now_ns]
        return min(filter(None, later), default=None)

    def reap(self) -> None:
        """Take back lanes whose turn is over. Raises FencedError, StoreUnavailableError where the turn did."""
        for lane in self._lanes.values():
            if lane.future is not None and lane.future.done():
                future, lane.future = lane.future, None
                if lane.again:
                    lane.again = False
                    lane.tell()
                future.result()

    @property
    def busy(self) -> bool:
        """Whether a turn is being taken."""
        return any(lane.future is not None for lane in self._lanes.values())

    def stop(self) -> None:
        """End the turns, each after its request."""
        self._stopped.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _turn(self, lane: Lane, lease: Lease) -> None:
        try:
            self._deliver(lane, lease)
        except (FencedError, StoreUnavailableError):
            lane.next_ns = time.time_ns() + SECOND
            raise
        except Exception:
            logger.exception("webhook %s meets a bug; it is tried again, the others go on", lane.webhook.id)
            lane.next_ns = time.time_ns() + 60 * SECOND
        finally:
            self._done()

    def _deliver(self, lane: Lane, lease: Lease) -> None:
        webhook, now = lane.webhook, time.time_ns()
        due = self._store.deliveries.due(webhook.id, now, TURN, too_far(now, self._rules.longest_ns))
        if due:
            self._send(lane, lease, webhook, due)
        lane.next_ns = self._store.deliveries.next_due(webhook.id)
        if lane.next_ns is not None and lane.health.failures:
            lane.next_ns = max(lane.next_ns, lane.health.rests_until_ns)

    def _send(self, lane: Lane, lease: Lease, webhook: Webhook, due: list[Delivery]) -> None:
        endpoint = Endpoint(webhook, self._guard(), self._settings.timeout, self._settings.response_limit)
        tried: list[Tried] = []
        health, disable, end = lane.health, "", time.monotonic() + TURN_SECONDS
        try:
            for item in due:
                attempt = endpoint.post(render.headers(webhook, item, time.time_ns()), item.payload)
                chance, now = random.random(), time.time_ns()  # noqa: S311 - jitter, no secret
                health = schedule.health_after(health, attempt, now, chance)
                disable = schedule.verdict(health, attempt, self._rules, cautious_ns()) if not attempt.delivered else ""
                follow = schedule.follow_up(attempt, item.attempts + 1, self._rules, now, chance)
                tried.append(Tried(item, attempt, follow))
                lane.slow = attempt.duration_ms > SLOW_SECONDS * 1000
                if not attempt.delivered or self._stopped.is_set() or time.monotonic() > end:
                    break
        finally:
            endpoint.close()
        self._store.deliveries.note(lease, webhook, tried, health, disable)
        self._report(lane, health, tried[-1].attempt.reason, disable)
        lane.health = health
        lane.sent += len(tried)
        if lane.sent >= PRUNE_EVERY:
            lane.sent = 0
            self._store.deliveries.clean(self._keep, webhook.id)

    @staticmethod
    def _report(lane: Lane, health: Health, reason: str, disable: str) -> None:
        """Log changes, not each attempt."""
        name = f"{lane.webhook.name} ({lane.webhook.id})"
        if disable:
            logger.error("webhook %s is disabled: %s", name, disable)
        elif health.failures and not lane.health.failures:
            logger.warning("webhook %s fails and is tried again, others go on: %s", name, reason)
        elif lane.health.failures and not health.failures:
            logger.info("webhook %s works", name)
