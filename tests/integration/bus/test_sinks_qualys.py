# SPDX-License-Identifier: GPL-3.0-or-later
"""From a change in the event log to a launched scan and what an operator sees of it, through a real relay."""

from click.testing import CliRunner
from event_listener.cli import main

from tests.integration.bus.bus_harness import RunningRelay
from tests.services.qualys import PASSWORD, PROFILE, USER, Blocked, Qualys
from tests.services.service import wait_until
from tests.unit.listener.scan_harness import NETWORKS, change

PATIENCE = 60.0


def shown(relay, *arguments):
    config = relay.directory / "config.yml"
    if not config.exists():
        import yaml

        config.write_text(yaml.safe_dump({**relay.data, "user": "root"}))
    result = CliRunner().invoke(main, ["scans", *arguments, "--config", str(config)])
    return result.exit_code, result.output


def test_a_change_is_scanned_and_shown(tmp_path):
    """Batches of batch_interval; a refused scan is shown with its reason, and launched once an operator asks."""
    (tmp_path / "password").write_text(PASSWORD)
    with Qualys() as peer:
        section = {
            "name": "scans", "url": peer.url, "username": USER, "password": {"file": str(tmp_path / "password")},
            "option_profile": "Wrong", "networks": NETWORKS, "batch_interval": 0.5, "poll_interval": 0.2,
        }  # fmt: skip
        routes = [{"name": "changes", "sinks": ["scans"], "topics": ["*.*.RedfleetEvents-SecurityGroupRule.#"]}]
        relay = RunningRelay(tmp_path, {"qualys": [section]}, routes=routes)
        with relay:
            change(relay.store, 1, ["192.0.2.1", "198.51.100.1"])
            change(relay.store, 2, ["192.0.2.2", "192.0.2.1"])
            wait_until(lambda: relay.store.scans.list("scans", ["failed"]), "refused", PATIENCE)
            (job,) = relay.store.scans.list("scans")
            assert job.addresses == ["192.0.2.1", "192.0.2.2"]
        status, text = shown(relay, "list")
        assert (status, "code 1905" in text, job.id in text) == (0, True, True)
        assert shown(relay, "retry", job.id)[0] == 0
        assert shown(relay, "retry", job.id)[0] == 1
        section["option_profile"] = PROFILE
        peer.faults = [Blocked(1)]
        with RunningRelay(tmp_path, {"qualys": [section]}, routes=routes) as relay:
            wait_until(peer.launches, "launched", PATIENCE)
            (scan,) = peer.launches()
            peer.states[scan.reference] = "Finished"
            wait_until(lambda: relay.store.scans.list("scans", ["completed"]), "over", PATIENCE)
        assert scan.addresses == ("192.0.2.1", "192.0.2.2")
        assert scan.reference in shown(relay, "list", "--state", "completed", "--json")[1]
