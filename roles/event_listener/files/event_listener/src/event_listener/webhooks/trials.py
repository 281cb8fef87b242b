# SPDX-License-Identifier: GPL-3.0-or-later
"""Test deliveries: sent at once, by whoever asks, and recorded nowhere."""

from __future__ import annotations

import threading
import time

from event_listener.settings_webhooks import WebhookDelivery
from event_listener.webhooks import render
from event_listener.webhooks.client import Endpoint
from event_listener.webhooks.model import Webhook
from event_listener.webhooks.schedule import Attempt
from event_listener.webhooks.surroundings import Surroundings

MOST = 2  # at once: an endpoint that hangs must not keep everybody from the API


class TooManyError(Exception):
    """Others are being tried; the text says what to do."""


class Trials:
    """Sends them; for many threads."""

    def __init__(self, settings: WebhookDelivery, surroundings: Surroundings) -> None:
        self._settings, self._surroundings = settings, surroundings
        self._free = threading.BoundedSemaphore(MOST)

    def send(self, webhook: Webhook, payload: str) -> Attempt:
        """One attempt, whatever its state. Raises TooManyError, StoreUnavailableError."""
        if not self._free.acquire(blocking=False):
            raise TooManyError(f"{MOST} test deliveries are on their way; try again in a few seconds")
        try:
            item = render.trial(webhook, payload)
            guard = self._surroundings.guard()
            endpoint = Endpoint(webhook, guard, self._settings.timeout, self._settings.response_limit)
            try:
                return endpoint.post(render.headers(webhook, item, time.time_ns()), item.payload)
            finally:
                endpoint.close()
        finally:
            self._free.release()
