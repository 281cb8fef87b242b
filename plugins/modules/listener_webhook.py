#!/usr/bin/python
# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module listener_webhook."""

from __future__ import annotations

DOCUMENTATION = r"""
module: listener_webhook
short_description: Keep a webhook of the listener
version_added: 0.1.0
description:
  - Makes, changes or removes a webhook, an address that the event listener posts events to. What isn't given stays.
  - The token needs C(webhooks.manage) and C(events.read).
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
    description: Name of the webhook. Together with O(domain) and O(account) it says which one is meant.
    type: str
    required: true
  domain:
    description: Path of the domain that it belongs to. That of the token's user without it.
    type: str
  account:
    description:
      - The account in that domain that it belongs to. An empty text is none, as webhooks of a wider O(scope) need it.
      - Without it, the account of the token's user in the user's own domain, and none in another one or with a wider
        O(scope).
    type: str
  payload_url:
    description:
      - Where to post. A new webhook needs it.
      - It is shown; where it is a secret itself, give the task C(no_log).
    type: str
  description:
    description: What it is for.
    type: str
  scope:
    description: Whose events it gets, those of its owner, of its domain and everything below, or all. V(Local) if new.
    type: str
    choices: [Local, Domain, Global]
  enabled:
    description:
      - Whether it is delivered to. A new one is.
      - The listener disables a webhook that fails for long; with V(true) it is enabled again.
    type: bool
  secret:
    description:
      - What deliveries are signed with, of at least 16 characters. An empty text takes it away.
      - It is neither shown nor logged. The same one again changes nothing.
    type: str
  update_secret:
    description: With V(on_create) the secret of a webhook that is there stays.
    type: str
    choices: [always, on_create]
    default: always
  keep_old_secret:
    description: Seconds for which the secret before signs too, when it is changed. A day without it.
    type: int
  tls_verify:
    description: Whether the certificate of the endpoint is verified. A new webhook does.
    type: bool
  ca:
    description: PEM of the certificate authorities of the endpoint. An empty text is those of the listener's system.
    type: str
  format:
    description: Of the payload. V(standard) if new.
    type: str
    choices: [standard, cloudevents, cloudstack]
  filters:
    description: Which types of events it gets. An exclude wins; with any include, one of them must match.
    type: list
    elements: dict
    suboptions:
      value:
        description: The type, or a part of it. Case matters.
        type: str
        required: true
      mode:
        description: What becomes of events that it matches.
        type: str
        choices: [Include, Exclude]
        default: Include
      match:
        description: How it looks at the type.
        type: str
        choices: [Exact, Prefix, Suffix, Contains]
        default: Exact
  categories:
    description: Only events of these categories; an empty list is all.
    type: list
    elements: str
    choices: [ActionEvent, AlertEvent, UsageEvent, ResourceStateEvent, AsyncJobEvent]
  levels:
    description: Only events of these levels; an empty list is all.
    type: list
    elements: str
    choices: [INFO, WARN, ERROR]
  state:
    description: V(absent) removes the webhook and its deliveries.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Errors of the first data centre go to the team on duty
  redfleet.events.listener_webhook:
    token: "{{ event_listener_token }}"
    name: ops
    domain: /dc1/
    scope: Domain
    payload_url: https://ops.example/in
    secret: "{{ vault_ops_webhook_secret }}"
    levels: [ERROR]
    filters:
      - value: RedfleetEvents.
        match: Prefix
        mode: Exclude
  delegate_to: listener1
"""

RETURN = r"""
webhook:
  description: The webhook as it is, or would be; V(null) where it is absent. Of its secret only whether it has one.
  returned: success
  type: dict
  sample:
    id: wh_0123456789abcdef
    name: ops
    url: https://ops.example/in
    description: ""
    domain: /dc1/
    account: null
    scope: Domain
    state: Enabled
    disabled_because: ""
    tls_verify: true
    ca: ""
    format: standard
    filters: [{"value": "RedfleetEvents.", "mode": "Exclude", "match": "Prefix"}]
    categories: []
    levels: [ERROR]
    has_secret: true
    old_secret_until: null
    created: "2026-11-22T02:54:34.123456Z"
    updated: "2026-11-22T02:54:34.123456Z"
msg:
  description: One sentence.
  returned: always
  type: str
"""

from typing import Any
from urllib.parse import quote

from ansible_collections.redfleet.events.plugins.module_utils._listener import (
    CONNECTION,
    Listener,
    ListenerError,
    serve,
)
from ansible_collections.redfleet.events.plugins.module_utils._listener_owners import domain_path, outcome

