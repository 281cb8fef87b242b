# SPDX-License-Identifier: GPL-3.0-or-later
"""What the BMCs of a process share: how fast their time passes, whom they trust, and the request log."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from itertools import islice

from .answer import Json
from .tls import ListenerTrust

LOG_LENGTH = 500_000


class RequestLog:
    """Every Redfish request to the fleet, numbered from 1, without bodies and headers; the newest half million."""

    def __init__(self) -> None:
        self._entries: deque[Json] = deque(maxlen=LOG_LENGTH)
        self._last = 0

    def add(self, bmc: str, method: str, path: str, status: int, authentication: str, connection: int) -> None:
        """Note one request; status 0 is a request that got no answer."""
        self._last += 1
        self._entries.append(
            {
                "seq": self._last,
                "time": time.time(),
                "bmc": bmc,
                "method": method,
                "path": path,
                "status": status,
                "authentication": authentication,
                "connection": connection,
            }
        )

    def after(self, seq: int, bmc: str | None = None) -> list[Json]:
        """Entries with a higher number, of one BMC or of all."""
        if not self._entries:
            return []
        start = max(0, seq + 1 - self._entries[0]["seq"])
        return [entry for entry in islice(self._entries, start, None) if bmc in (None, entry["bmc"])]

    def clear(self) -> None:
        """Forget the entries; numbers go on."""
        self._entries.clear()


class Activity:
    """How many deliveries are under way in the fleet, and a way to wait until there are none."""

    def __init__(self) -> None:
        self.count = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def begin(self) -> None:
        """One more."""
        self.count += 1
        self._idle.clear()

    def end(self) -> None:
        """One fewer."""
        self.count -= 1
        if self.count == 0:
            self._idle.set()

    async def wait_idle(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds for none; False where some were left."""
        try:
            await asyncio.wait_for(self._idle.wait(), timeout)
        except TimeoutError:
            return False
        return True


@dataclass
class World:
    """`time_scale` multiplies the waits that BMCs make by themselves (retries, heartbeats, test-event throttles)."""

    trust: ListenerTrust
    time_scale: float = 1.0
    delivery_timeout: float = 30.0
    requests: RequestLog = field(default_factory=RequestLog)
    activity: Activity = field(default_factory=Activity)
