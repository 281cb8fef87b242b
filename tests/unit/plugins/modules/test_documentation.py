# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation and argument specs say the same, for every Redfish module."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.redfleet.events.plugins.doc_fragments._redfish import ModuleDocFragment
from ansible_collections.redfleet.events.plugins.module_utils import _listener as listener
from ansible_collections.redfleet.events.plugins.module_utils._argspec import CONNECTION
from ansible_collections.redfleet.events.plugins.module_utils._declaration import PROPERTIES

ROOT = Path(__file__).resolve().parents[4]
GROUPS = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"]
MODULES = sorted(GROUPS["redfish"])


def comparable(options: dict[str, Any]) -> dict[str, Any]:
    """What documentation and argument spec both say of options."""
    keys = ("type", "elements", "choices", "default", "required")
    return {
        name: {
            **{key: option[key] for key in keys if option.get(key) is not None},
            "parts": comparable(option.get("suboptions") or option.get("options") or {}),
        }
        for name, option in options.items()
    }


def load(name: str) -> Any:
    return importlib.import_module(f"ansible_collections.redfleet.events.plugins.modules.{name}")


@pytest.mark.parametrize("name", MODULES)
def test_options_are_documented_as_they_are(name: str):
    """Names, types, choices, defaults, also of suboptions."""
    module = load(name)
    documented = yaml.safe_load(module.DOCUMENTATION).get("options", {})
    own = {option: spec for option, spec in module.ARGUMENT_SPEC.items() if option not in CONNECTION}
    assert comparable(documented) == comparable(own)
    assert set(CONNECTION) <= set(module.ARGUMENT_SPEC)


def test_connection_options_are_documented_as_they_are():
    """One fragment, one argument spec."""
    documented = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    assert comparable(documented) == comparable(CONNECTION)


@pytest.mark.parametrize("name", MODULES)
def test_every_module_has_its_action_plugin_examples_and_a_page(name: str):
    """The action plugin runs the module's own function, and docs/modules.md has a heading."""
    module = load(name)
    action = importlib.import_module(f"ansible_collections.redfleet.events.plugins.action.{name}").ActionModule
    assert action.function is module.run
    assert action.argument_spec is module.ARGUMENT_SPEC
    assert f"redfleet.events.{name}" in str(yaml.safe_load(module.EXAMPLES))
    assert f"## {name}" in (ROOT / "docs" / "modules.md").read_text()


def test_every_declarable_property_is_an_option_of_event_destination():
    """A property that can be planned can be declared."""
    spec = load("event_destination").ARGUMENT_SPEC
    assert {known.option for known in PROPERTIES.values()} <= set(spec)


@pytest.mark.parametrize("name", MODULES)
def test_secrets_are_marked(name: str):
    """Whatever sounds like a secret is no_log, or says that it is none."""
    for option, spec in load(name).ARGUMENT_SPEC.items():
        if any(word in option for word in ("password", "token", "headers")):
            assert "no_log" in spec or spec.get("choices"), option


@pytest.mark.parametrize("name", sorted(GROUPS["listener"]))
def test_modules_of_the_listener_are_documented_as_they_are(name: str):
    """Options as they are, examples of the module, and a heading; `url` and `token` are the group's."""
    module = load(name)
    own = {option: spec for option, spec in module.ARGUMENT_SPEC.items() if option not in listener.CONNECTION}
    assert comparable(yaml.safe_load(module.DOCUMENTATION).get("options", {})) == comparable(own)
    assert set(listener.CONNECTION) <= set(module.ARGUMENT_SPEC)
    assert f"redfleet.events.{name}" in str(yaml.safe_load(module.EXAMPLES))
    assert f"## {name}\n" in (ROOT / "docs" / "modules.md").read_text()


def test_there_is_no_module_of_the_listener_outside_its_group():
    found = {path.stem for path in (ROOT / "plugins" / "modules").glob("listener_*.py")}
    assert found == set(GROUPS["listener"])
