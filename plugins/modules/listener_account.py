#!/usr/bin/python
# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module listener_account."""

from __future__ import annotations

DOCUMENTATION = r"""
module: listener_account
short_description: Keep an account of the listener
version_added: 0.1.0
description:
  - Makes or removes an account in a domain of the event listener. Users of an account see the events of the sources
    that belong to it.
author:
  - redfleet.events contributors (@redfleet)
extends_documentation_fragment:
  - redfleet.events._listener
  - redfleet.events._listener.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  name:
    description: Name of the account. Accounts of different domains may have the same.
    type: str
    required: true
  domain:
    description: Path of its domain, which is made where it isn't there.
    type: str
    default: /
  state:
    description: An account with users or sources can't be V(absent).
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: The web team has an account
  redfleet.events.listener_account:
    token: "{{ event_listener_token }}"
    name: web
    domain: /dc1/
  delegate_to: listener1
"""

RETURN = r"""
account:
  description: The account.
  returned: success
  type: dict
  contains:
    domain:
      description: Path of its domain, as the listener writes it.
      type: str
    name:
      description: Its name.
      type: str
msg:
  description: One sentence.
  returned: always
  type: str
"""

from typing import Any
from urllib.parse import quote, urlencode

from ansible_collections.redfleet.events.plugins.module_utils._listener import CONNECTION, Listener, serve
from ansible_collections.redfleet.events.plugins.module_utils._listener_owners import domain_path, outcome

PATH = "/api/v1/accounts"
ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    **CONNECTION,
    "name": {"type": "str", "required": True},
    "domain": {"type": "str", "default": "/"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def run(params: dict[str, Any], listener: Listener, check_mode: bool) -> dict[str, Any]:
    """Make or remove it; see RETURN. Raises ListenerError."""
    account = {"domain": domain_path(params["domain"]), "name": params["name"]}
    before = account if account in listener.get(PATH)["accounts"] else None
    after = account if params["state"] == "present" else None
    if before != after and not check_mode:
        if after:
            listener.post(PATH, account)
        else:
            where = urlencode({"domain": account["domain"]})
            listener.delete(f"{PATH}/{quote(account['name'], safe='')}?{where}")
    return {**outcome(f"account {account['name']} of {account['domain']}", before, after), "account": account}


def main() -> None:
    serve(ARGUMENT_SPEC, run)


if __name__ == "__main__":
    main()
