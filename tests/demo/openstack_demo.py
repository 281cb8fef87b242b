# SPDX-License-Identifier: GPL-3.0-or-later
"""`make demo-openstack`: from a security group rule to its syslog line and a scan of exactly the affected addresses.

RabbitMQ, rsyslog and oslo.messaging are real; Keystone, Neutron, Nova and Qualys are simulated over HTTP. All of
it ends with this process, however it ends. KEEP=1 keeps it up until Ctrl-C.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from types import FrameType
from typing import Any, NamedTuple

import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.demo.openstack_listener import SERVICES, Listener
from tests.services.openstack_api import OpenStackApi, port
from tests.services.oslo_sender import OsloSender
from tests.services.qualys import Qualys
from tests.services.rabbitmq import RabbitMQ
from tests.services.rsyslog import Rsyslog
from tests.services.service import ServiceError, wait_until

LIMIT_SECONDS = 300
PATIENCE = 60.0
GROUP, OTHER_GROUP = "web", "db"
AFFECTED = ["192.0.2.11", "192.0.2.12", "203.0.113.7"]
KINDS = {"sg_rule_add": "the rule was made", "sg_rule_del": "the rule was removed"}
WHO = {"user_id": "u1", "user_name": "alice", "project_id": "p1", "project_name": "shop", "request_id": "req-1"}
RULE = {
    "id": "rule-1", "security_group_id": GROUP, "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp",
    "port_range_min": 22, "port_range_max": 22, "remote_ip_prefix": "0.0.0.0/0", "tenant_id": "p1",
}  # fmt: skip


class DemoError(Exception):
    """Why the demo ended early; the text is for the screen."""


class Outcome(NamedTuple):
    """What arrived: syslog lines by kind of change, those of a scan's start, all scans, all jobs of scans."""

    lines: dict[str, list[dict[str, Any]]]
    started: list[dict[str, Any]]
    scans: list[tuple[str, tuple[str, ...]]]
    jobs: list[dict[str, Any]]

    def summary(self) -> str:
        """The demo's last line."""
        changes = {line["event_id"] for lines in self.lines.values() for line in lines}
        addresses = {address for _, scanned in self.scans for address in scanned}
        scans = f"{len(self.scans)} scan{'' if len(self.scans) == 1 else 's'}"
        return f"{len(changes)} changes told, {scans} of {len(addresses)} addresses launched"

    def missing(self) -> list[str]:
        """What isn't as it has to be."""
        wanted = ", ".join(AFFECTED)
        found = [what for kind in KINDS for what in self._missing_lines(kind)]
        if [sorted(scanned) for _, scanned in self.scans] != [AFFECTED]:
            found.append(f"one scan of {wanted}; there are {self.scans}")
        named = [(line["affected_ip_address"], line["qualys_scan_id"]) for line in self.started]
        if sorted(named) != [(address, reference) for reference, _ in self.scans for address in AFFECTED]:
            found.append(f"syslog lines that name the scan of {wanted}; there are {named}")
        if [job["state"] for job in self.jobs] != ["completed"]:
            found.append(f"one job of a scan, completed; there are {self.jobs}")
        return found

    def _missing_lines(self, kind: str) -> list[str]:
        lines = self.lines.get(kind, [])
        told = [line["affected_ip_address"] for line in lines]
        found = []
        if sorted(told) != AFFECTED:
            found.append(f"syslog lines of {kind} for {', '.join(AFFECTED)}; they are for {', '.join(told) or 'none'}")
        # Of the removal only the id was said: the rest is what the listener knew.
        rules = [line["security_group_rule"] for line in lines]
        return found + [
            f"the rule in a line of {kind}; it is {rule}" for rule in rules if not RULE.items() <= rule.items()
        ]


def step(title: str, action: Callable[[], Any]) -> Any:
    """Run an action, with its title and its time on the screen."""
    started = time.monotonic()
    print(f"  {title} ...", end="", flush=True)
    result = action()
    print(f" {time.monotonic() - started:.1f} s", flush=True)
    return result


