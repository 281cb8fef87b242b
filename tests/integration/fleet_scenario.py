# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of all personalities, some of its BMCs faulty in every way the simulator knows, subscribed as a user does.

Shared by a test (about a hundred BMCs) and a script (a thousand): tests/benchmarks/fleet_faulty.py.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from redfish_simulator.client import BmcHandle, Fleet
from redfish_simulator.faults import KINDS
from redfish_simulator.personalities import PERSONALITIES

from tests.integration.user_play import Done, play, write

FOREIGN = {
    "Destination": "https://192.0.2.9/",
    "Protocol": "Redfish",
    "Context": "theirs",
    "EventTypes": ["Alert"],
    "EventFormatType": "Event",
}
MINE = "https://127.0.0.1:9/events/"
TIMEOUT = 15  # seconds; a healthy BMC on a busy machine answers within it


@dataclass(frozen=True)
class Case:
    """A fault, who may have it (the others don't meet it), and what the summary has to say of them."""

    options: dict[str, Any]
    verdict: str
    says: str = ""
    vendors: tuple[str, ...] = ()
    login_type: str = ""

    def fits(self, bmc: BmcHandle) -> bool:
        return (not self.vendors or bmc.vendor in self.vendors) and self.login_type in ("", bmc.login_type)


# They are subscribed by POST, to a collection without pages and slots.
POSTS = ("plain", "openbmc", "idrac9", "idrac10", "xcc2", "plain-no-etag", "plain-weak-etag", "plain-absolute-location")
UNEXPANDED = ("openbmc",)  # they read members one by one
LOST = {"times": 1}
CASES: dict[str, Case] = {
    "slow": Case({"seconds": 1}, "changed"),
    "hanging": Case({}, "unreachable", r"timed? ?out|within"),
    "status": Case({"status": 500}, "failed", "HTTP 500"),
    "unauthorized": Case({}, "refused", "401"),
    "forbidden": Case({}, "refused", "403"),
    "connection_reset": Case({}, "unreachable", "."),
    "unreachable": Case({}, "unreachable", "."),
    "session_table_full": Case({}, "failed", "session", POSTS, "session"),
    "subscription_limit": Case({}, "failed", r"192\.0\.2\.9", POSTS),
    "html": Case({}, "failed", "Login - BMC Web Console", POSTS),
    "html_error": Case({}, "failed", "HTTP 502"),
    "not_json": Case({}, "failed", "not a JSON object", POSTS),
    "missing_location": Case({}, "changed", "", POSTS),
    "unreadable_members": Case({}, "failed", "cannot be read", UNEXPANDED),
    "missing_members": Case({}, "failed", "list of Members", POSTS),
    "create_timeout": Case(LOST, "changed", "", POSTS),
    "create_reset": Case(LOST, "changed", "", POSTS),
    "wrong_clock": Case({}, "changed"),
    "silent": Case({}, "changed"),
    "forgetful_reset": Case({}, "changed"),
}
assert set(CASES) == set(KINDS), "a fault of the simulator has no case here, or a case no fault"


