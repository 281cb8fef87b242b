# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait until expected events are in the listener's log. Pure but for the functions it is given."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

Event = dict[str, Any]
Expectation = dict[str, Any]

PAGE = 1000
# More names than this make an address too long; then all sources are read.
MOST_NAMES = 100
# An expectation that doesn't say after which event looks back this far.
LOOK_BACK = "10m"


def match(expectation: Expectation, event: Event) -> bool | None:
    """True: the marker is in the event; False: only its message is the expected one; None: another event."""
    if event["source"] != expectation["source"] or event["seq"] <= (expectation.get("after") or 0):
        return None
    marker, key = expectation.get("marker"), expectation.get("message_key")
    texts = [event.get("event_id"), event.get("message"), *(event.get("message_args") or [])]
    if marker and any(marker in text for text in texts if text):
        return True
    if key and (event.get("message_id") or "").rsplit(".", 1)[-1] == key:
        return False
    return None


def first_query(expectations: Iterable[Expectation]) -> dict[str, Any]:
    """The query whose pages hold all expected events."""
    expectations = list(expectations)
    query: dict[str, Any] = {"order": "asc", "limit": PAGE}
    afters = [item["after"] for item in expectations if item.get("after") is not None]
    if len(afters) < len(expectations):
        query["since"] = LOOK_BACK
    else:
        query["after"] = min(afters, default=0)
    names = sorted({item["source"] for item in expectations})
    if len(names) <= MOST_NAMES:
        query["source"] = names
    return query


class Wait:
    """Collects what was found. ``ask`` reads a page of events for a query."""

    def __init__(self, expectations: list[Expectation], ask: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self._open = dict(enumerate(expectations))
        self._ask = ask
        self._query = first_query(expectations)
        self._found: dict[int, dict[str, Any]] = {}
        self._began = time.monotonic()

    def run(self, timeout: float, interval: float) -> None:
        """Ask until all is found or time is over."""
        while self._open:
            self._read()
            left = timeout - (time.monotonic() - self._began)
            if not self._open or left <= 0:
                return
            time.sleep(min(interval, left))

    def _read(self) -> None:
        asked = time.monotonic() - self._began
        while self._open:
            page = self._ask(self._query)
            for event in page["events"]:
                self._look_at(event, asked)
            # ``head`` is of the same moment as the page: nothing up to it is missed when reading goes on there.
            self._query["after"] = page["next"] if page["next"] is not None else page["head"]
            if page["next"] is None:
                break
        self._query.pop("since", None)

    def _look_at(self, event: Event, asked: float) -> None:
        for index, expectation in list(self._open.items()):
            how = match(expectation, event)
            if how is None:
                continue
            self._found[index] = {
                "source": expectation["source"],
                "event": event,
                "exact": how,
                "latency_s": round(asked, 3),
            }
            del self._open[index]

    @property
    def found(self) -> list[dict[str, Any]]:
        """In the order of the expectations."""
        return [self._found[index] for index in sorted(self._found)]

    @property
    def missing(self) -> list[str]:
        """The sources whose events didn't come, in the order of the expectations."""
        return [item["source"] for item in self._open.values()]
