# SPDX-License-Identifier: GPL-3.0-or-later
"""A real listener judges its sources: in the API, the metrics, the list and the event log."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import requests

from tests.integration.listener_process import RunningListener, wait_for

# A timer of proofs every 1.2 s, none of which may be missing.
IMPATIENT = {"health_interval": 0.2, "proof_minutes": 0.02, "missed_proofs": 1, "silence_grace": 0.0}


def test_a_source_falls_silent_and_comes_back(listener: Callable[..., RunningListener]):
    """Told once each, also when the relay is killed meanwhile; filters, metrics and the list agree."""
    with listener({"sources": IMPATIENT}) as running:
        headers = {"Authorization": f"Bearer {running.api_token}"}
        body = {"sources": [{"name": "bmc1"}]}
        url = running.manage_url + "/api/v1/sources"
        assert requests.patch(url, json=body, headers=headers, timeout=30).status_code == 200

        def told() -> list[str]:
            events = running.api("/api/v1/events", source="bmc1", order="asc", limit=1000).json()["events"]
            return [
                event["type"].removeprefix("RedfleetEvents.")
                for event in events
                if "RedfleetEvents.Source" in event["type"]
            ]

        wait_for(lambda: told() == ["SourceSilent"], 60)
        silent = running.api("/api/v1/sources", health="silent").json()["sources"]
        assert [(one["name"], one["health"]["status"]) for one in silent] == [("bmc1", "silent")]
        assert running.api("/api/v1/sources/bmc1").json()["health"]["may_be_silent_s"] == 1.2
        assert running.api("/api/v1/sources", health="ill").status_code == 400
        metrics = requests.get(running.manage_url + "/metrics", timeout=30).text
        assert 'event_listener_source_silent{source="bmc1"} 1.0' in metrics
        command = [sys.executable, "-m", "event_listener", "sources", "list", "--config", str(running.config_path)]
        shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
        assert shown.splitlines()[1].split()[4] == "silent", shown

        wrong = requests.post(
            running.url + "/events/bmc1", json={}, auth=("bmc", "wrong"), verify=running.ca_path, timeout=60
        )
        assert wrong.status_code == 401
        wait_for(lambda: running.api("/api/v1/sources/bmc1").json()["refused"]["count"], 60)
        refused = running.api("/api/v1/sources/bmc1").json()["refused"]
        assert (refused["reasons"], bool(refused["last"])) == ({"credentials_wrong": 1}, True)
        metrics = requests.get(running.manage_url + "/metrics", timeout=30).text
        assert 'event_listener_source_refused_total{source="bmc1"} 1.0' in metrics

        running.kill("relay")
        assert running.post({"Events": [{"MessageId": "A.1.0.B"}]}, "/events/bmc1").status_code == 200
        wait_for(lambda: told()[1:2] == ["SourceBack"], 60)
        assert told()[0] == "SourceSilent"
        # Nothing more is sent, so it falls silent once more; each word of the log has its counterpart.
        wait_for(lambda: told() == ["SourceSilent", "SourceBack", "SourceSilent"], 60)

        def rate() -> float:
            assert running.post({"Events": [{"MessageId": "A.1.0.B"}]}, "/events/bmc1", timeout=60).status_code == 200
            return running.api("/api/v1/sources/bmc1").json()["events_per_minute"]

        assert wait_for(rate, 60) > 0
