# SPDX-License-Identifier: GPL-3.0-or-later
"""A client of the live stream that does as a browser's EventSource does: reads, and resumes after the last id it saw.

The parser is sseclient-py's, which knows nothing of us.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator

import requests
import sseclient


class Follower(threading.Thread):
    """Follows a stream until :meth:`end`, over as many connections as it takes. ``seqs``: what it got, in order."""

    def __init__(self, url: str, token: str, query: str = "", last: str = "") -> None:
        super().__init__(daemon=True)
        self.url, self.token, self.query, self.last = url, token, query, last
        self.events: list[dict] = []
        self.connections = 0
        self.refused: list[int] = []
        self._ended = threading.Event()
        self.opened = threading.Event()

    @property
    def seqs(self) -> list[int]:
        return [event["seq"] for event in self.events]

    def run(self) -> None:
        while not self._ended.is_set():
            try:
                self._follow()
            except (requests.RequestException, OSError):
                self._ended.wait(0.1)

    def _follow(self) -> None:
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "text/event-stream"}
        if self.last:
            headers["Last-Event-ID"] = self.last
        address = f"{self.url}/api/v1/events/stream{self.query}"
        with requests.get(address, headers=headers, stream=True, timeout=60) as answer:
            if answer.status_code != 200:
                self.refused.append(answer.status_code)
                self._ended.wait(0.1)
                return
            self.connections += 1
            for event in sseclient.SSEClient(self._bytes(answer)).events():
                self.last = event.id or self.last
                self.opened.set()
                if event.event == "message":
                    self.events.append(json.loads(event.data))
                    assert event.id == str(self.events[-1]["seq"])

    def _bytes(self, answer: requests.Response) -> Iterator[bytes]:
        for part in answer.iter_content(chunk_size=None):
            if self._ended.is_set():
                return
            yield part

    def end(self) -> None:
        self._ended.set()


def until_all(followers: list[Follower], expected: list[int], seconds: float = 60) -> None:
    """Wait until each has all, and fail with what it has where one hasn't, or has something twice."""
    end = time.monotonic() + seconds
    while any(len(one.events) < len(expected) for one in followers) and time.monotonic() < end:
        time.sleep(0.05)
    for one in followers:
        assert one.seqs == expected, f"{len(one.seqs)} of {len(expected)} over {one.connections} connections"
