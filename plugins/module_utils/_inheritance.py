# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a replacement takes over from the subscription that it replaces: the CA certificates that belong to it.

By the standard (EventDestination.Certificates since v1_9_0) they go with the old one; without them a BMC that
verifies would deliver nothing to the new one.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.redfleet.events.plugins.module_utils._collection import members_of
from ansible_collections.redfleet.events.plugins.module_utils._errors import RedfishError, describe
from ansible_collections.redfleet.events.plugins.module_utils._event_service import EventService
from ansible_collections.redfleet.events.plugins.module_utils._subscription import uri_of

Resource = dict[str, Any]
ADVICE = "Until playbooks/trust.yml installs them again, it may deliver nothing."


def certificates_of(service: EventService, member: Resource) -> list[Resource]:
    """Those of a subscription, as they are sent. A BMC that can't show them has none to take over."""
    link = member.get("Certificates")
    if not isinstance(link, dict) or not uri_of(link):
        return []
    try:
        shown = members_of(service.client, uri_of(link))
    except RedfishError as error:
        service.client.warnings.append(f"The CA certificates of {uri_of(member)} can't be read: {error} {ADVICE}")
        return []
    return [
        {"CertificateString": one["CertificateString"], "CertificateType": one.get("CertificateType") or "PEM"}
        for one in shown
        if isinstance(one.get("CertificateString"), str)
    ]


def hand_over(service: EventService, certificates: list[Resource], member: Resource) -> None:
    """Install them below the new subscription; what it doesn't take is a warning, since the subscription stands."""
    link = member.get("Certificates")
    for body in certificates:
        try:
            refusal = "it shows no place for them"
            if isinstance(link, dict) and uri_of(link):
                answer = service.client.ask("POST", uri_of(link), body)
                refusal = "" if answer.ok else describe(answer)
        except RedfishError as error:
            refusal = str(error)
        if refusal:
            service.client.warnings.append(
                f"{service.where}: {uri_of(member)} has lost a CA certificate of the subscription that it replaces: "
                f"{refusal}. {ADVICE}"
            )