@dataclass
class Scenario:
    """A running fleet, a folder for its inventory, and the share of its BMCs that is faulty."""

    fleet: Fleet
    directory: Path
    share: float = 0.05
    forks: int = 50
    faulty: dict[str, str] = field(default_factory=dict)  # BMC: kind of its fault, until it heals
    met: Counter[str] = field(default_factory=Counter)  # how many had each kind

    def prepare(self) -> None:
        """Every BMC holds a foreign subscription; faults are spread until the share is reached, each kind once."""
        for bmc in self.fleet.bmcs:
            bmc.seed_subscriptions(FOREIGN)
        wanted = max(len(CASES), round(len(self.fleet.bmcs) * self.share))
        # Faults that few BMCs can meet choose first, those that all meet come from the other end of the fleet.
        kinds = sorted(CASES, key=lambda kind: len(CASES[kind].vendors) or len(PERSONALITIES))
        for number in range(wanted):
            kind = kinds[number % len(kinds)]
            order = self.fleet.bmcs if CASES[kind].vendors else self.fleet.bmcs[::-1]
            bmc = next(each for each in order if each.name not in self.faulty and CASES[kind].fits(each))
            bmc.set_faults({"kind": kind, **CASES[kind].options})
            self.faulty[bmc.name] = kind
            self.met[kind] += 1
        self._write_inventory()

    def _write_inventory(self) -> None:
        content = yaml.safe_load(self.fleet.inventory_path.read_text())
        for bmc in self.fleet.bmcs:
            if bmc.vendor == "plain-basic-only":
                content["bmcs"]["hosts"][bmc.name]["redfish_login_type"] = "basic"
        content["bmcs"]["vars"] = {
            **content["bmcs"].get("vars", {}),
            "redfish_timeout": TIMEOUT,
            "redfish_retries": 0,
            "event_subscription": {"destination": MINE + "{{ inventory_hostname }}", "context": "ours"},
        }
        write(self.directory / "hosts.yml", content)

    def run(self, playbook: str = "subscribe.yml") -> Done:
        """The playbook on the whole fleet."""
        return play(playbook, self.directory / "hosts.yml", "--forks", str(self.forks), timeout=1800)

    def heal(self, names: Iterable[str]) -> None:
        """Take the faults of these BMCs away."""
        for name in list(names):
            self.fleet.bmc(name).clear_faults()
            del self.faulty[name]

    def wrong(self, done: Done, healthy: str) -> dict[str, str]:
        """BMCs about which the summary doesn't tell the truth; `healthy` is the verdict of the others."""
        told = done.summary()
        wrong = {}
        for bmc in self.fleet.bmcs:
            kind = self.faulty.get(bmc.name)
            case = CASES[kind] if kind else Case({}, healthy)
            verdict = healthy if case.verdict == "changed" else case.verdict
            line = told.get(bmc.name, "is not in the summary")
            if not line.startswith(verdict) or not re.search(case.says, line):
                wrong[f"{bmc.name} ({bmc.vendor}, {kind or 'healthy'})"] = line
        return wrong

    def bad(self) -> list[str]:
        """The faulty BMCs that can't be subscribed."""
        return [name for name, kind in self.faulty.items() if CASES[kind].verdict != "changed"]

    def unsubscribed(self) -> list[str]:
        """BMCs that don't hold exactly one subscription of ours."""
        return [bmc.name for bmc in self.fleet.bmcs if len(held(bmc, MINE)) != 1]

    def foreign(self) -> dict[str, list[Any]]:
        """The foreign subscriptions of every BMC, whole."""
        return {bmc.name: held(bmc, FOREIGN["Destination"]) for bmc in self.fleet.bmcs}


def held(bmc: BmcHandle, destination: str) -> list[dict[str, Any]]:
    """The BMC's subscriptions whose destination begins so."""
    return [each for each in bmc.subscriptions() if str(each.get("Destination")).startswith(destination)]


def mix(count: int) -> dict[str, int]:
    """About `count` BMCs, the same number of every personality."""
    return dict.fromkeys(PERSONALITIES, max(1, count // len(PERSONALITIES)))


def play_out(scenario: Scenario) -> list[str]:
    """Subscribe, heal half, subscribe again, unsubscribe. Returns what was not as it has to be, empty when all was."""
    scenario.prepare()
    before, trouble = scenario.foreign(), []

    def check(name: str, found: object) -> None:
        if found:
            trouble.append(f"{name}: {found}")

    check("summary of the first run", scenario.wrong(scenario.run(), healthy="changed"))
    check("not subscribed", sorted(set(scenario.unsubscribed()) - set(scenario.bad())))
    check("subscribed in spite of their fault", sorted(set(scenario.bad()) - set(scenario.unsubscribed())))
    healed = scenario.bad()[::2]
    scenario.heal(healed)
    second = scenario.run()
    told = second.summary()
    check("healed, but not changed", {name: told[name] for name in healed if not told[name].startswith("changed")})
    scenario.fleet.bmcs, everyone = [bmc for bmc in scenario.fleet.bmcs if bmc.name not in healed], scenario.fleet.bmcs
    check("summary of the second run", scenario.wrong(second, healthy="ok"))
    scenario.fleet.bmcs = everyone
    scenario.heal(list(scenario.faulty))
    check("unsubscribing", scenario.run("redfleet.events.unsubscribe").status)
    check("still subscribed", [bmc.name for bmc in everyone if held(bmc, MINE)])
    after = scenario.foreign()
    check("foreign subscriptions touched", [name for name, whole in before.items() if after[name] != whole])
    check("sessions left behind", scenario.fleet.counters()["sessions"])
    return trouble
