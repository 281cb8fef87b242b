# SPDX-License-Identifier: GPL-3.0-or-later
"""The clock of a running listener is set by hours, to and fro: nothing is lost, doubled, aged or stalled by it.

The processes are real; what is set is what Python says the time is. Their other clocks go on as they are.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests.integration.listener_process import RunningListener, wait_for

HOURS = (30, -20, 400, 0)
PASSWORD = "correct horse battery staple"


# What Python runs first in each process of the listener. C code that asks for the time keeps the right one.
SITE = """
import time

def _ahead():
    with open({path!r}) as file:
        return int(file.read())

_seconds, _nanoseconds = time.time, time.time_ns
time.time = lambda: _seconds() + _ahead() * 3600
time.time_ns = lambda: _nanoseconds() + _ahead() * 3600_000_000_000
"""


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets the clock of what is started from now on to so many hours ahead."""
    offset, site = tmp_path / "ahead", tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(SITE.format(path=str(offset)))
    monkeypatch.setenv("PYTHONPATH", f"{site}{os.pathsep}{os.environ.get('PYTHONPATH', '')}".rstrip(os.pathsep))

    def set_clock(hours: int) -> None:
        offset.with_suffix(".new").write_text(str(hours))
        offset.with_suffix(".new").replace(offset)

    set_clock(0)
    return set_clock


def record(mark: str) -> dict:
    return {"Id": mark, "Events": [{"EventId": mark, "MessageId": "T.1.0.Jump", "Message": mark}]}


def seen(running: RunningListener) -> list[str]:
    """The EventIds of what the source sent, in the log's order."""
    events = running.api("/api/v1/events", source="bmc", order="asc", limit=100).json()["events"]
    return [event["event_id"] for event in events if event["type"] == "T.Jump"]


def logged(running: RunningListener) -> list[str]:
    """The same in the text logs, with those that were set aside; in no order."""
    text = "".join(path.read_text() for path in running.log_dir.glob("Events_127.0.0.1.*"))
    return re.findall(r'"?EventId"?: "?([^",\n]+)', text)


def login_works(api: str) -> None:
    """The lock of the round before, by another clock, doesn't last; then comes the next one."""
    right, wrong = ({"user": "ann", "password": text} for text in (PASSWORD, "wrong"))
    wait_for(lambda: requests.post(f"{api}/login", json=right, timeout=60).status_code == 200, 60)
    wait_for(lambda: requests.post(f"{api}/login", json=wrong, timeout=60).status_code == 429, 60)


def is_all(running: RunningListener, stored: list[str]) -> bool:
    """Whether the event log and the text logs hold this, each once."""
    return seen(running) == stored and sorted(logged(running)) == sorted(stored)


def test_nothing_is_lost_or_old_after_a_jump(
    listener: Callable[..., RunningListener], clock: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
):
    """Events, logs, proofs, silence, readiness, files with an age; and a relay that is killed after a jump.

    A token for an hour lets in, wrong passwords lock out for seconds, and no heartbeats are missed.
    """
    settings = {
        "ingest": {"plain_http": True},
        "sinks": {
            "text_log": {"rotate": {"size": 1, "keep_days": 5.0, "compress": False}}, "json_lines": {"enabled": False},
        },
        "sources": {"health_interval": 0.5, "proof_minutes": 60, "silence_grace": 0.0},
    }  # fmt: skip
    with listener(settings) as running:
        monkeypatch.undo()  # the clock of the tests is nobody's business
        headers = {"Authorization": f"Bearer {running.api_token}"}
        api, stored = running.manage_url + "/api/v1", []
        document = {"sources": [{"name": "bmc", "heartbeat_minutes": 30}]}
        assert requests.patch(f"{api}/sources", json=document, headers=headers, timeout=60).status_code == 200
        user = f"{api}/users/ann"
        wish = {"role": "root-admin", "password": PASSWORD}
        assert requests.put(user, json=wish, headers=headers, timeout=60).status_code == 201
        made = requests.post(f"{user}/tokens", json={"name": "t", "expires_in": 3600}, headers=headers, timeout=60)
        token = {"Authorization": f"Bearer {made.json()['secret']}"}
        for hours in HOURS:
            asked = requests.post(f"{api}/proofs", json={"sources": ["bmc"]}, headers=headers, timeout=60).json()
            clock(hours)
            if hours < 0:
                running.kill("relay")  # its heartbeat is of a later clock
            stored += [f"m{hours}", asked["proofs"][0]["marker"]]
            for mark in stored[-2:]:
                assert running.post(record(mark), "/events/bmc", timeout=60).status_code == 200
            wait_for(functools.partial(is_all, running, stored), 60)
            shown = requests.get(f"{api}/proofs/{asked['batch']}", headers=headers, timeout=60).json()
            assert shown["proofs"][0]["matched"] == "marker", shown
            wait_for(lambda: requests.get(f"{running.manage_url}/health/ready", timeout=60).status_code == 200, 60)
            assert requests.get(f"{api}/me", headers=token, timeout=60).status_code == 200, hours
            health = requests.get(f"{api}/sources/bmc", headers=headers, timeout=60).json()["health"]
            assert health["heartbeats_missed"] == 0, health
            login_works(api)
        received = [event["received"] for event in running.api("/api/v1/events").json()["events"]]
        assert len({moment[:13] for moment in received}) > 3, received  # the clock was set: other hours, if not days
        assert running.api("/api/v1/events", type="RedfleetEvents.SourceSilent").json()["events"] == []
