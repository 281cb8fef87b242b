# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter that makes what PostgreSQL checks a password by."""

from __future__ import annotations

DOCUMENTATION = r"""
name: scram_verifier
short_description: What PostgreSQL checks a password by
version_added: 0.1.0
description:
  - Returns the SCRAM-SHA-256 verifier of a password, which the server takes in C(CREATE ROLE ... PASSWORD), so that the
    password itself is in no statement and in no log of the server. Use it only in tasks with C(no_log=true).
  - Given the verifier that the server has, returns that one if it is the password's, so that nothing changes.
positional: known
options:
  _input:
    description: The password, printable ASCII.
    type: str
    required: true
  known:
    description: C(rolpassword) of C(pg_authid), or an empty text.
    type: str
    default: ""
author:
  - redfleet.events contributors (@redfleet)
"""

EXAMPLES = r"""
- name: Role with a password
  ansible.builtin.command:
    argv: [psql, --dbname=postgres]
    stdin: "ALTER ROLE listener PASSWORD '{{ vaulted_password | redfleet.events.scram_verifier(known) }}';"
  no_log: true
"""

RETURN = r"""
_value:
  description: The verifier.
  type: str
"""

from ansible.errors import AnsibleFilterError
from ansible_collections.redfleet.events.plugins.plugin_utils import _scram


def scram_verifier(password, known=""):
    """Return the verifier (see RETURN)."""
    try:
        return _scram.kept_or_new(str(password), str(known).strip())
    except UnicodeEncodeError as error:
        raise AnsibleFilterError("The password has characters that are not ASCII. Choose another one.") from error


class FilterModule:
    """Registers the filter."""

    def filters(self):
        """Return the filter by name."""
        return {"scram_verifier": scram_verifier}
