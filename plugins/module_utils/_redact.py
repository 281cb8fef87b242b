# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets out of what a BMC shows. No I/O."""

from __future__ import annotations

import re
from typing import Any

MASK = "********"
# Keys whose values are secrets wherever a BMC shows them (EventDestination.SNMP, EventService.SMTP, Oem).
SECRET_KEYS = frozenset({"httpheaders", "password", "authenticationkey", "encryptionkey", "trapcommunity"})

# The marker of a path secret: the event listener's /events/<source>/secret-<random>, in whatever URL or message.
_PATH_SECRET = re.compile(r"(?<=/)secret-[A-Za-z0-9_-]{16,}")


def path_secrets_in(value: Any) -> set[str]:
    """The path secrets in the texts of a value, however deep."""
    if isinstance(value, dict):
        return set().union(*map(path_secrets_in, value.values()))
    if isinstance(value, (list, tuple)):
        return set().union(*map(path_secrets_in, value))
    return set(_PATH_SECRET.findall(value)) if isinstance(value, str) else set()


def masked(value: Any, secret: bool = False) -> Any:
    """A copy of a resource whose secrets are masked, also those of foreign subscriptions."""
    if isinstance(value, dict):
        return {key: masked(item, secret or str(key).lower() in SECRET_KEYS) for key, item in value.items()}
    if isinstance(value, list):
        return [masked(item, secret) for item in value]
    if isinstance(value, str):
        return MASK if secret and value else _PATH_SECRET.sub(MASK, _without_userinfo(value))
    return value


def _without_userinfo(text: str) -> str:
    scheme, found, rest = text.partition("://")
    authority, slash, path = rest.partition("/")
    if not found or "@" not in authority:
        return text
    return f"{scheme}://{MASK}@{authority.rpartition('@')[2]}{slash}{path}"


def presentable(member: dict[str, Any]) -> dict[str, Any]:
    """A member for results and diffs: without annotations but its URI, without actions, secrets masked."""
    plain = {key: value for key, value in member.items() if ("@" not in key and key != "Actions") or key == "@odata.id"}
    return masked(plain)
