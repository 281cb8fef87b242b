# SPDX-License-Identifier: GPL-3.0-or-later
"""The oldest ansible-core and `redfish` that we promise, and the newest there are."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from redfish_simulator.client import Fleet

from tests.integration.fleet_play import ADAPTERS, ROOT, Runner
from tests.integration.user_play import play

PYTHONS = [
    *Path("/usr/bin").glob("python3.1?"),
    *Path("/usr/local/bin").glob("python3.1?"),
    *(Path.home() / ".pyenv" / "versions").glob("*/bin/python3.1?"),
]


def interpreter(least: tuple[int, int]) -> Path:
    """The newest Python on this machine that is `least` or newer and runs."""
    if least <= sys.version_info[:2]:
        return Path(sys.executable)
    for python in sorted(PYTHONS, key=lambda path: int(path.name.rpartition(".")[2]), reverse=True):
        probe = f"import sys, venv, ensurepip; sys.exit(sys.version_info < {least})"
        if subprocess.run([str(python), "-c", probe], capture_output=True).returncode == 0:
            return python
    pytest.skip(f"no Python {least[0]}.{least[1]} or newer, which the newest ansible-core needs; install one")


@pytest.fixture(scope="module", params=["ansible-core==2.18.*", "ansible-core"], ids=["oldest", "newest"])
def python(request: pytest.FixtureRequest) -> Path:
    """The interpreter of a virtual environment, kept between runs, with that ansible-core and a library of that age."""
    base = interpreter((3, 12) if request.param == "ansible-core" else (3, 11))
    directory = ROOT / ".build" / f"ansible-{request.param_index}"
    found = directory / "bin" / "python"
    subprocess.run([str(base), "-m", "venv", str(directory)], check=True, timeout=120)
    wanted = [request.param, "redfish" if request.param_index else "redfish==3.4.1", "jmespath>=1.0"]
    install = [str(found), "-m", "pip", "install", "--quiet", "--upgrade", "--disable-pip-version-check", *wanted]
    subprocess.run(install, check=True, timeout=300)
    return found


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_fleet_is_subscribed_and_stays(fleet: Callable[..., Fleet], tmp_path: Path, python: Path, adapter: str):
    """Check mode, create, no change, modify, delete, with secrets from a template: the same on every ansible-core."""
    declared = {
        "destination": "https://127.0.0.1:9/events/{{ inventory_hostname }}",
        "http_headers": {"Authorization": "Basic {{ ('listener' ~ ':' ~ secret) | b64encode }}"},
        "_variables": {"secret": "hunter2-of-the-listener"},
    }
    with fleet(mix="openbmc=1,plain=1", time_scale=0.01) as bmcs:
        run = Runner(bmcs, tmp_path, python)
        steps = [
            run.task("event_destination", adapter, _check=True, context="one", **declared),
            run.task("event_destination", adapter, context="one", **declared),
            run.task("event_destination", adapter, context="one", **declared),
            run.task("event_destination", adapter, context="two", **declared),
            run.task("event_destination", adapter, state="absent", **declared),
        ]
        for step in steps:
            assert step.code == 0, step.output
            assert "hunter2" not in step.output
        done = [{result["action"] for result in step.results.values()} for step in steps]
        assert done == [{"create"}, {"create"}, {"none"}, {"patch"}, {"delete"}]
        assert bmcs.counters()["sessions"] == 0


def test_the_playbooks_subscribe_and_unsubscribe_in_waves(fleet: Callable[..., Fleet], python: Path):
    """One BMC is dead: the summary tells of all of them, once, and the run ends with an error."""
    with fleet(mix="openbmc=2,plain=2", time_scale=0.01) as bmcs:
        dead, *alive = bmcs.bmcs
        dead.set_fault("unreachable")
        declared = {"destination": "https://127.0.0.1:9/events/{{ inventory_hostname }}"}
        variables = {"event_subscription": declared, "rollout": [1, "100%"], "prove": False, "redfish_retries": 0}
        for playbook, left in (("subscribe.yml", 1), ("redfleet.events.unsubscribe", 0)):
            done = play(playbook, bmcs.inventory_path, "-e", json.dumps(variables), python=python)
            assert done.output.count("TASK [Summary]") == 1, done.output
            told = done.summary()
            assert told.pop(dead.name).startswith("unreachable")
            assert {name: detail.split()[0] for name, detail in told.items()} == {bmc.name: "changed" for bmc in alive}
            assert done.status != 0
            assert [len(bmc.subscriptions()) for bmc in alive] == [left] * len(alive)
