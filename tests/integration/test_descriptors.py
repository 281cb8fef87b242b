# SPDX-License-Identifier: GPL-3.0-or-later
"""No process keeps files or connections that it has no use for: a listener runs for months."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import requests

from tests.integration.listener_process import RunningListener, children, wait_for

ROUNDS = 20
SLACK = 25  # what pools of connections may open once


def test_nothing_piles_up(listener: Callable[..., RunningListener]):
    """Events, probes, scrapes, questions, clients that go away; and the relay's own looks, ten times a second."""
    with listener({"disk": {"interval": 0.1}, "sources": {"health_interval": 1}}) as running:
        use(running)
        # The relay may begin later than events come in.
        wait_for(lambda: requests.get(f"{running.manage_url}/health/ready", timeout=60).status_code == 200, 120)
        use(running)
        before = descriptors(running)
        use(running)
        wait_for(lambda: all(now - before[pid] <= SLACK for pid, now in descriptors(running).items()), 20)


def use(running: RunningListener) -> None:
    """What comes from outside in a minute or an hour."""
    ingest = urlsplit(running.url)
    for number in range(ROUNDS):
        event = {"EventId": str(number), "MessageId": "Test.1.0.Descriptors"}
        assert running.post({"Id": str(number), "Events": [event]}, timeout=60).status_code == 200
        for path in ("health/ready", "health/receiving", "metrics"):
            requests.get(f"{running.manage_url}/{path}", timeout=60)
        assert running.api("/api/v1/events", limit=5).status_code == 200
        with socket.create_connection((ingest.hostname, ingest.port)) as client:
            client.send(b"\x16\x03\x01 goes away")


def descriptors(running: RunningListener) -> dict[int, int]:
    """How many files each process has open, by its pid."""
    parts = [pid for part in ("ingest", "manage", "relay") for pid in running.pids(part)]
    family = {*parts, *(child for pid in parts for child in children(pid))}
    return {pid: len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in family}
