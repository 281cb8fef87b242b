# SPDX-License-Identifier: GPL-3.0-or-later
"""Webhooks of a running listener: kill -9 of the relay while it delivers, and the receiver of the documentation."""

import contextlib
import functools
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
from event_listener.process import die_with_parent

from tests.integration.listener_process import free_port
from tests.unit.listener.webhook_receiver import OK, Receiver

PAGE = Path(__file__).resolve().parents[2] / "docs" / "webhooks.md"
SETTINGS = {
    "webhook": {
        "exempt_networks": ["127.0.0.0/8"],
        "delivery": {"allow_http": True, "retry_base": 0.2, "retry_longest": 1, "timeout": 20},
        "deliveries": {"limit": 1000},
    }
}
EVENTS = 30


@pytest.fixture(scope="module")
def running(listener):
    with listener(SETTINGS) as running:
        yield running


def until(ask, seconds=90):
    end = time.monotonic() + seconds
    while not (found := ask()):
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.05)
    return found


def api(running, method, path, **body):
    headers = {"Authorization": f"Bearer {running.api_token}"}
    answer = requests.request(
        method, f"{running.manage_url}/api/v1{path}", json=body or None, headers=headers, timeout=60
    )
    assert answer.ok, answer.text
    return answer.json() if answer.content else None


def post(running, mark):
    body = {"Id": mark, "Events": [{"EventId": mark, "MessageId": "A.1.0.B"}]}
    url, ca = f"{running.url}/events/hooked", str(running.ca_path)
    assert requests.post(url, json=body, auth=running.credentials, verify=ca, timeout=60).ok


def relay_pid(running):
    """The relay holds a lock on a file; the kernel says who does."""
    inode = (running.state_dir / "run" / "relay.lock").stat().st_ino
    for line in Path("/proc/locks").read_text().splitlines():
        if f":{inode} " in line and " FLOCK " in line:
            return int(line.split()[4])
    return 0


def test_kill_9_in_mid_delivery(running):
    """Every event arrives; what comes twice has the id that it had."""

    def slowly(connection, _receiver):
        time.sleep(0.02)
        connection.sendall(OK)

    with Receiver(slowly) as receiver:
        webhook = api(running, "POST", "/webhooks", name="k", url=receiver.url, filters=[{"value": "A.B"}])["webhook"]
        for number in range(EVENTS):
            post(running, f"e{number}")
            if number == 15:
                seen = len(receiver.requests)
                until(lambda seen=seen: len(receiver.requests) > seen)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(until(lambda: relay_pid(running)), signal.SIGKILL)
        wanted = until(lambda: len({headers["X-CS-Event-ID"] for headers, _body in receiver.requests}) == EVENTS)
        assert wanted
        until(lambda: api(running, "GET", f"/webhooks/{webhook['id']}")["delivered"] == EVENTS)
        ids = {}
        for headers, body in receiver.requests:
            ids.setdefault(headers["X-CS-Event-ID"], set()).add((headers["webhook-id"], body))
        assert all(len(one) == 1 for one in ids.values())
        assert len({found for one in ids.values() for found in one}) == EVENTS
    api(running, "DELETE", f"/webhooks/{webhook['id']}")


def test_the_receiver_of_the_documentation(running, tmp_path):
    """It verifies, takes each event once, and refuses whom it doesn't know."""
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[1]
    (tmp_path / "receiver.py").write_text(code)
    port = free_port()
    made = api(
        running, "POST", "/webhooks", name="doc", url=f"http://127.0.0.1:{port}/", generate_secret=True,
        filters=[{"value": "A.B"}],
    )  # fmt: skip
    webhook = made["webhook"]["id"]
    with (tmp_path / "out").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, str(tmp_path / "receiver.py"), str(port), made["secret"]],
            stdout=output,
            stderr=subprocess.DEVNULL,
            preexec_fn=functools.partial(die_with_parent, os.getpid()),  # noqa: PLW1509 - as the listener's own
        )
        try:
            until(lambda: api(running, "POST", f"/webhooks/{webhook}/test", payload='{"type": "try"}')["success"])
            post(running, "documented")
            (one,) = until(
                lambda: api(running, "GET", f"/webhook-deliveries?webhook={webhook}&state=Delivered")["deliveries"]
            )
            again = api(running, "POST", f"/webhook-deliveries/{one['id']}/redeliver")
            until(lambda: api(running, "GET", f"/webhook-deliveries/{again['id']}")["state"] == "Delivered")
            assert (tmp_path / "out").read_text().split() == ["try", "A.B"]
            api(running, "PATCH", f"/webhooks/{webhook}", secret="somebody else's secret", keep_old_secret=0)
            assert api(running, "POST", f"/webhooks/{webhook}/test", payload="{}")["status"] == 401
        finally:
            process.kill()
            process.wait(60)
    api(running, "DELETE", f"/webhooks/{webhook}")
