# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's interface: argument_specs.yml is it, defaults/main.yml equals it, the README names all of it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import yaml
from event_listener.inputs import INPUTS

ROLE = Path(__file__).resolve().parents[3] / "roles" / "event_listener"
OPTIONS = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
DEFAULTS = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())


def test_defaults_equal_the_specification():
    """A default said twice must not drift."""
    assert {name: option["default"] for name, option in OPTIONS.items()} == DEFAULTS
    assert [*OPTIONS] == [*DEFAULTS]


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_every_variable_is_documented(name):
    """The README has each variable; the specification describes it."""
    assert OPTIONS[name]["description"]
    assert f"`{name}`" in (ROLE / "README.md").read_text()


def test_variables_that_hold_secrets_are_marked():
    """Ansible masks what is marked no_log, and nothing else."""
    assert OPTIONS["event_listener_ca_passphrase"]["no_log"] is True
    assert OPTIONS["event_listener_secrets"]["no_log"] is True
    assert OPTIONS["event_listener_tokens"]["options"]["token"]["no_log"] is True
    for field in ("password", "token"):
        assert OPTIONS["event_listener_credentials"]["options"][field]["no_log"] is True


def test_the_interface_stays_small():
    """How to deploy is a variable, how it behaves is a setting."""
    assert len(OPTIONS) <= 26


def test_prefix():
    """Nothing of the role leaks into the variables of others."""
    internal = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())
    assert all(name.startswith("event_listener_") for name in OPTIONS)
    assert all(name.startswith("_event_listener_") for name in internal)


TIMER = ROLE.parent / "reconcile_timer"
TIMER_OPTIONS = yaml.safe_load((TIMER / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]["options"]


def test_the_timers_interface_is_what_it_says():
    """Defaults, specification and README of the other role; its secrets are masked."""
    defaults = yaml.safe_load((TIMER / "defaults" / "main.yml").read_text())
    assert {name: option["default"] for name, option in TIMER_OPTIONS.items()} == defaults
    assert all(f"`{name}`" in (TIMER / "README.md").read_text() for name in TIMER_OPTIONS)
    assert all(name.startswith("reconcile_timer_") for name in TIMER_OPTIONS)
    assert [name for name, option in TIMER_OPTIONS.items() if option.get("no_log")] == [
        "reconcile_timer_vault_password",
        "reconcile_timer_ssh_key",
    ]


def role_options(name: str) -> dict:
    """What the specification of another role lists."""
    spec = yaml.safe_load((ROLE.parent / name / "meta" / "argument_specs.yml").read_text())
    return spec["argument_specs"]["main"]["options"]


@pytest.mark.parametrize(
    ("name", "secrets"), [("listener_address", []), ("event_database", ["event_database_password"])]
)
def test_the_interface_of_a_further_role_is_what_it_says(name: str, secrets: list[str]):
    """Defaults, specification and README agree; its secrets are masked."""
    options = role_options(name)
    defaults = yaml.safe_load((ROLE.parent / name / "defaults" / "main.yml").read_text())
    assert {variable: option["default"] for variable, option in options.items()} == defaults
    assert all(f"`{variable}`" in (ROLE.parent / name / "README.md").read_text() for variable in options)
    assert all(variable.startswith(f"{name}_") for variable in options)
    assert [variable for variable, option in options.items() if option.get("no_log")] == secrets


def test_the_check_of_the_shared_address_knows_the_roles_defaults():
    """It asks where the listener listens; what the inventory leaves out is the other role's default."""
    check = (ROLE.parent / "listener_address" / "templates" / "receives.j2").read_text()
    for variable in ("event_listener_bind", "event_listener_manage_bind", "event_listener_tls"):
        assert f"{variable} | default({DEFAULTS[variable]!r})" in check


def test_every_message_bus_has_its_unit():
    """A section of the settings turns it on; a kind that the role doesn't know would never be started."""
    variables = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())
    assert variables["_event_listener_source_kinds"] == [*INPUTS]


def test_every_extra_of_the_package_can_be_chosen():
    """What a page tells to install the role must not refuse."""
    project = tomllib.loads((ROLE / "files" / "event_listener" / "pyproject.toml").read_text())["project"]
    assert OPTIONS["event_listener_extras"]["choices"] == sorted(project["optional-dependencies"])
