# SPDX-License-Identifier: GPL-3.0-or-later
"""Which security group changes does a notification tell of? And what is known of rules and ports after it? No I/O.

A rule's ``delete.end`` has the rule's id and nothing else (neutron/pecan_wsgi/hooks/notifier.py), a port's doesn't say
what it had: both are looked up in what was known before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

RULE, PORT = "rule", "port"
_RULE, _GROUP, _PORT = "security_group_rule", "security_group", "port"
TYPES = (
    *(f"{_RULE}.{verb}.end" for verb in ("create", "delete")),
    *(f"{_GROUP}.{verb}.end" for verb in ("create", "update", "delete")),
    *(f"{_PORT}.{verb}.end" for verb in ("create", "update", "delete")),
)
# What a line in a log needs of a rule; osel's schema has no more.
_RULE_FIELDS = (
    "id", "security_group_id", "direction", "ethertype", "protocol", "port_range_min", "port_range_max",
    "remote_ip_prefix", "remote_group_id", "tenant_id", "project_id", "description",
)  # fmt: skip


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One change of one group. ``type``: sg_rule_add, sg_rule_del (osel's), sg_add, sg_change, sg_del, port_sg_add,
    port_sg_del. ``port``: it concerns this port alone (as it was last known), otherwise all ports of the group."""

    type: str
    group: str
    rule: dict[str, Any] | None = None
    port: dict[str, Any] | None = None


class Seen(msgspec.Struct, frozen=True):
    """What is known of an object now; without a body it is gone."""

    kind: str
    id: str
    body: dict[str, Any] | None


class Before(msgspec.Struct, frozen=True):
    """What was known of an object: ``primed`` says that the cloud told it later than the notification was sent."""

    body: dict[str, Any]
    primed: bool = False


Lookup = Callable[[str, str], Before | None]


def changes(event_type: str, payload: Any, known: Lookup) -> tuple[list[Change], list[Seen]]:
    """The changes that a notification tells of, and what is known after it. Total."""
    if not isinstance(payload, dict):
        return [], []
    kind, verb = event_type.removesuffix(".end").rsplit(".", 1)
    handler = {_RULE: _of_rule, _GROUP: _of_group, _PORT: _of_port}[kind]
    found: list[Change] = []
    seen: list[Seen] = []
    for ident, body in _bodies(payload, kind):
        more, known_now = handler(verb, ident, body, known)
        found += more
        seen += known_now
    return found, seen


def _bodies(payload: dict[str, Any], kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Id and body of each object: one, several (created in bulk), or an id alone."""
    one, several = payload.get(kind), payload.get(f"{kind}s")
    bodies = [one] if isinstance(one, dict) else several if isinstance(several, list) else []
    found = [(str(body["id"]), body) for body in bodies if isinstance(body, dict) and body.get("id")]
    if not found and isinstance(ident := payload.get(f"{kind}_id"), str):
        found = [(ident, {})]
    yield from found


def rule_of(body: dict[str, Any]) -> dict[str, Any]:
    """A rule, as it is kept."""
    kept = {name: body[name] for name in _RULE_FIELDS if name in body}
    kept.setdefault("tenant_id", kept.get("project_id"))
    return kept


def port_of(body: dict[str, Any]) -> dict[str, Any]:
    """A port, as it is kept: groups, fixed addresses, and whose it is."""
    groups, fixed = body.get("security_groups"), body.get("fixed_ips")
    addresses = [one.get("ip_address") for one in fixed if isinstance(one, dict)] if isinstance(fixed, list) else []
    return {
        "id": str(body.get("id", "")),
        "groups": sorted({one for one in groups if isinstance(one, str)}) if isinstance(groups, list) else [],
        "fixed": [one for one in addresses if isinstance(one, str)],
        "device_id": str(body.get("device_id") or ""),
        "device_owner": str(body.get("device_owner") or ""),
        "project_id": str(body.get("project_id") or body.get("tenant_id") or ""),
    }


def _of_rule(verb: str, ident: str, body: dict[str, Any], known: Lookup) -> tuple[list[Change], list[Seen]]:
    if verb == "create":
        rule = rule_of(body)
        return [Change(type="sg_rule_add", group=str(rule.get("security_group_id") or ""), rule=rule)], [
            Seen(RULE, ident, rule)
        ]
    before = known(RULE, ident)
    rule = rule_of(body) if body.get("security_group_id") else before.body if before is not None else {"id": ident}
    group = str(rule.get("security_group_id") or "")
    return [Change(type="sg_rule_del", group=group, rule=rule)], [Seen(RULE, ident, None)]


def _of_group(verb: str, ident: str, body: dict[str, Any], _known: Lookup) -> tuple[list[Change], list[Seen]]:
    type_ = {"create": "sg_add", "update": "sg_change", "delete": "sg_del"}[verb]
    rules = body.get("security_group_rules")
    # Its first rules come without a notification of their own.
    first = [one for one in rules if isinstance(one, dict) and one.get("id")] if isinstance(rules, list) else []
    return [Change(type=type_, group=ident)], [Seen(RULE, str(one["id"]), rule_of(one)) for one in first]


def _of_port(verb: str, ident: str, body: dict[str, Any], known: Lookup) -> tuple[list[Change], list[Seen]]:
    before = known(PORT, ident)
    old = before.body if before is not None else port_of({"id": ident})
    if verb == "delete":
        last = old if before is not None else port_of({**body, "id": ident})
        return [Change(type="port_sg_del", group=one, port=last) for one in last["groups"]], [Seen(PORT, ident, None)]
    now = port_of(body)
    # What the cloud told after this was sent may hold it already: rather once too often than never.
    had = set() if before is None or before.primed else set(old["groups"])
    gained = [Change(type="port_sg_add", group=one, port=now) for one in now["groups"] if one not in had]
    lost = [Change(type="port_sg_del", group=one, port=now) for one in sorted(had - set(now["groups"]))]
    return gained + lost, [Seen(PORT, ident, now)]
