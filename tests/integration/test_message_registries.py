# SPDX-License-Identifier: GPL-3.0-or-later
"""Message registries: read from BMCs of every vendor, given to a listener, and what they add to events."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from redfish_simulator.client import Fleet

from tests.integration.fleet_play import ADAPTERS, Runner
from tests.integration.listener_process import RunningListener, wait_for
from tests.integration.test_backfill import inventory, play

REGISTRY = {
    "@odata.type": "#MessageRegistry.v1_6_2.MessageRegistry",
    "RegistryPrefix": "NetworkDevice",
    "RegistryVersion": "1.0.3",
    "OwningEntity": "DMTF",
    "Messages": {
        "CableRemoved": {
            "Message": "A cable has been removed from network adapter '%1' port '%2'.",
            "MessageSeverity": "Warning",
            "Resolution": "Connect it.",
        }
    },
}


@pytest.fixture(scope="module")
def vendors(fleet: Callable[..., Fleet], certificates: dict[str, Path]):
    mix = "openbmc=1,idrac9=1,ilo5=1,supermicro=1,xcc2=1,plain=1"
    with fleet(mix=mix, listener_ca=str(certificates["ca"])) as running:
        yield running


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_registries_of_every_vendor_are_read(vendors: Fleet, tmp_path: Path, adapter: str):
    """All that have messages, wherever their place is written; what is known isn't read, attributes never are."""
    outcome = Runner(vendors, tmp_path).task("message_registries_info", adapter, known=["Base.1.19.7", "Other.1.0"])
    for bmc in vendors.bmcs:
        result = outcome[bmc.name]
        assert not result.get("failed"), result
        assert result["not_read"] == ["Base.1.19"]
        assert result["unread"] == {}
        prefixes = [one["RegistryPrefix"] for one in result["registries"]]
        assert "Base" not in prefixes
        assert not any("Attribute" in prefix for prefix in prefixes)
        messages = [message for one in result["registries"] for message in one["Messages"].values()]
        assert all(message["Message"] and message["MessageSeverity"] for message in messages)
    assert {"IDRAC", "iLOEvents", "OpenBMC"} <= {
        one["RegistryPrefix"] for result in outcome.results.values() for one in result["registries"]
    }


def test_modules_of_the_listener(vendors: Fleet, listener: Callable[..., RunningListener], tmp_path: Path):
    """Each state first in check mode, then for real, then again; what is wrong is said."""
    steps = [(check, again) for again in (False, True) for check in (True, False)]
    present = {"readings": [{"registries": [REGISTRY]}]}
    with listener() as running:
        login = {"url": running.manage_url, "token": running.api_token}
        tasks: list[dict] = []

        def task(title: str, module: str, check: bool = False, **options: object) -> None:
            tasks.append({"name": title, f"redfleet.events.{module}": {**login, **options}, "check_mode": check})

        for state, options in (("present", present), ("absent", {"state": "absent", "name": "NetworkDevice"})):
            for check, again in steps:
                task(f"{state} {check} {again}", "listener_message_registry", check, **options)
            task(f"info {state}", "listener_message_registry_info", sources=["bmc1"])
        task("nobody", "listener_message_registry", readings=[{"source": "nobody", "registries": []}])
        task("none", "listener_message_registry", readings=[{"registries": [{}]}])
        for one in tasks[-2:]:
            one["ignore_errors"] = True
        outcome = Runner(vendors, tmp_path).play(tasks, hosts="bmcs[0]")
        found = {name: next(iter(results.values())) for name, results in outcome.by_task.items()}
    for state, told in (("present", {"added": ["NetworkDevice.1.0.3"]}), ("absent", {"removed": 1})):
        for check, again in steps:
            result = found[f"{state} {check} {again}"]
            assert result["changed"] is not again, result
            assert again or told.items() <= result.items(), result
    assert [len(found[f"info {state}"]["registries"]) for state in ("present", "absent")] == [1, 0]
    assert [found[f"info {state}"]["known"] for state in ("present", "absent")] == [["NetworkDevice.1.0"], []]
    assert found["info present"]["unread"] == {}, "bmc1 isn't registered"
    assert "isn't registered" in found["nobody"]["msg"]
    assert "with Messages" in found["none"]["msg"]


def asked_for_registries(fleet: Fleet) -> set[str]:
    return {one["bmc"] for one in fleet.requests() if "/Registries" in one["path"]}


