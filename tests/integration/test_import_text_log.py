# SPDX-License-Identifier: GPL-3.0-or-later
"""`event-listener import-text-log` on a running listener: each entry once, nothing lost."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import requests

from tests.integration.listener_process import RunningListener, wait_for


def entry(number: int, host: str = "192.0.2.1", second: int = 0) -> str:
    event = {"MessageId": "Old.1.0.Event", "Message": f"{host} {number}", "EventTimestamp": "2025-06-01T12:00:00Z"}
    details = json.dumps({"Name": "Old", "Events": [event]})
    return f"Time:2025-06-01 12:00:{second:02d}.{number:06d} Count:{number}\nHost IP:{host}\nEvent Details:{details}\n"


def run(running: RunningListener, *files: Path, status: int = 0) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "event_listener", "--config", str(running.config_path), "import-text-log"]
    done = subprocess.run(
        [*command, "--timezone", "UTC", *map(str, files)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done


def messages(running: RunningListener) -> list[str]:
    found = running.api("/api/v1/events", limit=1000, origin="import").json()["events"]
    return sorted(one["message"] for one in found)


def test_every_entry_is_imported_once(listener: Callable[..., RunningListener], tmp_path: Path):
    """Repeated, copied, grown, damaged: the log has each entry once, and nothing is lost."""
    with listener() as running:
        source = {"sources": [{"name": "bmc2", "address": "192.0.2.2"}]}
        headers = {"Authorization": f"Bearer {running.api_token}"}
        assert requests.patch(running.manage_url + "/api/v1/sources", json=source, headers=headers, timeout=60).ok
        one, two = tmp_path / "Events_192.0.2.1.txt", tmp_path / "Events_192.0.2.2.txt"
        one.write_text("".join(entry(number) for number in range(1, 1201)))
        two.write_text(entry(1, "::ffff:192.0.2.2"))
        assert "1201 entries with 1201 events imported, 0 known, 0 damaged" in run(running, one, two).stdout
        assert "0 entries with 0 events imported, 1201 known, 0 damaged" in run(running, one, two).stdout

        (event,) = running.api("/api/v1/events", source="bmc2").json()["events"]
        assert (event["origin"], event["address"]) == ("import", "192.0.2.2")
        assert event["received"] == "2025-06-01T12:00:00.000001Z"
        assert event["id"].startswith("import")

        copy = tmp_path / "old.txt"
        cut = entry(9, second=9)[:-10]
        copy.write_text(two.read_text() + entry(7, second=7) + cut)
        done = run(running, copy, status=1)
        assert "1 entries with 1 events imported, 1 known, 1 damaged" in done.stdout
        assert f"{copy}:7: has no end of line: it was cut off, or is still being written" in done.stderr
        run(running, copy, status=1)
        (held,) = running.api("/api/v1/quarantine").json()["quarantine"]
        raw = running.api(f"/api/v1/quarantine/{held['seq']}/raw").content
        assert raw == cut.encode()
        assert running.api("/api/v1/sources").json()["sources"][0].get("last_seen") is None

        live = {"Name": "Live", "Events": [{"MessageId": "Live.1.0.Event", "Message": "live"}]}
        assert running.post(live).status_code == 200
        log = running.log_dir / "Events_127.0.0.1.txt"
        wait_for(lambda: log.exists() and log.read_text().count("Time:") == 1)
        # What the listener told of itself is there if the relay was there before it; of the imported nothing is.
        own = running.log_dir / "Events_event-listener.txt"
        assert {path.name for path in running.log_dir.glob("*.txt")} - {own.name} == {log.name}
        local = subprocess.run(
            [sys.executable, "-m", "event_listener", "-c", str(running.config_path), "import-text-log", str(log)],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert "0 entries with 0 events imported, 1 known, 0 damaged" in local.stdout
        assert "live" not in messages(running)


def test_a_zone_that_does_not_exist_is_an_error(listener: Callable[..., RunningListener], tmp_path: Path):
    """Before anything is imported."""
    with listener() as running:
        path = tmp_path / "Events_192.0.2.1.txt"
        path.write_text(entry(1))
        command = [sys.executable, "-m", "event_listener", "-c", str(running.config_path), "import-text-log"]
        done = subprocess.run([*command, "--timezone", "Moon", str(path)], capture_output=True, text=True, timeout=60)
        assert done.returncode == 1
        assert "Moon is no time zone" in done.stderr
        assert messages(running) == []
