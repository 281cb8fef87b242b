# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter that makes the listener's configuration file from the role's variables."""

from __future__ import annotations

DOCUMENTATION = r"""
name: listener_configuration
short_description: The listener's configuration from the role's variables
version_added: 0.1.0
description:
  - Merges C(event_listener_settings) over what the variables of the role M(redfleet.events.event_listener#role) say,
    and replaces each secret by a reference.
  - Finds variables that contradict each other or the host, among them settings that a variable of the role decides.
positional: variables
options:
  _input:
    description: The settings, as in the listener's configuration file.
    type: dict
    required: true
  variables:
    description:
      - The role's variables without their prefix, and what the role found out about the host, see C(vars/main.yml) of
        the role.
    type: dict
    required: true
author:
  - redfleet.events contributors (@redfleet)
"""

EXAMPLES = r"""
- name: Check the variables
  ansible.builtin.assert:
    that: (event_listener_settings | redfleet.events.listener_configuration(variables)).problems | length == 0
"""

RETURN = r"""
_value:
  description:
    - C(settings) is the content of the configuration file, C(secrets) a list of C(name), C(value) and C(service),
      C(firewall) who may connect to which ports, empty where the role changes no firewall.
    - C(problems) is a list of sentences; where it is not empty, the others are.
  type: dict
"""

from ansible_collections.redfleet.events.plugins.plugin_utils import _listener_config


def listener_configuration(settings, variables):
    """Return configuration and secrets, or the problems (see RETURN)."""
    problems = _listener_config.problems(settings, variables)
    if problems:
        return {"problems": problems, "settings": {}, "secrets": [], "firewall": {}}
    return {"problems": [], **_listener_config.configuration(settings, variables)}


class FilterModule:
    """Registers the filter."""

    def filters(self):
        """Return the filter by name."""
        return {"listener_configuration": listener_configuration}