def test_subscribing_reads_what_the_listener_does_not_know(
    fleet: Callable[..., Fleet], listener: Callable[..., RunningListener], certificates: dict[str, Path], tmp_path: Path
):
    """One BMC per make is read, once; then a record that has its MessageId only is understood."""
    with fleet(mix="openbmc=3,ilo5=1", listener_ca=str(certificates["ca"])) as bmcs, listener() as running:
        runner = Runner(bmcs, tmp_path)
        hosts = inventory(tmp_path, bmcs, running)
        play(runner, hosts, "subscribe")
        sources = running.api("/api/v1/sources").json()["sources"]
        makes = {tuple(one[name] for name in ("manufacturer", "model", "firmware", "service")) for one in sources}
        assert len(asked_for_registries(bmcs)) == len(makes)
        bmcs.clear_requests()
        play(runner, hosts, "subscribe")
        assert asked_for_registries(bmcs) == set()
        play(runner, hosts, "registries", "-e", "registries_again=true")
        assert len(asked_for_registries(bmcs)) == len(makes)
        bmcs.clear_requests()
        assert not re.search(r"changed=[1-9]", play(runner, hosts, "registries"))
        assert asked_for_registries(bmcs) == set()

        name = bmcs.by_vendor("openbmc")[0].name
        record = {"MessageId": "OpenBMC.0.1.FanRemoved", "MessageArgs": ["fan3"]}
        assert running.post({"Events": [record]}, f"/events/{name}").status_code == 200
        [event] = wait_for(lambda: running.api("/api/v1/events", type="OpenBMC.FanRemoved").json()["events"], 60)
        assert event["message"] == "Fan fan3 removed."
        assert (event["severity"], event["level"], event["category"]) == ("Critical", "ERROR", "AlertEvent")
        assert event["filled"] == ["message", "severity", "resolution"]
        assert event["record"] == record


def command(running: RunningListener, *arguments: str, status: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "event_listener", "registries", *arguments, "--config", str(running.config_path)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_file_is_imported_and_removed(listener: Callable[..., RunningListener], tmp_path: Path):
    """By command; the listener that runs takes it over, files show it, the text log stays as it was received."""
    path = tmp_path / "NetworkDevice.1.0.3.json"
    path.write_text(json.dumps(REGISTRY), encoding="utf-8-sig")
    wrong = tmp_path / "wrong.json"
    wrong.write_text("[]")
    record = {"MessageId": "NetworkDevice.1.0.CableRemoved", "MessageArgs": ["1"], "EventId": "9"}
    with listener() as running:
        assert "can't be imported" in command(running, "import", str(path), str(wrong), status=1)
        assert "NetworkDevice" not in command(running, "list")
        assert "imported, 1 messages" in command(running, "import", str(path))
        assert "there already" in command(running, "import", str(path))
        digest = json.loads(command(running, "list", "--json"))["digest"]
        assert json.loads(command(running, "show", digest[:8]))["messages"]["CableRemoved"]["severity"] == "Warning"
        assert "0 registries" in command(running, "show", "zz", status=1)

        assert running.post({"Events": [record]}, "/events/bmc1").status_code == 200
        lines = running.log_dir / "Events_127.0.0.1.jsonl"
        wait_for(lambda: lines.exists() and lines.read_text(), 60)
        event = json.loads(lines.read_text())
        assert event["message"] == "A cable has been removed from network adapter '1' port '%2'."
        assert event["resolution"] == "Connect it."
        assert event["record"] == record
        text = running.log_dir / "Events_127.0.0.1.txt"
        wait_for(lambda: text.exists() and text.read_text(), 60)
        assert text.read_text().endswith(f"Event Details:{json.dumps({'Events': [record]})}\n")

        assert "removed 1" in command(running, "remove", "NetworkDevice", "1.0.3")
        assert "no message registry" in command(running, "remove", "NetworkDevice", status=1)


def test_the_api_says_what_is_wrong(listener: Callable[..., RunningListener]):
    """Bodies, names and sizes that can't be are refused with a reason, and nothing is stored."""
    with listener({"sources": {"registries_max_bytes": 1 << 20}}) as running:
        headers = {"Authorization": f"Bearer {running.api_token}"}
        url = running.manage_url + "/api/v1/message-registries"

        def ask(method: str, path: str, status: int, **options) -> dict:
            answer = requests.request(method, url + path, headers=headers, timeout=30, **options)
            assert answer.status_code == status, answer.text
            return answer.json() if answer.content else {}

        assert "readings" in ask("PUT", "", 400, json={})["detail"]
        unversioned = {"readings": [{"registries": [{**REGISTRY, "RegistryVersion": "x"}]}]}
        assert "RegistryVersion" in ask("PUT", "", 400, json=unversioned)["detail"]
        many = {f"Key{number}": {"Message": "x" * 4000} for number in range(300)}
        large = {"readings": [{"registries": [{**REGISTRY, "Messages": many}]}]}
        assert "registries_max_bytes" in ask("PUT", "", 507, json=large)["detail"]
        assert ask("GET", "", 200) == {"registries": [], "size": 0, "limit": 1 << 20}
        ask("GET", "/unknown", 404)
        ask("DELETE", "/Unknown/1.0.0", 404)
        assert "sources" in ask("POST", "/unread", 400, json={"sources": "all"})["detail"]
        assert requests.get(url, timeout=60).status_code == 401
