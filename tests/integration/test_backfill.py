# SPDX-License-Identifier: GPL-3.0-or-later
"""What a listener missed is found in the BMCs' logs, and is in the event log once."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
import yaml
from redfish_simulator.client import Fleet

from tests.integration.fleet_play import ADAPTERS, Runner
from tests.integration.listener_process import RunningListener, wait_for

ROOT = Path(__file__).resolve().parents[2]
FOREIGN = "https://monitoring.example.com/redfish"
VENDORS = "openbmc=1,idrac9=1,ilo5=1,supermicro=1,xcc2=1"


def inventory(directory: Path, fleet: Fleet, listener: RunningListener) -> Path:
    """The fleet and a listener that a test runs itself."""
    username, password = listener.credentials
    common = {
        "event_listener_url": listener.url,
        "event_listener_credentials": [{"name": "basic", "username": username, "password": password}],
        "event_listener_tokens": [{"name": "tests", "token": listener.api_token}],
        "event_listener_manage_bind": listener.manage_url.removeprefix("http://"),
        "ansible_python_interpreter": sys.executable,
        "event_subscription": {
            "destination": "{{ event_listener_url }}/events/{{ inventory_hostname }}",
            "context": "backfill",
            "http_headers": {"Authorization": "Basic {{ (" + repr(f"{username}:{password}") + ") | b64encode }}"},
        },
    }
    path = directory / "inventory"
    path.mkdir(exist_ok=True)
    (path / "bmcs.yml").write_text(fleet.inventory_path.read_text())
    (path / "listeners.yml").write_text(
        yaml.safe_dump(
            {"all": {"vars": common}, "event_listeners": {"hosts": {"listener": {"ansible_connection": "local"}}}}
        )
    )
    return path


def play(runner: Runner, inventory_path: Path, playbook: str, *arguments: str, timeout: int = 200) -> str:
    """Run one of the collection's playbooks; it has to succeed."""
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "ansible-playbook"),
            f"redfleet.events.{playbook}",
            "-i",
            str(inventory_path),
            *arguments,
        ],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=runner._environ(runner.directory / "results.jsonl", {}),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def numbers(listener: RunningListener, prefix: str) -> Counter[tuple[str, str]]:
    """How often each event of BMCs is in the event log, by source and message."""
    found = listener.api("/api/v1/events", limit=1000).json()["events"]
    sent = [one for one in found if one["address"] != "event-listener"]
    return Counter((one["source"], one["message"]) for one in sent if str(one["message"]).startswith(prefix))


def records(prefix: str, count: int) -> list[dict]:
    """Alerts that can be told apart by their text alone."""
    names = (f"{prefix}-{number}" for number in range(count))
    return [
        {"MessageId": "OpenBMC.0.1.PowerButtonPressed", "Message": name, "MessageArgs": [], "Severity": "Warning"}
        for name in names
    ]


@pytest.mark.slow
def test_after_an_outage_every_event_is_in_the_log_once(
    fleet: Callable[..., Fleet],
    listener: Callable[..., RunningListener],
    certificates: dict[str, Path],
    tmp_path: Path,
):
    """OpenBMC deletes its subscriptions when the listener is away: subscribe brings them back, and the playbook
    backfill (by listener_backfill) the events; foreign subscriptions stay."""
    running = listener(start=False)
    with fleet(mix="openbmc=4", listener_ca=str(certificates["ca"]), time_scale=0.02) as bmcs:
        runner = Runner(bmcs, tmp_path)
        hosts = inventory(tmp_path, bmcs, running)
        running.start()
        for bmc in bmcs.bmcs:
            bmc.seed_subscriptions(
                {"Destination": FOREIGN, "Protocol": "Redfish", "DeliveryRetryPolicy": "RetryForever"}
            )
        play(runner, hosts, "subscribe")
        bmcs.emit(*records("before", 3))
        names = [bmc.name for bmc in bmcs.bmcs]
        expected = Counter({(name, f"before-{number}"): 1 for name in names for number in range(3)})
        wait_for(lambda: numbers(running, "before") == expected)

        running.stop()
        bmcs.emit(*records("during", 5))
        wait_for(lambda: all(len(bmc.subscriptions()) == 1 for bmc in bmcs.bmcs), 60)
        running.start()
        assert not numbers(running, "during")

        play(runner, hosts, "subscribe")
        for bmc in bmcs.bmcs:
            held = {one["Destination"] for one in bmc.subscriptions()}
            assert held == {FOREIGN, f"{running.url}/events/{bmc.name}"}
        bmcs.emit(*records("after", 2))
        check = play(runner, hosts, "backfill", "-e", "backfill_since=1h", "--check")
        assert check.count("of 10 entries were missing") == 4
        assert not numbers(running, "during")

        told = play(runner, hosts, "backfill", "-e", "backfill_since=1h")
        assert "4 changed" in told
        expected |= Counter({(name, f"during-{number}"): 1 for name in names for number in range(5)})
        expected |= Counter({(name, f"after-{number}"): 1 for name in names for number in range(2)})
        wait_for(lambda: numbers(running, "") == expected)
        found = running.api("/api/v1/events", limit=1000, origin="backfill").json()["events"]
        assert {one["message"] for one in found} == {f"during-{number}" for number in range(5)}
        assert all(one["record"]["Oem"]["redfleet"]["LogEntry"]["Message"] == one["message"] for one in found)

        assert "4 ok" in play(runner, hosts, "backfill", "-e", "backfill_since=1h")
        assert numbers(running, "") == expected


