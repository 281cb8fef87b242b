# SPDX-License-Identifier: GPL-3.0-or-later
"""One BMC of every personality that the simulator knows: all converge at once, and stay."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redfish_simulator.client import Fleet
from redfish_simulator.personalities import PERSONALITIES

from tests.integration.fleet_play import Runner, writes

DECLARED: dict[str, Any] = {
    "destination": "https://127.0.0.1:9/events/{{ inventory_hostname }}",
    "context": "rack7",
    "http_headers": {"Authorization": "Basic c2VjcmV0OnNlY3JldA=="},
    "delivery_retry_policy": "RetryForever",
    "verify_certificate": False,
    "on_unsupported": {"http_headers": "drop"},
}
LOGIN = {"login_type": "{{ 'basic' if personality[inventory_hostname] == 'plain-basic-only' else redfish_login_type }}"}
# They show an empty Context whatever it is, so that a change of it can't be noticed, and that is what they report.
CONTEXT_NOT_SHOWN = ("ilo5", "ilo4", "xcc1")


@pytest.fixture(scope="module")
def bmcs(fleet: Callable[..., Fleet]) -> Iterator[Fleet]:
    with fleet(mix=dict.fromkeys(PERSONALITIES, 1), time_scale=0.01) as running:
        yield running


def check(outcome: Any, bmcs: list[Any], changed: bool) -> None:
    wrong = {
        bmc.vendor + " " + bmc.name: outcome[bmc.name].get("msg")
        for bmc in bmcs
        if outcome[bmc.name].get("failed") or outcome[bmc.name]["changed"] is not changed
    }
    assert wrong == {}


def ours(bmc: Any) -> list[dict[str, Any]]:
    return [each for each in bmc.subscriptions() if str(each.get("Destination")).startswith("https://127.0.0.1")]


def test_every_personality_converges(bmcs: Fleet, tmp_path: Path):
    """Create, change the context, remove: each changes once, then nothing; foreign subscriptions stay."""
    run = Runner(bmcs, tmp_path)
    foreign = {"Destination": "https://192.0.2.9/", "Protocol": "Redfish", "Context": "theirs", "EventTypes": ["Alert"]}
    for bmc in bmcs.bmcs:
        bmc.seed_subscriptions(foreign)
    variables = {"personality": {bmc.name: bmc.vendor for bmc in bmcs.bmcs}}
    common: dict[str, Any] = {"_connection": LOGIN, "_variables": variables}
    for context, blind in (("rack7", ()), ("rack8", CONTEXT_NOT_SHOWN)):
        declared = {**DECLARED, "context": context, **common}
        done = run.task("event_destination", **declared)
        check(done, [bmc for bmc in bmcs.bmcs if bmc.vendor not in blind], changed=True)
        check(done, [bmc for bmc in bmcs.bmcs if bmc.vendor in blind], changed=False)
        told = {bmc.vendor for bmc in bmcs.bmcs if "Context" in done[bmc.name]["unverified"]}
        assert told >= set(blind)
        kept = {bmc.vendor: [each.get("Context") for each in ours(bmc)] for bmc in bmcs.bmcs}
        assert {vendor: len(contexts) for vendor, contexts in kept.items()} == dict.fromkeys(kept, 1)
        # The credential is given up only where no header can be sent, whatever else was refused with it.
        assert {bmc.vendor for bmc in bmcs.bmcs if not ours(bmc)[0].get("HttpHeaders")} == {"idrac8"}
        bmcs.clear_requests()
        check(run.task("event_destination", **declared), bmcs.bmcs, changed=False)
        assert writes(bmcs) == []
    check(run.task("event_destination", **{**DECLARED, **common, "state": "absent"}), bmcs.bmcs, changed=True)
    check(run.task("event_destination", **{**DECLARED, **common, "state": "absent"}), bmcs.bmcs, changed=False)
    for bmc in bmcs.bmcs:
        assert ours(bmc) == [], bmc.vendor
        assert [each for each in bmc.subscriptions() if each.get("Destination") == "https://192.0.2.9/"], bmc.vendor
    assert bmcs.counters()["sessions"] == 0


def test_every_personality_takes_a_test_event(bmcs: Fleet, tmp_path: Path):
    """SubmitTestEvent in the shape that each vendor takes."""
    run = Runner(bmcs, tmp_path)
    for bmc in bmcs.bmcs:
        bmc.seed_subscriptions(
            {"Destination": f"https://127.0.0.1:9/{bmc.name}", "Protocol": "Redfish", "Context": "rack7"}
        )
    tests = [bmc for bmc in bmcs.bmcs if bmc.vendor not in ("cisco", "plain-basic-only")]  # off; no sessions
    options = {"destination": "https://127.0.0.1:9/{{ inventory_hostname }}", "context": "rack7"}
    result = run.task("submit_test_event", hosts=",".join(bmc.name for bmc in tests), **options)
    assert {bmc.vendor: result[bmc.name].get("msg") for bmc in tests if result[bmc.name].get("failed")} == {}
