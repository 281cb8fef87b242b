# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter that makes a listener's connection options from its variables."""

from __future__ import annotations

DOCUMENTATION = r"""
name: listener_connection
short_description: The connection options to a listener from its variables
version_added: 0.1.0
description:
  - Returns C(url) and C(token) for the modules of the action group C(redfleet.events.listener), from the variables of
    the role M(redfleet.events.event_listener#role). The first of C(event_listener_tokens) is used.
options:
  _input:
    description: Variables of the listener's host, as in C(hostvars).
    type: dict
    required: true
author:
  - redfleet.events contributors (@redfleet)
"""

EXAMPLES = r"""
- name: Last events of a listener
  redfleet.events.listener_event_info:
  module_defaults:
    group/redfleet.events.listener: "{{ hostvars['listener1'] | redfleet.events.listener_connection }}"
  delegate_to: listener1
"""

RETURN = r"""
_value:
  description: The options C(url) and C(token), where the variables tell.
  type: dict
"""

from ansible_collections.redfleet.events.plugins.plugin_utils import _fleet


def listener_connection(variables):
    """Return the connection options (see RETURN)."""
    return _fleet.listener_connection(
        variables.get("event_listener_manage_bind"), variables.get("event_listener_tokens")
    )


class FilterModule:
    """Registers the filter."""

    def filters(self):
        """Return the filter by name."""
        return {"listener_connection": listener_connection}
