# SPDX-License-Identifier: GPL-3.0-or-later
"""What the BMCs send: numbered events, from all at once or one after the other, for as long as a block lasts."""

from __future__ import annotations

import itertools
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from redfish_simulator.client import BmcHandle, Fleet

from tests.integration.hosts.estate import Estate

FIRST = 910_000_001  # beyond what BMCs number by themselves


class Sender:
    """Makes events happen on the BMCs; they deliver them, and try again, as their vendors do."""

    def __init__(self, estate: Estate, fleet: Fleet) -> None:
        self._estate, self._fleet = estate, fleet
        self._numbers = itertools.count(FIRST)
        self.sent: dict[str, list[int]] = defaultdict(list)
        with estate.network():
            self._before = {bmc.name: bmc.counters() for bmc in fleet.bmcs}

    @contextmanager
    def storm(self, every: float) -> Iterator[None]:
        """An event on every BMC at once, every so many seconds."""
        with self._going(every, lambda: self._send(self._fleet.bmcs)):
            yield

    @contextmanager
    def trickle(self, every: float) -> Iterator[None]:
        """An event on one BMC after the other, every so many seconds."""
        turn = itertools.cycle(self._fleet.bmcs)
        with self._going(every, lambda: self._send([next(turn)])):
            yield

    def count(self) -> int:
        """How many events were sent."""
        return sum(map(len, self.sent.values()))

    def acknowledged(self) -> int:
        """How many of them were answered with success so far."""
        with self._estate.network():
            now = self._fleet.counters()["delivered"]
        return now - sum(each["delivered"] for each in self._before.values())

    def settled(self) -> dict[str, dict[str, int]]:
        """Wait until nothing is on its way; what each BMC counted since the beginning."""
        with self._estate.network():
            if not self._fleet.wait_idle(180):
                raise TimeoutError(f"BMCs are still sending after three minutes: {self._fleet.counters()}")
            now = {bmc.name: bmc.counters() for bmc in self._fleet.bmcs}
        return {
            name: {what: number - self._before[name][what] for what, number in counted.items()}
            for name, counted in now.items()
        }

    def _send(self, bmcs: list[BmcHandle]) -> None:
        number = next(self._numbers)
        record = {"EventId": str(number), "MessageId": "Base.1.0.Success", "Message": f"estate {number}."}
        if len(bmcs) == len(self._fleet.bmcs):
            self._fleet.emit(record)
        else:
            bmcs[0].emit(record)
        for bmc in bmcs:
            self.sent[bmc.name].append(number)

    @contextmanager
    def _going(self, every: float, send: Callable[[], None]) -> Iterator[None]:
        over = threading.Event()

        def run() -> None:
            with self._estate.network():
                while not over.wait(every):
                    send()

        with ThreadPoolExecutor(1) as pool:
            going = pool.submit(run)
            try:
                yield
            finally:
                over.set()
            going.result()