def test_what_happens_while_a_subscription_is_replaced_is_backfilled(
    fleet: Callable[..., Fleet],
    listener: Callable[..., RunningListener],
    certificates: dict[str, Path],
    tmp_path: Path,
):
    """A BMC that allows no two subscriptions to a destination has none for a moment: subscribe.yml reads its log."""
    with listener() as running, fleet(mix="plain-conflict=1", listener_ca=str(certificates["ca"])) as bmcs:
        runner, (bmc,) = Runner(bmcs, tmp_path), bmcs.bmcs
        hosts = inventory(tmp_path, bmcs, running)
        play(runner, hosts, "subscribe")
        # Creating takes its time, so that there is a moment in which something can happen.
        bmc.set_faults({"kind": "slow", "seconds": 3, "path": ".*/Subscriptions$", "methods": ["POST"]})

        def happen() -> None:
            wait_for(lambda: bmc.subscriptions() == [], 120)
            bmc.emit(*records("meanwhile", 2))

        meanwhile = threading.Thread(target=happen)
        meanwhile.start()
        declared = yaml.safe_load((hosts / "listeners.yml").read_text())
        declared["all"]["vars"]["event_subscription"]["severities"] = ["Warning", "Critical"]
        (hosts / "listeners.yml").write_text(yaml.safe_dump(declared))
        told = play(runner, hosts, "subscribe")
        meanwhile.join()
        assert "s without a subscription" in told
        expected = Counter({(bmc.name, f"meanwhile-{number}"): 1 for number in range(2)})
        wait_for(lambda: numbers(running, "meanwhile") == expected)
        found = running.api("/api/v1/events", limit=1000, origin="backfill").json()["events"]
        assert {one["message"] for one in found} >= {"meanwhile-0", "meanwhile-1"}


@pytest.fixture(scope="module")
def vendors(fleet: Callable[..., Fleet], certificates: dict[str, Path]):
    with fleet(mix=VENDORS, listener_ca=str(certificates["ca"])) as running:
        running.emit(kind="Alert", count=120)
        yield running


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_logs_of_every_vendor_are_read_completely(vendors: Fleet, tmp_path: Path, adapter: str):
    """Pages of any size and order, entries as links, logs beside each other, through both adapters."""
    outcome = Runner(vendors, tmp_path).task("log_entries_info", adapter, since="1h")
    for bmc in vendors.bmcs:
        result = outcome[bmc.name]
        assert not result.get("failed"), result
        logs = 2 if bmc.vendor == "idrac9" else 1
        assert len(result["entries"]) == 120 * logs, bmc.vendor
        assert len(result["logs"]) == logs
        assert result["unread"] == {}
        assert abs(result["clock_offset_s"]) < 30
        assert not [log for log in result["logs"] if "Dump" in log or "HostLogger" in log]


