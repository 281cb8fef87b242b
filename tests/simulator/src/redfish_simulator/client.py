# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet for tests: `with Fleet(count=24) as fleet: ...` starts the process, this talks to its control API.

Standard library only.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

Json = dict[str, Any]
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class FleetError(Exception):
    """The simulator didn't start, or refused a request of the control API."""


def _call(url: str, method: str = "GET", body: Any = None, timeout: float = 60.0) -> Any:
    data = body.encode() if isinstance(body, str) else None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    try:
        with _DIRECT.open(request, timeout=timeout) as response:
            return json.loads(response.read())
    except urllib.error.HTTPError as error:
        raise FleetError(error.read().decode(errors="replace")) from None


@dataclass(frozen=True)
class BmcHandle:
    """One simulated BMC, as clients know it, and what tests can do with it."""

    name: str
    address: str
    port: int
    baseuri: str
    vendor: str
    username: str
    password: str = field(repr=False)
    login_type: str
    tls_fingerprint: str
    uuid: str
    serial: str
    model: str
    firmware: str
    control: str

    def inside(self) -> Json:
        """Subscriptions with hidden headers, sessions, faults, counters."""
        return dict(_call(f"{self.control}/bmcs/{self.name}"))

    def subscriptions(self) -> list[Json]:
        """Its subscriptions, hidden HttpHeaders included."""
        return list(self.inside()["subscriptions"])

    def sessions(self) -> list[str]:
        """Ids of the sessions that are open."""
        return list(self.inside()["sessions"])

    def counters(self) -> dict[str, int]:
        """Delivered, failed, dropped, terminated, requests, ..."""
        return dict(self.inside()["counters"])

    def requests(self, after: int = 0) -> list[Json]:
        """Its request log."""
        return list(_call(f"{self.control}/bmcs/{self.name}/requests?after={after}"))

    def set_fault(self, kind: str, **options: Any) -> None:
        """Have this fault and no other."""
        self.set_faults({"kind": kind, **options})

    def set_faults(self, *faults: Json) -> None:
        """Have these faults and no others."""
        _call(f"{self.control}/bmcs/{self.name}/faults", "PUT", list(faults))

    def clear_faults(self) -> None:
        """Heal."""
        _call(f"{self.control}/bmcs/{self.name}/faults", "DELETE")

    def emit(self, *records: Json, **options: Any) -> int:
        """Send these records in one POST, or (kind=, count=, records_per_post=) realistic ones; returns deliveries."""
        body: Any = list(records) if records else options
        return int(_call(f"{self.control}/bmcs/{self.name}/events", "POST", body)["deliveries"])

    def emit_raw(self, body: str) -> int:
        """POST exactly this body to every subscription."""
        return int(_call(f"{self.control}/bmcs/{self.name}/events", "POST", {"raw": body})["deliveries"])

    def reset(self, forget_subscriptions: bool = False) -> None:
        """Restart the management controller."""
        _call(f"{self.control}/bmcs/{self.name}/reset", "POST", {"forget_subscriptions": forget_subscriptions})

    def expire_sessions(self) -> None:
        """Let all its sessions expire now."""
        _call(f"{self.control}/bmcs/{self.name}/sessions", "DELETE")

    def seed_subscriptions(self, *subscriptions: Json) -> list[Json]:
        """Have exactly these subscriptions, unchecked."""
        return list(_call(f"{self.control}/bmcs/{self.name}/subscriptions", "PUT", list(subscriptions)))