PATH = "/api/v1/webhooks"
# What of a webhook somebody decides, or needs to know; not its id, its times and its counts.
SHOWN = (
    *("name", "url", "description", "domain", "account", "scope", "state", "disabled_because", "has_secret"),
    *("tls_verify", "ca", "format", "filters", "categories", "levels"),
)
PLAIN = ("description", "scope", "keep_old_secret", "tls_verify", "ca", "format", "filters", "categories", "levels")
CATEGORIES = ["ActionEvent", "AlertEvent", "UsageEvent", "ResourceStateEvent", "AsyncJobEvent"]
FILTER: dict[str, dict[str, Any]] = {
    "value": {"type": "str", "required": True},
    "mode": {"type": "str", "choices": ["Include", "Exclude"], "default": "Include"},
    "match": {"type": "str", "choices": ["Exact", "Prefix", "Suffix", "Contains"], "default": "Exact"},
}
ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    **CONNECTION,
    "name": {"type": "str", "required": True},
    "domain": {"type": "str"},
    "account": {"type": "str"},
    "payload_url": {"type": "str"},
    "description": {"type": "str"},
    "scope": {"type": "str", "choices": ["Local", "Domain", "Global"]},
    "enabled": {"type": "bool"},
    "secret": {"type": "str", "no_log": True},
    "update_secret": {"type": "str", "choices": ["always", "on_create"], "default": "always", "no_log": False},
    "keep_old_secret": {"type": "int", "no_log": False},
    "tls_verify": {"type": "bool"},
    "ca": {"type": "str"},
    "format": {"type": "str", "choices": ["standard", "cloudevents", "cloudstack"]},
    "filters": {"type": "list", "elements": "dict", "options": FILTER},
    "categories": {"type": "list", "elements": "str", "choices": CATEGORIES},
    "levels": {"type": "list", "elements": "str", "choices": ["INFO", "WARN", "ERROR"]},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def owner(params: dict[str, Any], me: dict[str, Any]) -> dict[str, Any]:
    """To whom the webhook belongs; where nothing is said to the asker, as the API does it."""
    domain = me["domain"] if params["domain"] is None else domain_path(params["domain"])
    account = params["account"] or None
    if params["account"] is None and params["scope"] in (None, "Local") and domain == me["domain"]:
        account = me["account"]
    return {"domain": domain, "account": account}


def wanted(params: dict[str, Any], is_new: bool) -> dict[str, Any]:
    """What the API is asked for: what isn't given is left out."""
    found = {name: params[name] for name in PLAIN if params[name] is not None}
    if params["payload_url"] is not None:
        found["url"] = params["payload_url"]
    if params["enabled"] is not None:
        found["state"] = "Enabled" if params["enabled"] else "Disabled"
    kept = not is_new and params["update_secret"] == "on_create"  # noqa: S105 - says when, and is no secret
    if params["secret"] is not None and not kept:
        found["secret"] = params["secret"] or None
    return found


def compared(webhook: dict[str, Any] | None) -> dict[str, Any] | None:
    """What a change of a webhook is seen by; None stays None."""
    return webhook and {name: webhook[name] for name in SHOWN}


def put(
    params: dict[str, Any], listener: Listener, known: dict[str, Any] | None, belongs: dict[str, Any], check_mode: bool
) -> dict[str, Any]:
    """Make or change it; the API's answer. Raises ListenerError."""
    document = {**wanted(params, known is None), "check": check_mode}
    if known:
        return listener.patch(f"{PATH}/{quote(known['id'], safe='')}", document)
    if not params["payload_url"]:
        where = belongs["domain"] + (belongs["account"] or "")
        raise ListenerError(f"there is no webhook {params['name']} of {where}; a new one needs payload_url")
    answer = listener.post(PATH, {**belongs, "name": params["name"], **document})
    if check_mode:
        answer["webhook"]["id"] = None
    return answer


def run(params: dict[str, Any], listener: Listener, check_mode: bool) -> dict[str, Any]:
    """Make, change or remove; see RETURN. Raises ListenerError."""
    belongs, what = owner(params, listener.get("/api/v1/me")), f"webhook {params['name']}"
    found = listener.get(PATH, {"name": params["name"], "domain": belongs["domain"]})["webhooks"]
    known = next((one for one in found if one["account"] == belongs["account"]), None)
    if params["state"] == "absent":
        if known and not check_mode:
            listener.delete(f"{PATH}/{quote(known['id'], safe='')}")
        return {**outcome(what, compared(known), None), "webhook": None}
    answer = put(params, listener, known, belongs, check_mode)
    before, after = compared(answer["before"]), compared(answer["webhook"])
    # Another secret changes the webhook, though nothing that is shown.
    secret = answer["changed"] and before == after
    return {
        **outcome(what, before, after),
        "changed": answer["changed"],
        "webhook": answer["webhook"],
        **({"msg": f"{what} has another secret."} if secret else {}),
    }


def main() -> None:
    serve(ARGUMENT_SPEC, run)


if __name__ == "__main__":
    main()
