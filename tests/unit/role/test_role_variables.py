# SPDX-License-Identifier: GPL-3.0-or-later
"""Every variable of every role is given a value by a scenario that runs the role."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
SCENARIOS = [
    *sorted((ROOT / "tests" / "integration").rglob("*.py")),
    *sorted((ROOT / "tests" / "services").rglob("*.py")),
]
VARIABLES = sorted(
    name
    for specification in ROOT.glob("roles/*/meta/argument_specs.yml")
    for name in yaml.safe_load(specification.read_text())["argument_specs"]["main"]["options"]
)


def given(tree: ast.AST) -> set[str]:
    """The names that a scenario gives values to: keys of dictionaries, keywords of calls, `-e NAME=VALUE`."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg:
            names.add(node.arg)
        elif isinstance(node, ast.Dict):
            names.update(key.value for key in node.keys if isinstance(key, ast.Constant))
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            names.add(str(node.slice.value))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.update(re.findall(r"^(\w+)=", node.value))
    return names


@pytest.fixture(scope="module")
def used() -> set[str]:
    """What the scenarios give values to, all of them."""
    return set().union(*(given(ast.parse(path.read_text())) for path in SCENARIOS))


@pytest.mark.parametrize("name", VARIABLES)
def test_every_variable_is_given_a_value_by_a_scenario(name: str, used: set[str]):
    """No exceptions: a variable that nothing ever sets isn't known to work."""
    assert name in used
