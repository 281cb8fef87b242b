# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection options that come from the inventory's variables, without module_defaults."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from redfish_simulator.client import Fleet

from tests.integration.fleet_play import ADAPTERS, Outcome, Runner

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def bmcs(fleet: Callable[..., Fleet]) -> Iterator[Fleet]:
    with fleet(mix="plain=2", time_scale=0.01) as running:
        yield running


@pytest.fixture
def run(bmcs: Fleet, tmp_path: Path) -> Runner:
    return Runner(bmcs, tmp_path)


def ask(run: Runner, adapter: str, variables: dict[str, Any] | None = None, **options: Any) -> Outcome:
    """Run event_service_info with nothing but variables and these options."""
    task: dict[str, Any] = {"redfleet.events.event_service_info": options}
    task["module_defaults"] = {"group/redfleet.events.redfish": {}}  # none of the play's
    if adapter == "module":
        task["environment"] = {"REDFLEET_ADAPTER": "module"}
    return run.play([task], _variables=variables)


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_task_without_options_finds_its_bmc(run: Runner, adapter: str):
    """Address, account, login type and pin come from the variables, also where the module runs as such."""
    done = ask(run, adapter)
    assert done.code == 0, done.output
    assert {name: result["service"]["uuid"].lower() for name, result in done.results.items()} == {
        bmc.name: bmc.uuid.lower() for bmc in run.fleet.bmcs
    }


def test_options_count_more_and_templates_are_followed(run: Runner):
    """What the task says wins; variables may be templates, left out by omit, or defined for all hosts in one map."""
    address = {"place": "{{ redfish_baseuri }}"}
    assert ask(run, "worker", address, baseuri="{{ place }}", password="{{ redfish_password }}").code == 0

    refused = ask(run, "worker", login_type="basic", password="wrong")
    assert {result["reason"] for result in refused.results.values()} == {"credentials"}

    wrong = {"redfish_tls_fingerprint": "{{ 'sha256:' ~ '0' * 64 }}"}
    assert {result["reason"] for result in ask(run, "worker", wrong).results.values()} == {"tls"}

    pins = {bmc.name: bmc.tls_fingerprint for bmc in run.fleet.bmcs}
    omitted = {"redfish_tls_fingerprint": "{{ omit }}", "redfish_validate_certs": True}
    assert {result["reason"] for result in ask(run, "worker", omitted).results.values()} == {"tls"}
    mapped = {**omitted, "redfish_tls_fingerprints": "{{ pins }}", "pins": pins}
    done = ask(run, "worker", mapped)
    assert done.code == 0, done.output


def test_an_undefined_variable_in_a_variable_is_named(run: Runner):
    """A typing error in the inventory fails with its name, not with a refused log-in."""
    done = ask(run, "worker", {"redfish_username": "{{ nobody_knows }}"})
    assert done.code != 0
    assert all("nobody_knows" in result["msg"] for result in done.results.values())


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_subscription_is_declared_in_a_variable(run: Runner, adapter: str):
    """With names, filters and omit in it; an option of the task counts more, and no option is left behind."""
    declared = {
        "destination": "https://127.0.0.1:9/events/{{ inventory_hostname }}",
        "http_headers": {"Authorization": "Basic {{ 'a:b' | b64encode }}"},
        "context": "declared",
        "event_types": "{{ omit }}",
    }
    task: dict[str, Any] = {"redfleet.events.event_destination": {"declared_in": "wanted", "context": adapter}}
    if adapter == "module":
        task["environment"] = {"REDFLEET_ADAPTER": "module"}
    done = run.play([task], _variables={"wanted": declared}, _flags=("-vvv",))
    assert done.code == 0, done.output
    for name, result in done.results.items():
        held = result["subscription"]
        assert (held["Destination"], held["Context"]) == (f"https://127.0.0.1:9/events/{name}", adapter)
    assert "YTpi" not in done.output  # a:b, the secret of the header


@pytest.mark.parametrize(("variables", "told"), [({}, "isn't set"), ({"wanted": ["x"]}, "holds no options")])
def test_a_declaration_that_is_missing_is_named(run: Runner, variables: dict[str, Any], told: str):
    """Not as options that are missing."""
    done = run.play([{"redfleet.events.event_destination": {"declared_in": "wanted"}}], _variables=variables)
    assert done.code != 0
    assert all(f"The variable wanted {told}" in result["msg"] for result in done.results.values()), done.results


def test_the_listeners_are_said_alike():
    """subscribe.yml has two variables of vars/fleet.yml of its own, since a file would be read for every host."""
    shared = yaml.safe_load((ROOT / "playbooks" / "vars" / "fleet.yml").read_text())
    plays = yaml.safe_load((ROOT / "playbooks" / "subscribe.yml").read_text())
    own = next(play["vars"] for play in plays if play.get("vars"))
    assert own == {name: shared[name] for name in own}