def simulated_cloud() -> OpenStackApi:
    """Two servers in the group, one of them with a floating address, and one in another group alone."""
    api = OpenStackApi()
    api.ports = [
        port("port-1", [GROUP], "192.0.2.11", server="server-1"),
        port("port-2", [GROUP, OTHER_GROUP], "192.0.2.12", server="server-2"),
        port("port-3", [OTHER_GROUP], "192.0.2.21", server="server-3"),
    ]
    api.floating = [{"id": "floating-1", "port_id": "port-1", "floating_ip_address": "203.0.113.7"}]
    api.servers = {"server-1": "web1", "server-2": "web2", "server-3": "db1"}
    return api


class Demo:
    """The peers, each entered into ``stack``, and the steps in their order."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.api = stack.enter_context(simulated_cloud())
        self.scanner = stack.enter_context(Qualys())
        self.rsyslog, self.rabbitmq = Rsyslog(), RabbitMQ()

    def start(self) -> None:
        """Everything that has to run, in the order in which it needs each other."""
        step("start rsyslog", lambda: self._stack.enter_context(self.rsyslog))
        step("start RabbitMQ", lambda: self._stack.enter_context(self.rabbitmq))
        broker = self.rabbitmq
        url = f"rabbit://{broker.username}:{broker.password}@{broker.address}//"
        self.sender = self._stack.enter_context(OsloSender(url))
        # The services make their exchanges; the listener never does.
        step("start Neutron and Nova       (oslo.messaging; Keystone's API too)", self._noise)
        self.listener = Listener(self.rabbitmq, self.rsyslog, self.scanner, self.api)
        step("start the listener           (event-listener run)", lambda: self._stack.enter_context(self.listener))
        self._wait("wait until it follows        (bus, cloud, sinks)", self._follows)

    def _noise(self) -> None:
        """What the services say all day, and nobody here wants scanned."""
        self.sender.notify("compute.instance.update", {"instance_id": "server-3"}, exchange=SERVICES[1])
        self.sender.notify("port.update.end", {"port": self.api.ports[2]}, exchange=SERVICES[0])

    def _follows(self) -> bool:
        """Whether all began: a sink, and what follows the changes, tell of what happens after their first start."""
        up = self._metrics("event_listener_input_up").get("openstack") == 1
        return up and set(self._waiting()) == {"soc", "qualys"} and "the cloud has " in self.listener.printed()

    def _waiting(self) -> dict[str, float]:
        """By sink, how many events it has not confirmed."""
        return self._metrics("event_listener_sink_lag")

    def _metrics(self, name: str) -> dict[str, float]:
        """A metric's values by its first label."""
        families = text_string_to_metric_families(self.listener.ask("/metrics").text)
        samples = [sample for family in families for sample in family.samples if sample.name == name]
        return {next(iter(sample.labels.values())): sample.value for sample in samples}

    def change(self) -> None:
        """A rule is made and removed, between noise. Neutron's notification of the removal has the rule's id alone."""
        rule = {"security_group_rule": RULE}
        self._noise()
        self.api.rules.append(RULE)
        self.sender.notify("security_group_rule.create.end", rule, context=WHO)
        self.api.rules.remove(RULE)
        self.sender.notify("security_group_rule.delete.end", {"security_group_rule_id": RULE["id"]}, context=WHO)
        self._noise()

    def lines(self) -> list[dict[str, Any]]:
        """The syslog lines so far, as osel's JSON."""
        return [json.loads(record["message"]) for record in self.rsyslog.records() if record["app"] == "osel"]

    def of_change(self, kind: str) -> list[dict[str, Any]]:
        """The lines that tell of a change itself."""
        return [line for line in self.lines() if line["change_type"] == kind and not line["qualys_scan_id"]]

    def of_scan(self) -> list[dict[str, Any]]:
        """The lines that tell of a scan that was started."""
        return [line for line in self.lines() if line["qualys_scan_id"]]

    def watch(self) -> None:
        """Wait for each part of what has to arrive. Raises ServiceError with what didn't."""
        for kind in KINDS:
            self._wait(f"syslog tells of {kind}", lambda kind=kind: len(self.of_change(kind)) >= len(AFFECTED))
        self._wait("a scan is launched", self.scanner.launches)
        for scan in self.scanner.launches():
            self.scanner.states[scan.reference] = "Finished"
        self._wait("syslog tells of the scan", lambda: len(self.of_scan()) >= len(AFFECTED))
        self._wait("its job is over", lambda: "completed" in [job["state"] for job in self.jobs()])
        self._wait("nothing else waits to be told or scanned", lambda: self._waiting() == {"soc": 0, "qualys": 0})

    def _wait(self, title: str, condition: Callable[[], object]) -> None:
        """A step: until something holds. A listener that can't answer now is asked again."""
        trouble = ""

        def holds() -> object:
            nonlocal trouble
            try:
                return condition()
            except requests.RequestException as error:
                trouble = f"\n{error}"
                return False

        def told() -> str:
            return f"it didn't come to that.\nSyslog: {self.lines()}\n{self.listener.printed()[-3000:]}{trouble}"

        step(title, lambda: wait_until(holds, told, PATIENCE))

    def jobs(self) -> list[dict[str, Any]]:
        """All jobs of scans."""
        return [job for job in self.listener.ask("/api/v1/jobs").json()["jobs"] if job["start_id"].startswith("scan-")]

    def outcome(self) -> Outcome:
        """All that arrived until now."""
        scans = [(scan.reference, scan.addresses) for scan in self.scanner.launches()]
        return Outcome({kind: self.of_change(kind) for kind in KINDS}, self.of_scan(), scans, self.jobs())


