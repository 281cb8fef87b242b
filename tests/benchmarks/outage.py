# SPDX-License-Identifier: GPL-3.0-or-later
"""The listener is away for minutes, in a fleet of OpenBMCs at their own pace: what comes back, and when?

`outage.py [--minutes N] [--bmcs N]`. OpenBMC deletes a subscription after about 90 s of failures. `reconcile` runs
every ten seconds, as a timer would run it. Ends with status 1 where an event is missing or double. The short version
is tests/integration/test_reconcile.py.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from redfish_simulator.client import Fleet

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.integration.fleet_estate import Estate
from tests.integration.listener_process import RunningListener, issue_certificates

SETTINGS = {"reconcile_settle": "10s"}


def run_once(estate: Estate) -> str:
    """One run of the timer."""
    done = estate.play("redfleet.events.reconcile", "-e", json.dumps(SETTINGS))
    assert done.status == 0, done.output
    return done.output


def emit(estate: Estate, name: str) -> Counter:
    """One alert on each BMC; what is to be in the log."""
    estate.fleet.emit({"MessageId": "OpenBMC.0.1.PowerButtonPressed", "Message": name, "MessageArgs": []})
    return Counter({(bmc.name, name): 1 for bmc in estate.fleet.bmcs})


def logged(estate: Estate) -> Counter:
    """How often each of our alerts is in the event log."""
    found: Counter = Counter()
    after = 0
    while True:
        page = estate.listener.api("/api/v1/events", limit=1000, order="asc", after=after).json()
        ours = (one for one in page["events"] if str(one["message"]).startswith("outage "))
        found.update((one["source"], one["message"]) for one in ours)
        if page["next"] is None:
            return found
        after = page["next"]


def main() -> int:
    """Run, print the figures; 0 where nothing is missing and nothing is double."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--bmcs", type=int, default=24)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        paths = issue_certificates(directory)
        listener = RunningListener(directory, paths, {}, host="127.0.0.1", arguments=[])
        fleet = Fleet(mix={"openbmc": options.bmcs}, directory=directory / "fleet", listener_ca=str(paths["ca"]))
        with fleet, listener.start():
            return measure(Estate(directory, fleet, listener), options.minutes)


def measure(estate: Estate, minutes: float) -> int:
    """The outage and what comes after it."""
    estate.declare(context="outage", delivery_retry_policy="TerminateAfterRetries")
    assert estate.play("subscribe.yml").status == 0
    run_once(estate)
    expected = emit(estate, "outage before")
    time.sleep(5)
    estate.listener.stop()
    end = time.monotonic() + minutes * 60
    number = 0
    while time.monotonic() < end:
        expected |= emit(estate, f"outage {number}")
        number += 1
        time.sleep(10)
    lost = sum(not estate.ours(bmc) for bmc in estate.fleet.bmcs)
    print(
        f"{minutes:g} minutes: {number} alerts on each of {len(estate.fleet.bmcs)} BMCs, {lost} subscriptions deleted"
    )
    estate.listener.start()
    back = time.monotonic()
    time.sleep(6)  # the listener asks itself every five
    runs, restored = 0, None
    while "TASK [Summary]" in run_once(estate):
        runs += 1
        if restored is None and all(len(estate.ours(bmc)) == 1 for bmc in estate.fleet.bmcs):
            restored = time.monotonic() - back
            expected |= emit(estate, "outage after")
        time.sleep(10)
    time.sleep(5)
    found = logged(estate)
    missing, double = sum((expected - found).values()), sum(count - 1 for count in found.values() if count > 1)
    print(
        f"all subscriptions back after {restored:.0f} s, all done after {time.monotonic() - back:.0f} s and {runs} runs"
    )
    print(f"{sum(expected.values())} alerts expected, {missing} missing, {double} double")
    return 1 if missing or double else 0


if __name__ == "__main__":
    sys.exit(main())
