# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The EventService of one BMC: read completely or not at all, write with whatever ETag it insists on.

"Unknown" is never "empty": an unreadable member, a missing Members or an HTML page is an error.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.redfleet.events.plugins.module_utils._capabilities import (
    Capabilities,
    capabilities_of,
    vendor_of,
)
from ansible_collections.redfleet.events.plugins.module_utils._client import ROOT, RedfishClient
from ansible_collections.redfleet.events.plugins.module_utils._collection import (
    first_page,
    is_expanded,
    members_of,
    read_member,
)
from ansible_collections.redfleet.events.plugins.module_utils._connection import local_path
from ansible_collections.redfleet.events.plugins.module_utils._errors import (
    Answer,
    RedfishError,
    UnsupportedError,
    error_for,
)
from ansible_collections.redfleet.events.plugins.module_utils._subscription import is_free_slot, same_uri, uri_of

Resource = dict[str, Any]
NOT_OFFERED = (405, 501)


class EventService:
    """What the modules ask of a BMC.

    `settings` is the EventService resource, read once on first use, as is what `first` returns; `members` are its
    subscriptions as last read.
    """

    def __init__(self, client: RedfishClient):
        self.client = client
        self._settings: Resource | None = None
        self._firsts: dict[str, Resource] = {}
        self.members: list[Resource] = []

    @property
    def where(self) -> str:
        return self.client.base

    @property
    def uri(self) -> str:
        """The EventService's URI.

        :raises UnsupportedError: the BMC has none.
        """
        return _link(self.client.root, "EventService", self.where)

    @property
    def settings(self) -> Resource:
        if self._settings is None:
            self._settings = self.client.get(self.uri)
        return self._settings

    @property
    def collection(self) -> str:
        return _link(self.settings, "Subscriptions", self.where)

    @property
    def capabilities(self) -> Capabilities:
        """As of the last time that the subscriptions were read."""
        return capabilities_of(self.settings, self.client.root, slots=any(map(is_free_slot, self.members)))

    def update_settings(self, changes: Resource) -> Answer:
        """PATCH the EventService; the next look at `settings` reads it again."""
        answer = self._conditional("PATCH", self.uri, changes, self.settings.get("@odata.etag"))
        self._settings = None
        return answer

    # -- reading ----------------------------------------------------------------------------------------------

    def subscriptions(self) -> list[Resource]:
        """Every subscription of the BMC.

        :raises UnknownStateError: when a part of the list cannot be read.
        """
        self.members = members_of(self.client, self.collection)
        return self.members

    def registries(self) -> list[Resource]:
        """The message registries of the BMC: name with version, languages. Empty where it lists none."""
        link = self.client.root.get("Registries")
        if not isinstance(link, dict):
            return []
        return [
            {"id": entry.get("Id"), "registry": entry.get("Registry"), "languages": entry.get("Languages")}
            for entry in members_of(self.client, str(link.get("@odata.id")))
        ]

    def read(self, uri: str) -> Resource:
        """One subscription, with its ETag."""
        return read_member(self.client, uri)

    # -- writing ----------------------------------------------------------------------------------------------

    def create(self, payload: Resource) -> Answer:
        """POST a subscription, once. With 428 nothing was done: then once more with the collection's ETag."""
        answer = self.client.ask("POST", self.collection, payload)
        if answer.status == 428:  # Huawei iBMC: ansible/ansible#60031
            etag = self.client.ask("GET", self.collection).headers.get("etag", "*")
            answer = self.client.ask("POST", self.collection, payload, {"If-Match": etag})
        return answer

    def created_uri(self, answer: Answer) -> str | None:
        """Where a created subscription is, from Location or the body; None when neither says it.

        Seen: Location absolute, relative or missing; a body that is an error object (HPE) or names the collection
        (Lenovo TSM, AMI).
        """
        told = [answer.headers.get("location"), (answer.body or {}).get("@odata.id")]
        for candidate in told:
            uri = local_path(candidate) if isinstance(candidate, str) and candidate else ""
            below = uri.rstrip("/").startswith(self.collection.rstrip("/") + "/")
            if below and not same_uri(uri, self.collection):
                return uri
        return None

    def patch(self, member: Resource, changes: Resource) -> Answer:
        """PATCH a subscription, with the ETag that the BMC wants."""
        return self._conditional("PATCH", uri_of(member), changes, member.get("@odata.etag"))

    def delete(self, member: Resource) -> None:
        """Remove a subscription; one that is gone already is fine, a fixed slot is emptied.

        :raises RedfishError: when the BMC refuses.
        """
        answer = self._conditional("DELETE", uri_of(member), None, None)
        if answer.status in NOT_OFFERED:
            answer = self.patch(member, {"Destination": "", **_slot_switch(member, on=False)})
        if not answer.ok and answer.status not in (404, 410):
            raise error_for(answer)

    def fill(self, slot: Resource, payload: Resource) -> Answer:
        """Write a subscription into a free slot; Supermicro's are switched on as well."""
        body = {name: value for name, value in payload.items() if name != "Oem"}
        switch = _slot_switch(slot, on=True)
        oem = {**payload.get("Oem", {}), **switch.get("Oem", {})}
        return self.patch(slot, {**body, **({"Oem": oem} if oem else {})})

    def _conditional(self, method: str, uri: str, body: Resource | None, etag: Any) -> Answer:
        """Write, and where the BMC refuses because of If-Match, again with the next spelling of a fresh ETag.

        412, 428 and a refused header mean that nothing was done. Seen: required (Huawei), unquoted, weak although
        compared strongly (Lenovo; community.general#3268, #11261, #11270), refused altogether.
        """
        answer = self.client.ask(method, uri, body, {"If-Match": etag} if isinstance(etag, str) and etag else {})
        if answer.status not in (412, 428) and not _refuses_header(answer):
            return answer
        for headers in self._etag_variants(uri, tried=etag, header_refused=_refuses_header(answer)):
            answer = self.client.ask(method, uri, body, headers)
            if answer.status not in (412, 428) and not _refuses_header(answer):
                break
        return answer

    def _etag_variants(self, uri: str, tried: Any, header_refused: bool) -> list[dict[str, str]]:
        """Headers to try, the likeliest first."""
        if header_refused:
            return [{}]
        fresh = self.client.ask("GET", uri)
        etag = fresh.headers.get("etag") or (fresh.body or {}).get("@odata.etag") or ""
        plain = etag[2:] if etag.startswith("W/") else etag
        plain = plain.strip('"')
        spellings = [etag, f'"{plain}"', plain] if plain else []
        return [{"If-Match": text} for text in dict.fromkeys([*spellings, "*"]) if text != tried] + [{}]

    # -- who this is ------------------------------------------------------------------------------------------

    def identity(self) -> Resource:
        """What the ServiceRoot says of the BMC; costs no request."""
        root = self.client.root
        return {
            "uuid": root.get("UUID"),
            "vendor": vendor_of(root) or None,
            "product": root.get("Product"),
            "redfish_version": root.get("RedfishVersion"),
        }

    def clock_offset(self) -> int | None:
        """Seconds by which its clock is ahead of ours: by the Date of its answers, else its manager's DateTime."""
        if self.client.clock_offset is not None:
            return self.client.clock_offset
        try:
            shown = datetime.fromisoformat(str(self.first("Managers").get("DateTime")).replace("Z", "+00:00"))
        except (ValueError, RedfishError):
            return None
        return round(shown.timestamp() - time.time())

    def hardware(self, firmware: str | None = None) -> Resource:
        """Manufacturer, model and serial of the first system, firmware of the first manager.

        Two requests where the BMC expands its lists, four otherwise; half of it where the firmware is known.

        What cannot be read is null: it is a description, not a condition.
        """
        system = self._first_if_any("Systems")
        return {
            "manufacturer": system.get("Manufacturer"),
            "model": system.get("Model"),
            "serial": system.get("SerialNumber"),
            "firmware": firmware or self._first_if_any("Managers").get("FirmwareVersion"),
        }

    def manager_uri(self) -> str:
        """Who manages the first system, which is to be read anyway; where it doesn't say, the first manager.

        :raises RedfishError: when it cannot be read.
        """
        links = self._first_if_any("Systems").get("Links")
        managers = links.get("ManagedBy") if isinstance(links, dict) else None
        manager = managers[0] if isinstance(managers, list) and managers else None
        uri = uri_of(manager) if isinstance(manager, dict) else ""
        return uri or uri_of(self.first("Managers"))

    def _first_if_any(self, name: str) -> Resource:
        try:
            return self.first(name)
        except RedfishError:
            return {}

    def first(self, name: str) -> Resource:
        """The first member of a collection of the ServiceRoot ("Systems", "Managers"), {} where it has none.

        :raises RedfishError: when it cannot be read.
        """
        if name not in self._firsts:
            found = first_page(self.client, _link(self.client.root, name, self.where)).get("Members") or [{}]
            known = not found[0] or is_expanded(found[0])
            self._firsts[name] = found[0] if known else self.client.get(uri_of(found[0]))
        return self._firsts[name]


def _link(resource: Resource, name: str, where: str) -> str:
    link = resource.get(name)
    uri = link.get("@odata.id") if isinstance(link, dict) else None
    if not isinstance(uri, str) or not uri:
        raise UnsupportedError(
            f"{where} shows no {name} in {resource.get('@odata.id', ROOT)}.",
            "Check that its firmware and licence offer the Redfish EventService.",
        )
    return urlsplit(uri).path


def _refuses_header(answer: Answer) -> bool:
    """Whether a BMC refuses If-Match itself."""
    return answer.status == 400 and any(
        "If-Match" in (*message.args, *message.text.split(), *message.related) for message in answer.messages
    )


def _slot_switch(slot: Resource, on: bool) -> Resource:
    """Supermicro's own switch of a slot, where the slot shows it."""
    oem = slot.get("Oem")
    if isinstance(oem, dict) and "Supermicro" in oem:
        return {"Oem": {"Supermicro": {"EnableSubscription": on}}}
    return {}