class Fleet:
    """A running simulator. `options` are those of the command line: `network`, `port`, `seed`, `ca_dir`, `listener_ca`,
    `time_scale`, `delivery_timeout`, ... `directory` takes its files (a new temporary one by default). With
    `outlive` the fleet goes on when this process ends; its pid is in state.json."""

    def __init__(
        self,
        count: int | None = None,
        mix: str | Mapping[str, int] | None = None,
        directory: str | os.PathLike[str] | None = None,
        start_timeout: float = 60.0,
        outlive: bool = False,
        **options: Any,
    ) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="redfish-fleet-") if directory is None else None
        self.directory = Path(self._temporary.name if self._temporary else str(directory))
        self.state_path = self.directory / "state.json"
        self.inventory_path = self.directory / "inventory.yml"
        self.log_path = self.directory / "simulator.log"
        self._start_timeout = start_timeout
        self._outlive = outlive
        self._arguments = _arguments(count, mix, {"port": 0, **options})
        self._process: subprocess.Popen[bytes] | None = None
        self.control = ""
        self.bmcs: list[BmcHandle] = []

    def __enter__(self) -> Self:
        if self._process is None:
            self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Of the simulator's process."""
        if self._process is None:
            raise FleetError("The fleet isn't running; start() it.")
        return self._process.pid

    def start(self) -> None:
        """Start the process and wait until every BMC listens. Raises FleetError with its output."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.state_path.unlink(missing_ok=True)
        options = ["--state", str(self.state_path), "--inventory", str(self.inventory_path)]
        options += [] if self._outlive else ["--until-eof"]
        command = [sys.executable, "-m", "redfish_simulator", *self._arguments, *options]
        source = str(Path(__file__).resolve().parent.parent)
        path = os.pathsep.join(filter(None, (source, os.environ.get("PYTHONPATH"))))
        with self.log_path.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A pipe closes when we end, however we end, and the fleet ends with it.
                stdin=subprocess.DEVNULL if self._outlive else subprocess.PIPE,
                start_new_session=self._outlive,
                env={**os.environ, "PYTHONPATH": path},
            )
        deadline = time.monotonic() + self._start_timeout
        while not self.state_path.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._terminate()
                raise FleetError(f"The simulator didn't start: {self.log_path.read_text(errors='replace')[-2000:]}")
            time.sleep(0.02)
        state = json.loads(self.state_path.read_text())
        self.control = state["control"]
        self.bmcs = [BmcHandle(**bmc, control=self.control) for bmc in state["bmcs"]]

    def stop(self) -> None:
        """Stop the process; its log stays in a directory that was given."""
        self._terminate()
        if self._temporary:
            self._temporary.cleanup()

    def _terminate(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def bmc(self, name: str) -> BmcHandle:
        """The BMC of this name."""
        for bmc in self.bmcs:
            if bmc.name == name:
                return bmc
        raise FleetError(f"There is no BMC {name!r} in this fleet.")

    def by_vendor(self, vendor: str) -> list[BmcHandle]:
        """The BMCs of a personality."""
        return [bmc for bmc in self.bmcs if bmc.vendor == vendor]

    def emit(self, *records: Json, timeout: float = 600.0, **options: Any) -> int:
        """A storm: the same on every BMC; `rate` (POSTs per second), `bmcs` (names), kind, count, records_per_post."""
        body: Any = list(records) if records else options
        return int(_call(f"{self.control}/events", "POST", body, timeout)["deliveries"])

    def set_fault(self, kind: str, **options: Any) -> None:
        """Let every BMC have this fault and no other; `set_fault("slow", seconds=1)` is as slow as real ones."""
        _call(f"{self.control}/faults", "PUT", {"kind": kind, **options})

    def clear_faults(self) -> None:
        """Heal every BMC."""
        _call(f"{self.control}/faults", "DELETE")

    def requests(self, after: int = 0) -> list[Json]:
        """The request log of the whole fleet."""
        return list(_call(f"{self.control}/requests?after={after}"))

    def clear_requests(self) -> None:
        """Forget the request log."""
        _call(f"{self.control}/requests", "DELETE")

    def counters(self) -> dict[str, int]:
        """Sums over the fleet, with `subscriptions`, `sessions` and `pending` deliveries."""
        return dict(_call(f"{self.control}/counters"))

    def wait_idle(self, timeout: float = 30.0) -> bool:
        """Wait until no delivery is under way; False where some were left."""
        return bool(_call(f"{self.control}/wait-idle", "POST", {"timeout": timeout}, timeout + 30)["idle"])

    def trust(self, ca_pem: str) -> None:
        """Let BMCs that verify accept listeners with certificates of these CAs."""
        _call(f"{self.control}/trust", "PUT", ca_pem)


def _arguments(count: int | None, mix: str | Mapping[str, int] | None, options: Mapping[str, Any]) -> list[str]:
    arguments = [] if count is None else ["--count", str(count)]
    if mix:
        text = mix if isinstance(mix, str) else ",".join(f"{name}={number}" for name, number in mix.items())
        arguments += ["--mix", text]
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        if value is True:
            arguments.append(flag)
        elif value is not None and value is not False:
            arguments += [flag, str(value)]
    return arguments
