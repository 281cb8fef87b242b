# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a BMC's message registries: the Registries collection, its MessageRegistryFiles, and what those point to.

Attribute and privilege registries stand in the same collection; no event comes from them. A file's registry may be at
several places, one per language; Location[].Uri is on the BMC, PublicationUri somewhere in the Internet and not asked.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.redfleet.events.plugins.module_utils._client import RedfishClient
from ansible_collections.redfleet.events.plugins.module_utils._collection import members_of
from ansible_collections.redfleet.events.plugins.module_utils._errors import RedfishError, UnsupportedError
from ansible_collections.redfleet.events.plugins.module_utils._subscription import uri_of

Resource = dict[str, Any]
NO_MESSAGES = re.compile(r"attribute|privilege", re.IGNORECASE)
VERSIONED = re.compile(r"([A-Za-z0-9_-]+)\.(\d+)\.(\d+)(?:\.\d+)?")
# What is kept of a registry: what the listener fills in. The rest (ParamTypes, descriptions) is most of its size.
HEAD = ("@odata.type", "Id", "Language", "RegistryPrefix", "RegistryVersion", "OwningEntity")
OF_A_MESSAGE = ("Message", "MessageSeverity", "Severity", "Resolution")
# Failures of one registry that leave the others readable.
ITS_OWN = ("bmc_error", "unsupported", "unknown_state", "forbidden")


@dataclass
class Reading:
    """Registries, condensed; those that were known and not read again; and why others could not be read."""

    registries: list[Resource] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)


def read_registries(client: RedfishClient, known: Collection[str], language: str) -> Reading:
    """All message registries but those in `known` (`Prefix.Major.Minor`).

    :raises RedfishError: when not even their list can be read.
    """
    link = client.root.get("Registries")
    if not isinstance(link, dict):
        raise UnsupportedError(
            f"{client.base} shows no Registries.",
            "Import its message registries from files (listener_message_registry).",
        )
    reading = Reading()
    for entry in members_of(client, uri_of(link)):
        name = str(entry.get("Registry") or entry.get("Id") or "")
        if NO_MESSAGES.search(name) or NO_MESSAGES.search(str(entry.get("Id"))):
            continue
        if minor(name) in known:
            reading.skipped.append(name)
            continue
        try:
            reading.registries.append(_registry(client, entry, name, language))
        except RedfishError as error:
            if error.reason not in ITS_OWN:
                raise
            reading.unread[name] = str(error)
    return reading


def minor(name: str) -> str:
    """`Base.1.19` of `Base.1.19` and `Base.1.19.0`; what has no version as it is."""
    found = VERSIONED.fullmatch(name)
    return f"{found.group(1)}.{found.group(2)}.{found.group(3)}" if found else name


def _registry(client: RedfishClient, entry: Resource, name: str, language: str) -> Resource:
    uri = location(entry, language)
    if not uri:
        raise UnsupportedError(
            f"{client.base} does not serve {name} itself.", "Import it from a file (listener_message_registry)."
        )
    body = client.get(uri)
    if not isinstance(body.get("Messages"), dict):
        raise UnsupportedError(f"{client.base}{uri} is no message registry.", "Import it from a file.")
    return {"RegistryPrefix": name.partition(".")[0], **condensed(body)}


def location(entry: Resource, language: str) -> str:
    """Where a MessageRegistryFile's registry is on the BMC, in this language where there is one; "" for nowhere.

    iLO 4 and 5 write {"extref": ...} where the schema has a text.
    """
    places = entry.get("Location")
    found: dict[str, str] = {}
    for place in places if isinstance(places, list) else []:
        uri = place.get("Uri") if isinstance(place, dict) else None
        uri = uri.get("extref") if isinstance(uri, dict) else uri
        if isinstance(uri, str) and uri:
            found.setdefault(str(place.get("Language") or "").lower(), uri)
    return found.get(language.lower()) or found.get("default") or next(iter(found.values()), "")


def condensed(body: Resource) -> Resource:
    """A registry without what nobody fills in from."""
    messages = {
        str(key): {name: message[name] for name in OF_A_MESSAGE if isinstance(message.get(name), str)}
        for key, message in body["Messages"].items()
        if isinstance(message, dict)
    }
    return {**{name: body[name] for name in HEAD if isinstance(body.get(name), str)}, "Messages": messages}
