# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that are variables of a host: what is put in without Jinja is what Ansible's templates give."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.redfleet.events.plugins.plugin_utils._variables import NotSimpleError, options_from, simple

ansible_template = pytest.importorskip("ansible.template")
if not hasattr(ansible_template, "trust_as_template"):
    pytest.skip("before ansible-core 2.19 every template is Ansible's own", allow_module_level=True)
trusted = ansible_template.trust_as_template

VARIABLES: dict[str, Any] = {
    "inventory_hostname": "bmc1",
    "url": trusted("https://{{ address }}:8443"),
    "address": "192.0.2.7",
    "minutes": 5,
    "labels": {"rack": trusted("{{ inventory_hostname }}")},
    "hostile": "{{ address }}",  # as a BMC may have sent it: no template
    "round": trusted("{{ round }}"),
    "true": "a variable that can't be named",
}
SIMPLE = [
    "plain",
    {"a": ["x", 1, 1.5, True, None]},
    trusted("{{ url }}/events/{{inventory_hostname}}"),
    trusted("{{ minutes }}"),
    trusted("{{ labels }}"),
    [trusted("{{  address  }}"), {"deep": trusted("{{ url }}")}],
    trusted("}} {{ address }}} }"),
]
OTHERS = [
    trusted("{{ address | upper }}"),
    trusted("{{ minutes }} minutes"),
    trusted("{% if minutes %}yes{% endif %}"),
    trusted("{{ labels.rack }}"),
    trusted("{# nothing #}{{ address }}"),
    trusted('{"a": "{{ address }}"}'),
    trusted("{{ true }}"),
    trusted("{{ hostile }}"),
    trusted("{{ address }}\n"),
    "{{ address }}",
]


@pytest.fixture
def templar() -> Templar:
    return Templar(loader=DataLoader(), variables=VARIABLES)


@pytest.mark.parametrize("value", SIMPLE, ids=str)
def test_names_in_a_text_are_put_in_as_jinja_does(value: Any, templar: Templar):
    """Also nested, in lists and dictionaries, and of their own type where a name is all."""
    assert simple(value, VARIABLES) == templar.template(value)


@pytest.mark.parametrize("value", OTHERS, ids=str)
def test_the_rest_is_left_to_ansible(value: Any, templar: Templar):
    """Filters, statements, attributes, numbers within a text; and what isn't to be templated at all."""
    with pytest.raises(NotSimpleError):
        simple(value, VARIABLES)
    assert options_from({"option": value, "other": "x"}, VARIABLES, templar) == {
        "option": templar.template(value),
        "other": "x",
    }


@pytest.mark.parametrize("value", ["{{ round }}", "{{ nobody }}", "{{ address"])
def test_errors_are_ansibles_own(value: str):
    """A loop, a name that isn't set, a template that ends too early."""
    with pytest.raises(NotSimpleError):
        simple(trusted(value), VARIABLES)


def test_an_option_that_is_omitted_is_left_out(templar: Templar):
    """As in the arguments of a task."""
    found = {"context": trusted("{{ nobody | default(omit) }}"), "destination": trusted("{{ url }}/")}
    assert options_from(found, VARIABLES, templar) == {"destination": "https://192.0.2.7:8443/"}
