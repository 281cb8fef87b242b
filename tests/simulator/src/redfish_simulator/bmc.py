# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulated BMC: its state, and what it does when something happens."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from . import payload
from .accounts import AccountTable
from .answer import Json
from .delivery import Deliverer
from .event_log import EventLog
from .faults import Faults
from .heartbeats import Heartbeats
from .identity import Identity
from .messages import REGISTRIES
from .personality import Personality
from .records import Record, wants
from .sessions import SessionTable
from .subscription import Subscription, SubscriptionTable
from .tls import BmcTls
from .world import World


@dataclass
class Counters:
    """What a BMC counts, in records where nothing else is said."""

    delivered: int = 0
    failed: int = 0
    failed_attempts: int = 0
    """POSTs without success, retries included."""
    dropped: int = 0
    """Lost because a queue was full."""
    terminated: int = 0
    """Subscriptions deleted by TerminateAfterRetries."""
    requests: int = 0
    refused_logins: int = 0
    connections: int = 0


class Bmc:
    """State of one BMC; the routes show and change it, the deliverer sends what it emits."""

    def __init__(self, personality: Personality, identity: Identity, tls: BmcTls, world: World) -> None:
        self.personality = personality
        self.identity = identity
        self.tls = tls
        self.world = world
        self.faults = Faults()
        self.counters = Counters()
        traits = personality.service
        self.sessions = SessionTable(traits.max_sessions, traits.session_timeout)
        self.subscriptions = SubscriptionTable(personality, identity.uuid)
        owner_id = traits.manager_id if traits.log_owner == "Managers" else traits.system_id
        self.log = EventLog(f"/redfish/v1/{traits.log_owner}/{owner_id}/LogServices/{traits.log_id}")
        self.accounts = AccountTable(identity.username, identity.password)
        self.certificates: list[str] = []
        self.service_enabled = traits.enabled
        self.retry_attempts = traits.attempts[0]
        self.retry_interval = traits.interval[0]
        self.attributes: dict[str, str] = dict(traits.attributes)
        self.power_state = "On"
        self.ntp_servers = ["ntp.example.com"]
        self.last_test = float("-inf")
        self.heartbeats = Heartbeats(self)
        self._deliverer = Deliverer(self)
        self._events = 0

    def now(self) -> str:
        """The BMC's own clock, RFC 3339 in UTC, seconds; a fault may have moved it."""
        offset = datetime.timedelta(seconds=self.faults.clock_offset())
        return (datetime.datetime.now(datetime.UTC) + offset).strftime("%Y-%m-%dT%H:%M:%SZ")

    def used_subscriptions(self) -> list[Subscription]:
        """All but empty slots."""
        return [subscription for subscription in self.subscriptions.all() if subscription.destination]

    def subscription_uri(self, subscription: Subscription) -> str:
        """Where the subscription is."""
        return f"/redfish/v1/EventService/{self.personality.service.subscriptions_path}/{subscription.id}"

    def emit(self, records: Sequence[Record], only: Subscription | None = None) -> int:
        """Something happened: note it and send it to all who want to hear. Returns to how many subscriptions."""
        self._events += 1
        for record in records:
            self._complete(record)
        reached = 0
        for subscription in [only] if only else self.subscriptions.all():
            wanted = [record for record in records if only or wants(self.personality, subscription, record)]
            if wanted:
                context = self._context(subscription)
                self._send(subscription, payload.event(self.personality, wanted, self._events, context), len(wanted))
                reached += 1
        return reached

    def emit_heartbeat(self, record: Record, only: Subscription | None = None) -> int:
        """A heartbeat goes to the subscriptions that asked for one, or to `only` one of them."""
        self._events += 1
        self._complete(record, log=False)
        asked = [subscription for subscription in self.subscriptions.all() if subscription.get("SendHeartbeat")]
        for subscription in [only] if only else asked:
            uri, context = self.subscription_uri(subscription), self._context(subscription)
            self._send(subscription, payload.heartbeat(self.personality, record, self._events, context, uri), 1)
        return len(asked)

    def emit_metric_report(self, values: Sequence[tuple[str, str]]) -> int:
        """A metric report goes to the subscriptions of that format; some services accept these and never send."""
        self._events += 1
        if not self.personality.delivery.metric_reports:
            return 0
        asked = [each for each in self.subscriptions.all() if each.get("EventFormatType") == "MetricReport"]
        for subscription in asked:
            body = payload.metric_report(self._events, self.now(), self._context(subscription), values)
            self._send(subscription, body, 1)
        return len(asked)

    def emit_raw(self, body: bytes) -> int:
        """Send these bytes to every subscription, whatever they are."""
        for subscription in self.subscriptions.all():
            self._deliverer.enqueue(subscription, (body, 1))
        return len(self.subscriptions)

    def suspend(self, subscription: Subscription, suspended: bool) -> None:
        """SuspendSubscription and ResumeSubscription; what waited is lost."""
        subscription.enabled = not suspended
        subscription.queue.clear()

    def reset(self, forget_subscriptions: bool = False) -> None:
        """Restart the management controller: sessions end, event numbers start again, subscriptions may be lost."""
        self.sessions.clear()
        self._events = 0
        if forget_subscriptions or self.faults.find("forgetful_reset"):
            self.subscriptions.clear()

    async def close(self) -> None:
        """Stop its heartbeats and deliveries."""
        self.heartbeats.close()
        await self._deliverer.close()

    def public(self) -> Json:
        """What the state file says about it, for clients."""
        who = self.identity
        return {
            "name": who.name,
            "address": who.address,
            "port": who.port,
            "baseuri": who.baseuri,
            "vendor": self.personality.name,
            "username": who.username,
            "password": who.password,
            "login_type": who.login_type,
            "tls_fingerprint": self.tls.fingerprint,
            "uuid": who.uuid,
            "serial": who.serial,
            "model": who.model,
            "firmware": who.firmware,
        }

    def inside(self) -> Json:
        """Everything that a test may want to look at."""
        return {
            **self.public(),
            "subscriptions": [each.inside() for each in self.used_subscriptions()],
            "sessions": [session.id for session in self.sessions.all()],
            "faults": self.faults.as_json(),
            "counters": asdict(self.counters),
            "log_entries": len(self.log.entries()),
            "service_enabled": self.service_enabled,
        }

    def _context(self, subscription: Subscription) -> str:
        return str(subscription.get("Context") or "")

    def _send(self, subscription: Subscription, body: Json, records: int) -> None:
        if (
            self.service_enabled
            and self.attributes.get("IPMILan.1.AlertEnable") != "Disabled"
            and not self.faults.find("silent")
        ):
            self._deliverer.enqueue(subscription, (json.dumps(body).encode(), records))

    def _complete(self, record: Record, log: bool = True) -> None:
        """Fill what the record's author left open, and note it in the log."""
        record.timestamp = record.timestamp or self.now()
        registry = REGISTRIES.get(record.registry)
        message = registry.messages.get(record.message_id.rpartition(".")[2]) if registry else None
        if message and not record.message:
            record.message = message.fill(record.args)
        if log:
            uri = self.log.add(record)
            record.log_entry = uri if self.personality.delivery.log_entry else ""