def show(outcome: Outcome) -> None:
    """Print what arrived."""
    for kind, title in KINDS.items():
        print(f"\n  syslog, {title} (osel's JSON, a line per address):")
        for number, line in enumerate(outcome.lines[kind]):
            print(f"    the same for {line['affected_ip_address']}" if number else f"    {json.dumps(line)}")
    print("\n  syslog, a scan was started for it:")
    for line in outcome.started:
        shown = {name: line[name] for name in ("affected_ip_address", "change_type", "qualys_scan_id", "event_id")}
        print(f"    {json.dumps(shown)}")
    print("\n  Qualys was told to scan:")
    for reference, addresses in outcome.scans:
        print(f"    {reference}: {', '.join(addresses)}")
    print("\n  the job of the scan:")
    names = ("start_id", "state", "scheduled", "started", "ended", "message")
    for job in outcome.jobs:
        print("    " + json.dumps({name: job[name] for name in names}))


def keep_up(demo: Demo) -> None:
    """Say how to look around, and wait for Ctrl-C."""
    listener, rsyslog = demo.listener, demo.rsyslog
    print("\n  It is still running (KEEP=1). Look at it from another terminal, in this directory:")
    print(f"    {listener.typed('events', '-f')}")
    for name in (["jobs"], ["scans", "list"], ["sinks"]):
        print(f"    {listener.typed(*name)}")
    print(f"    cat {listener.config}")
    print(f"    tail -f {rsyslog.directory}/received     (what rsyslog parsed)")
    print("  Stop it with Ctrl-C.", flush=True)
    try:
        signal.pause()
    except KeyboardInterrupt:
        print("\n  stopped by Ctrl-C")


def too_late(_number: int, _frame: FrameType | None) -> None:
    """SIGALRM. Raises DemoError."""
    raise DemoError(f"not done after {LIMIT_SECONDS} s; this machine may be too busy")


def run(keep: bool) -> Outcome:
    """Take all steps; returns what arrived, nothing when it ended early. Everything is stopped then."""
    outcome = Outcome({}, [], [], [])
    try:
        with ExitStack() as stack:
            demo = Demo(stack)
            demo.start()
            step("make a rule and remove it    (oslo.messaging)", demo.change)
            try:
                demo.watch()
            except ServiceError as error:  # what did arrive is shown all the same
                print(f"\n\n{error}")
            outcome = demo.outcome()
            signal.alarm(0)
            show(outcome)
            if keep:
                keep_up(demo)
    except (DemoError, ServiceError, requests.RequestException) as error:
        print(f"\n\n{error}\n")
    except KeyboardInterrupt:
        print("\n\nstopped by Ctrl-C\n")
    return outcome


def main() -> int:
    """Run the demo; return the exit status."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # the simulated APIs' requests
    signal.signal(signal.SIGALRM, too_late)
    signal.alarm(LIMIT_SECONDS)
    print("demo-openstack: from a security group rule to its syslog line and a scan, on a simulated OpenStack")
    outcome = run(os.environ.get("KEEP", "") not in ("", "0"))
    missing = outcome.missing()
    print()
    for what in missing:
        print(f"  missing: {what}")
    print(f"demo-openstack: {outcome.summary()}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
