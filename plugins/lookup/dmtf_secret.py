# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lookup of a password in a DMTF configuration."""

from __future__ import annotations

DOCUMENTATION = r"""
name: dmtf_secret
short_description: A password of a DMTF config.ini
version_added: 0.1.0
description:
  - Reads one password from the C(config.ini) of the DMTF Redfish Event Listener.
  - P(redfleet.events.dmtf_listener#inventory) refers to passwords by this lookup, so that they are in memory only
    where they are used, and in no output of C(ansible-inventory).
options:
  _terms:
    description: Path of the file.
    type: list
    elements: path
    required: true
  of:
    description: Name of the server in the inventory. Without it, the password of C([ListenerAuthentication]).
    type: str
author:
  - redfleet.events contributors (@redfleet)
"""

EXAMPLES = r"""
- name: Password of one BMC
  ansible.builtin.set_fact:
    redfish_password: "{{ lookup('redfleet.events.dmtf_secret', '/srv/config.ini', of='192.0.2.10') }}"
  no_log: true
"""

RETURN = r"""
_raw:
  description: The password.
  type: list
  elements: str
"""

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from ansible_collections.redfleet.events.plugins.plugin_utils import _dmtf_file


class LookupModule(LookupBase):
    """Finds passwords."""

    def run(self, terms, variables=None, **kwargs):
        """Return the password of each file (see RETURN)."""
        self.set_options(var_options=variables, direct=kwargs)
        name = self.get_option("of")
        return [self._password(str(term), name) for term in terms]

    @staticmethod
    def _password(path, name):
        config = _dmtf_file.load(path)
        if name is None:
            found = config.password
        else:
            found = next((server.password for server in config.servers if server.name == str(name)), None)
        if found is None:
            where = "[ListenerAuthentication]" if name is None else f"server {name} under [ServerInformation]"
            raise AnsibleError(f"{path}: there is no {where} any more. Look at the file, and run again.")
        return found
