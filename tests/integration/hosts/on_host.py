# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests ask of a listener on a host: its units, what it answers a BMC, what it holds."""

from __future__ import annotations

import base64
import contextlib
import http.client
import itertools
import json
import re
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.integration.hosts.deployment import CREDENTIAL, TOKEN
from tests.integration.hosts.estate import Estate, Host

# What a host writes by itself, and Ansible's own traces.
NOISE = ("var/log/journal", "var/log/wtmp", "var/log/lastlog", "var/log/btmp", "var/lib/systemd", "tmp", "var/tmp",
         "home/deploy", "root", "etc/.pwd.lock", "var/lib/private")  # fmt: skip


def disk(host: Host, besides: tuple[str, ...] = ()) -> set[str]:
    """Every file that was written to the host's disk since its tree was made; but those whose names begin so."""
    upper = host.directory / "upper"
    files = {str(path.relative_to(upper)) for path in upper.rglob("*") if not path.is_dir()}
    return {name for name in files if not name.startswith((*NOISE, *besides))}


def properties(host: Host, unit: str, *names: str) -> list[str]:
    """Values of a unit's properties, in the order asked."""
    shown = host.ssh(f"systemctl show {unit} --property={','.join(names)}")
    values = dict(line.split("=", 1) for line in shown.splitlines())
    return [values[name] for name in names]


class Bmc:
    """What posts to a listener, on one connection; with `ca_path` it verifies the listener's certificate."""

    def __init__(self, address: str, port: int = 443, ca_path: Path | None = None, timeout: float = 30) -> None:
        context = ssl.create_default_context(cafile=ca_path)
        if ca_path is None:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self._client = http.client.HTTPSConnection(address, port, timeout=timeout, context=context)

    def send(self, marker: str) -> int:
        """POST an event with the fleet's credential; returns the status."""
        record = {"EventId": marker, "MessageId": "ResourceEvent.1.3.TestMessage", "MessageArgs": [], "Message": marker}
        headers = {
            "Authorization": f"Basic {base64.b64encode(':'.join(CREDENTIAL).encode()).decode()}",
            "Content-Type": "application/json",
        }
        self._client.request("POST", "/", json.dumps({"Name": "Event", "Events": [record]}), headers)
        answer = self._client.getresponse()
        answer.read()
        return answer.status

    def certificate(self) -> bytes:
        """What the listener shows on this connection, in DER."""
        if self._client.sock is None:
            self._client.connect()
        assert isinstance(self._client.sock, ssl.SSLSocket)
        return self._client.sock.getpeercert(binary_form=True) or b""

    def close(self) -> None:
        """Hang up."""
        self._client.close()


def post(address: str, marker: str, port: int = 443) -> int:
    """POST an event on a connection of its own; returns the status."""
    with contextlib.closing(Bmc(address, port)) as bmc:
        return bmc.send(marker)


def stored(host: Host, markers: set[str], timeout: float = 20) -> set[str]:
    """Which of the markers the host's text logs hold, once it holds them all or time is up."""
    deadline = time.monotonic() + timeout
    while True:
        text = host.ssh("cat /var/log/event-listener/Events_*.txt 2>/dev/null || true", root=True)
        found = {marker for marker in markers if re.search(rf"\b{re.escape(marker)}\b", text)}
        if found == markers or time.monotonic() > deadline:
            return found
        time.sleep(0.2)


def wait_active(host: Host, unit: str, previous: str = "0", timeout: float = 60) -> None:
    """Wait until a service runs under another process than `previous`."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        state, pid = properties(host, unit, "ActiveState", "MainPID")
        if state == "active" and pid not in ("0", previous):
            return
        time.sleep(0.2)
    raise AssertionError(f"{unit} is {state} with process {pid}")


def api(host: Host, path: str, parse: Callable[[str], Any] = json.loads) -> Any:
    """What the host's management API answers to a GET, parsed; None while it doesn't answer."""
    request = f"u.Request('http://127.0.0.1:9440{path}', headers={{'Authorization': 'Bearer {TOKEN}'}})"
    code = f"import urllib.request as u; print(u.urlopen({request}).read().decode())"
    shown = host.ssh(f'python3 -c "{code}" 2>/dev/null', check=False)
    return parse(shown) if shown else None


def api_events(host: Host) -> set[str]:
    """EventIds of the newest thousand events that the host's API shows; none while it doesn't answer."""
    shown = api(host, "/api/v1/events?limit=1000")
    return {event["event_id"] for event in shown["events"]} if shown else set()


def exposure(host: Host, unit: str) -> tuple[float, str]:
    """How exposed `systemd-analyze security` finds a unit, 0 to 10, and its whole report."""
    report = host.ssh(f"systemd-analyze security --no-pager {unit}", root=True)
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", report)
    assert found, report
    return float(found[1]), report


class Traffic:
    """A BMC that posts for as long as the block lasts; `acknowledged` are the events that got a 200.

    `lasting`: on one connection that must never be dropped, else each event on a new one. With `ca_path` it verifies.
    Answered 503, as a busy disk may make the listener do, it sends again (`again` counts that); `refused` is all else.
    `insistent`: what gets no answer is sent again too, after two seconds; `repeated` are the events which that befell.
    """

    def __init__(
        self, estate: Estate, host: Host | str, prefix: str, *, lasting: bool = False, insistent: bool = False,
        ca_path: Path | None = None,
    ) -> None:  # fmt: skip
        self.acknowledged: set[str] = set()
        self.refused: list[str] = []
        self.repeated: set[str] = set()
        self.again = self.sent = 0
        self._estate, self._prefix = estate, prefix
        self._address = host if isinstance(host, str) else host.address
        self._lasting, self._insistent, self._ca_path = lasting, insistent, ca_path
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        with self._estate.network():
            bmc = Bmc(self._address, ca_path=self._ca_path, timeout=2 if self._insistent else 30)
            for number in itertools.count(1):
                self.sent = number
                self._send(bmc, f"{self._prefix}-{number}")
                if not self._lasting:
                    bmc.close()
                if self._over.wait(0.05):
                    break
            bmc.close()

    def _send(self, bmc: Bmc, marker: str) -> None:
        try:
            status = bmc.send(marker)
        except (OSError, http.client.HTTPException) as error:
            bmc.close()
            if not self._insistent:
                self.refused.append(f"{marker}: {error!r}")
            elif not self._over.wait(0.1):
                self.repeated.add(marker)
                self._send(bmc, marker)
            return
        if status == http.HTTPStatus.OK:
            self.acknowledged.add(marker)
        elif status == http.HTTPStatus.SERVICE_UNAVAILABLE and not self._over.wait(0.5):
            self.again += 1
            self._send(bmc, marker)
        elif status != http.HTTPStatus.SERVICE_UNAVAILABLE:
            self.refused.append(f"{marker}: {status}")

    def __enter__(self) -> Traffic:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()
