# SPDX-License-Identifier: GPL-3.0-or-later
"""Deliveries: each subscription has a queue and, while something is in it, a task that empties it in order."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from .subscription import Payload, Subscription

if TYPE_CHECKING:
    from .bmc import Bmc

LOG = logging.getLogger(__name__)


class Deliverer:
    """The event sender of one BMC. Connections start at the BMC's own address."""

    def __init__(self, bmc: Bmc) -> None:
        self._bmc = bmc
        self._clients: dict[bool, aiohttp.ClientSession] = {}
        self._busy: dict[Subscription, asyncio.Task[None]] = {}

    def enqueue(self, subscription: Subscription, payload: Payload) -> None:
        """Queue a body; a full queue loses the newest, as bmcweb's does."""
        if not subscription.enabled:
            return
        if len(subscription.queue) >= self._bmc.personality.delivery.queue:
            self._bmc.counters.dropped += payload[1]
            return
        subscription.queue.append(payload)
        if subscription not in self._busy:
            self._bmc.world.activity.begin()
            task = asyncio.get_running_loop().create_task(self._drain(subscription))
            self._busy[subscription] = task

    async def close(self) -> None:
        """Stop all deliveries."""
        for task in self._busy.values():
            task.cancel()
        await asyncio.gather(*self._busy.values(), return_exceptions=True)
        for client in self._clients.values():
            await client.close()

    async def _drain(self, subscription: Subscription) -> None:
        try:
            while subscription.queue:
                payload = subscription.queue[0]
                delivered = await self._deliver(subscription, payload)
                if subscription.queue and subscription.queue[0] is payload:
                    subscription.queue.popleft()
                if not delivered:
                    self._give_up(subscription, payload)
        finally:
            del self._busy[subscription]
            self._bmc.world.activity.end()

    async def _deliver(self, subscription: Subscription, payload: Payload) -> bool:
        """Send with all retries that the policy grants."""
        bmc, traits = self._bmc, self._bmc.personality.delivery
        attempt = 0
        while bmc.subscriptions.get(subscription.id) is subscription:
            if await self._attempt(subscription, payload):
                subscription.delivered += payload[1]
                bmc.counters.delivered += payload[1]
                return True
            attempt += 1
            bmc.counters.failed_attempts += 1
            policy = str(subscription.get("DeliveryRetryPolicy"))
            forever = policy.startswith("RetryForever") and traits.forever == "retry"
            if attempt > bmc.retry_attempts and not forever:
                return False
            growth = min(2 ** (attempt - 1), 64) if policy == "RetryForeverWithBackoff" else 1
            await asyncio.sleep(bmc.retry_interval * growth * bmc.world.time_scale)
        return False

    def _give_up(self, subscription: Subscription, payload: Payload) -> None:
        bmc = self._bmc
        subscription.failed += payload[1]
        bmc.counters.failed += payload[1]
        policy = subscription.get("DeliveryRetryPolicy")
        if policy == "TerminateAfterRetries" and bmc.personality.delivery.terminate == "delete":
            if bmc.subscriptions.get(subscription.id) is subscription:
                bmc.counters.terminated += 1
                bmc.subscriptions.remove(subscription.id)
        elif policy == "SuspendRetries":
            subscription.enabled = False
            subscription.queue.clear()

    async def _attempt(self, subscription: Subscription, payload: Payload) -> bool:
        """One POST; True for an answer that this BMC takes for success."""
        bmc, traits = self._bmc, self._bmc.personality.delivery
        headers = {"Content-Type": "application/json", "OData-Version": "4.0"}
        headers.update(subscription.http_headers)
        if not traits.host_port:
            headers.setdefault("Host", urlsplit(subscription.destination).hostname or "")
        try:
            async with self._client(subscription.destination).post(
                URL(subscription.destination, encoded=True),
                data=payload[0],
                headers=headers,
                ssl=bmc.world.trust.context(
                    self._verifies(subscription), (*bmc.certificates, *subscription.certificates)
                ),
                allow_redirects=False,
            ) as response:
                await response.read()
                return response.status == 200 if traits.answers == "200 only" else 200 <= response.status < 300
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            LOG.debug("%s: no delivery to %s: %s", bmc.identity.name, subscription.destination, error)
            return False

    def _verifies(self, subscription: Subscription) -> bool:
        """Whether the listener's certificate is checked: the standard's property, HPE's switch, Dell's attribute."""
        oem = subscription.get("Oem")
        vendor = oem.get("Hpe") if isinstance(oem, dict) else None
        mutual = isinstance(vendor, dict) and vendor.get("MutualAuthenticationEnabled") is True
        ignored = self._bmc.attributes.get("RedfishEventing.1.IgnoreCertificateErrors") == "Yes"
        return (bool(subscription.get("VerifyCertificate")) or mutual) and not ignored

    def _client(self, destination: str) -> aiohttp.ClientSession:
        """The client for a listener: bound to the BMC's own address, which is IPv4, unless the listener's is IPv6."""
        ipv6 = ":" in (urlsplit(destination).hostname or "")
        if ipv6 not in self._clients:
            connector = aiohttp.TCPConnector(
                local_addr=None if ipv6 else (self._bmc.identity.address, 0),
                family=socket.AF_INET6 if ipv6 else socket.AF_INET,
                limit=4,
                force_close=not self._bmc.personality.delivery.keep_alive,
            )
            self._clients[ipv6] = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=self._bmc.world.delivery_timeout),
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("User-Agent",),
            )
        return self._clients[ipv6]