def test_old_pages_of_a_log_that_begins_with_the_newest_stay_unread(fleet: Callable[..., Fleet], tmp_path: Path):
    """A log of thousands is not read for the sake of one hour."""
    old = [datetime.now(UTC) - timedelta(days=1, seconds=-number) for number in range(200)]
    with fleet(mix="idrac9=1") as running:
        idrac = running.bmcs[0]
        idrac.emit(*({"Message": "old", "EventTimestamp": f"{time:%Y-%m-%dT%H:%M:%SZ}"} for time in old))
        idrac.emit({"Message": "new"})
        running.clear_requests()
        result = Runner(running, tmp_path).task("log_entries_info", since="1h", logs=["Lclog"])[idrac.name]
        assert [entry["Message"] for entry in result["entries"]] == ["new"]
        pages = [one["path"] for one in idrac.requests() if "Lclog/Entries" in one["path"]]
        assert len(pages) == 2, pages


def test_the_period_is_by_our_clock(vendors: Fleet, tmp_path: Path):
    """Also where the BMC's is wrong: what happens during an outage is stamped two hours ago there."""
    openbmc = vendors.by_vendor("openbmc")[0]
    openbmc.set_fault("wrong_clock", seconds=-7200)
    try:
        openbmc.emit({"MessageId": "OpenBMC.0.1.PowerButtonPressed", "Message": "by another clock"})
        moved = Runner(vendors, tmp_path).task("log_entries_info", since="30m")[openbmc.name]
    finally:
        openbmc.clear_faults()
    assert "by another clock" in [entry["Message"] for entry in moved["entries"]]
    assert moved["clock_offset_s"] == pytest.approx(-7200, abs=30)


def test_a_log_is_chosen_by_its_name(vendors: Fleet, tmp_path: Path):
    """And where none of that name exists, that is an error with advice, not an empty list."""
    outcome = Runner(vendors, tmp_path).task("log_entries_info", since="1h", logs=["Sel"])
    for bmc in vendors.bmcs:
        if bmc.vendor == "idrac9":
            assert [log.rpartition("/")[2] for log in outcome[bmc.name]["logs"]] == ["Sel"]
        else:
            assert outcome[bmc.name]["reason"] == "unsupported"
            assert "Check the option logs" in outcome[bmc.name]["msg"]
    assert (
        "as an age"
        in Runner(vendors, tmp_path).task("log_entries_info", since="yesterday")[vendors.bmcs[0].name]["msg"]
    )


def post(running: RunningListener, document: object, token: str | None = None) -> requests.Response:
    headers = {"Authorization": f"Bearer {running.api_token if token is None else token}"}
    return requests.post(running.manage_url + "/api/v1/backfill", json=document, headers=headers, timeout=30)


def test_the_api_adds_what_is_missing_and_nothing_else(listener: Callable[..., RunningListener]):
    """An event that just arrived is known; an entry without a time is told; a source that nobody knows is fine."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    entry = {"@odata.id": "/Log/Entries/1", "MessageId": "Fan.1.0.Failed", "MessageArgs": ["1"], "Created": now}
    lost = {**entry, "@odata.id": "/Log/Entries/2", "MessageArgs": ["2"]}
    with listener() as running:
        live = {"Events": [{"MessageId": "Fan.1.1.Failed", "MessageArgs": ["1"], "EventTimestamp": now}]}
        assert running.post(live, "/events/bmc1").status_code == 200
        wanted = {"sources": [{"source": "bmc1", "entries": [entry, lost, {"MessageId": "Fan.1.0.Failed"}]}]}
        expected = {"source": "bmc1", "entries": 3, "known": 1, "added": 1, "undated": 1}
        assert post(running, {**wanted, "check": True}).json()["sources"] == [expected]
        assert post(running, wanted).json()["sources"] == [expected]
        again = post(running, wanted).json()["sources"]
        assert again == [{**expected, "known": 2, "added": 0}]
        found = running.api("/api/v1/events", source="bmc1").json()["events"]
        assert [(one["origin"], one["message_args"]) for one in found] == [("backfill", ["2"]), ("live", ["1"])]
        assert running.api("/api/v1/sources/bmc1").json()["payloads"] == 1

        assert post(running, wanted, token="wrong").status_code == 401
        for wrong in ({}, {"sources": [{"source": "../x", "entries": []}]}, {**wanted, "tolerance": -1}, []):
            refused = post(running, wrong)
            assert refused.status_code == 400, wrong
            assert refused.json()["detail"].startswith("backfill: ")
        running.stop()
