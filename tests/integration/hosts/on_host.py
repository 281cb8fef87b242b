# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests ask of a listener on a host: its units, what it answers a BMC, what it holds."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import re
import ssl
import time

from tests.integration.hosts.deployment import CREDENTIAL, TOKEN
from tests.integration.hosts.estate import Host

# What a host writes by itself, and Ansible's own traces.
NOISE = ("var/log/journal", "var/log/wtmp", "var/log/lastlog", "var/log/btmp", "var/lib/systemd", "tmp", "var/tmp",
         "home/deploy", "root", "etc/.pwd.lock", "var/lib/private")  # fmt: skip


def disk(host: Host) -> set[str]:
    """Every file that was written to the host's disk since its tree was made."""
    upper = host.directory / "upper"
    files = {str(path.relative_to(upper)) for path in upper.rglob("*") if not path.is_dir()}
    return {name for name in files if not name.startswith(NOISE)}


def properties(host: Host, unit: str, *names: str) -> list[str]:
    """Values of a unit's properties, in the order asked."""
    shown = host.ssh(f"systemctl show {unit} --property={','.join(names)}")
    values = dict(line.split("=", 1) for line in shown.splitlines())
    return [values[name] for name in names]


def post(address: str, marker: str, port: int = 443) -> int:
    """POST an event with the fleet's credential on a connection of its own; returns the status."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # what is proven here isn't the certificate
    client = http.client.HTTPSConnection(address, port, timeout=30, context=context)
    record = {"EventId": marker, "MessageId": "ResourceEvent.1.3.TestMessage", "MessageArgs": [], "Message": marker}
    headers = {
        "Authorization": f"Basic {base64.b64encode(':'.join(CREDENTIAL).encode()).decode()}",
        "Content-Type": "application/json",
    }
    with contextlib.closing(client):
        client.request("POST", "/", json.dumps({"Name": "Event", "Events": [record]}), headers)
        return client.getresponse().status


def stored(host: Host, markers: set[str], timeout: float = 20) -> set[str]:
    """Which of the markers the host's text logs hold, once it holds them all or time is up."""
    deadline = time.monotonic() + timeout
    while True:
        text = host.ssh("cat /var/log/event-listener/Events_*.txt 2>/dev/null || true", root=True)
        found = {marker for marker in markers if re.search(rf"\b{re.escape(marker)}\b", text)}
        if found == markers or time.monotonic() > deadline:
            return found
        time.sleep(0.2)


def wait_active(host: Host, unit: str, previous: str = "0", timeout: float = 20) -> None:
    """Wait until a service runs under another process than `previous`."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        state, pid = properties(host, unit, "ActiveState", "MainPID")
        if state == "active" and pid not in ("0", previous):
            return
        time.sleep(0.2)
    raise AssertionError(f"{unit} is {state} with process {pid}")


def api_events(host: Host) -> set[str]:
    """EventIds of the newest thousand events that the host's API shows; none while it doesn't answer."""
    url = "http://127.0.0.1:9440/api/v1/events?limit=1000"
    request = f"u.Request('{url}', headers={{'Authorization': 'Bearer {TOKEN}'}})"
    code = f"import urllib.request as u; print(u.urlopen({request}).read().decode())"
    shown = host.ssh(f'python3 -c "{code}" 2>/dev/null', check=False)
    return {event["event_id"] for event in json.loads(shown)["events"]} if shown else set()


def exposure(host: Host, unit: str) -> tuple[float, str]:
    """How exposed `systemd-analyze security` finds a unit, 0 to 10, and its whole report."""
    report = host.ssh(f"systemd-analyze security --no-pager {unit}", root=True)
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", report)
    assert found, report
    return float(found[1]), report
