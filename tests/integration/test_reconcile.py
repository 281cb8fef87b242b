# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet that nobody looks after stays whole: the playbook that a timer runs, after an outage and after resets."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.integration.fleet_estate import Estate
from tests.integration.listener_process import RunningListener, wait_for
from tests.integration.user_play import Done

pytestmark = pytest.mark.slow
OUTAGE = 16  # seconds; the listener takes note from 15 on
SOON = {"reconcile_settle": "1s", "reconcile_outage": "10s"}


@pytest.fixture(scope="module")
def estate(tmp_path_factory, fleet, listener):
    """OpenBMCs whose 90 s until they delete a subscription are two; they ask for TerminateAfterRetries."""
    simulated = fleet(mix={"openbmc": 3}, time_scale=0.02, network="127.63.0.0/16")
    running = listener()
    simulated.trust(running.ca_path.read_text())
    made = Estate(tmp_path_factory.mktemp("estate"), simulated, running)
    made.declare(context="reconcile", delivery_retry_policy="TerminateAfterRetries")
    done = made.play("subscribe.yml")
    assert done.status == 0, done.output
    return made


def reconcile(estate: Estate, *arguments: str, **variables: object) -> Done:
    """What the timer does."""
    return estate.play("redfleet.events.reconcile", "-e", json.dumps({**SOON, **variables}), *arguments)


def until_nothing_is_due(estate: Estate, **variables: object) -> list[Done]:
    """Run it as a timer would, until it has nothing to do; the runs that had."""
    runs = []
    while "TASK [Summary]" in (done := reconcile(estate, **variables)).output:
        assert done.status == 0, done.output
        runs.append(done)
        assert len(runs) < 8, done.output
        time.sleep(1)
    assert (done.status, done.changed()) == (0, 0), done.output
    return runs


def log_of(running: RunningListener, origin: str) -> Counter:
    """How often each message of ours is in the event log."""
    found = running.api("/api/v1/events", limit=1000, origin=origin).json()["events"]
    ours = [one for one in found if str(one["message"]).startswith(("before", "during", "after"))]
    return Counter((one["source"], one["message"]) for one in ours)


def emit(estate: Estate, prefix: str, count: int) -> Counter:
    """Let every BMC have this many alerts; what is to be in the log."""
    names = [f"{prefix}-{number}" for number in range(count)]
    estate.fleet.emit(
        *({"MessageId": "OpenBMC.0.1.PowerButtonPressed", "Message": name, "MessageArgs": []} for name in names)
    )
    return Counter({(bmc.name, name): 1 for bmc in estate.fleet.bmcs for name in names})


def test_after_an_outage_all_is_as_if_it_had_not_been(estate, tmp_path: Path):
    """Every subscription is back, every event of those minutes is in the log, once; then nothing is due."""
    running = estate.listener
    until_nothing_is_due(estate)
    before = emit(estate, "before", 2)
    wait_for(lambda: log_of(running, "live") == before, 60)

    running.stop()
    began = time.monotonic()
    during = emit(estate, "during", 4)
    wait_for(lambda: all(not estate.ours(bmc) for bmc in estate.fleet.bmcs), 120)
    wait_for(lambda: time.monotonic() - began >= OUTAGE, 60)
    running.start()
    wait_for(lambda: running.api("/api/v1/upkeep").json()["outages"], 60)

    page = tmp_path / "reconcile.html"
    first, *_ = until_nothing_is_due(estate, report=str(page))
    assert all(len(estate.ours(bmc)) == 1 for bmc in estate.fleet.bmcs)
    after = emit(estate, "after", 2)
    wait_for(lambda: log_of(running, "live") == before | after, 60)
    assert log_of(running, "backfill") == during
    assert "changed" in first.output
    assert json.loads(page.with_suffix(".json").read_text())["kind"] == "reconcile"
    known = running.api("/api/v1/upkeep").json()
    assert known["outages"][0]["seconds"] >= 15
    for bmc in estate.fleet.bmcs:
        source = known["sources"][bmc.name]
        assert source["complete"] > known["outages"][0]["ended"]
        assert source["last_proven"] > known["outages"][0]["ended"]


def test_a_reset_bmc_is_repaired_in_its_turn_and_only_it(estate):
    """A BMC that forgot its subscription is found when its turn comes; check mode says so and leaves it due."""
    lost, *others = estate.fleet.bmcs
    lost.reset(forget_subscriptions=True)
    until_nothing_is_due(estate)
    assert not estate.ours(lost)  # nobody told: its turn is in an hour
    checked = reconcile(estate, "--check", reconcile_every="1s")
    assert checked.status == 0, checked.output
    assert not estate.ours(lost)
    done = reconcile(estate, reconcile_every="1s")
    assert done.status == 0, done.output
    summary = done.summary()
    assert summary[lost.name].startswith("changed")
    assert "delivered" not in summary[lost.name]
    assert all(summary[bmc.name].startswith("ok") for bmc in others)
    assert len(estate.ours(lost)) == 1


def test_a_wrong_password_ends_the_run(estate):
    """No account is locked out for the sake of a timer."""
    done = reconcile(estate, reconcile_every="1s", redfish_password="wrong", max_refused=len(estate.fleet.bmcs) - 1)
    assert done.status != 0
    assert "Too many BMCs refuse the credentials" in done.output
    assert "TASK [Summary]" not in done.output
