# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dell's manager attributes that events depend on. Other BMCs have none, and are as if each had its harmless value.

IPMILan.1.AlertEnable: nothing is sent while it is Disabled (iDRAC-Redfish-Scripting SubscriptionManagementREDFISH.py
sets it first). RedfishEventing.1.IgnoreCertificateErrors: whether listeners go unchecked (iDRAC API guides).
Info.1.Version: the firmware, as the manager has it (public dumps of both).
"""

from __future__ import annotations

from typing import Any

from ansible_collections.redfleet.events.plugins.module_utils._capabilities import vendor_of
from ansible_collections.redfleet.events.plugins.module_utils._errors import (
    RedfishError,
    UnsupportedError,
    error_for,
)
from ansible_collections.redfleet.events.plugins.module_utils._event_service import EventService

ALERTS, UNCHECKED = "IPMILan.1.AlertEnable", "RedfishEventing.1.IgnoreCertificateErrors"
FIRMWARE = "Info.1.Version"
# Option of event_service -> attribute, and what a BMC without it does anyway.
SWITCHES = {"alert_enable": (ALERTS, True), "ignore_certificate_errors": (UNCHECKED, False)}
# On and off as firmware spells them, by attribute and version: the guides say True, public dumps show Yes.
SPELLINGS = (("Enabled", "Disabled"), ("Yes", "No"), ("True", "False"))


class ManagerAttributes:
    """The attributes of a BMC's manager, read once. `shown` is empty where there are none."""

    def __init__(self, service: EventService):
        self._service = service
        self._uri = ""
        self.shown: dict[str, Any] = {}

    def read(self) -> dict[str, Any]:
        """Read them; one request to a Dell whose system was read by now, two to four otherwise, none to others.

        :raises RedfishError: a Dell that can't be read.
        """
        client = self._service.client
        if vendor_of(client.root).upper() != "DELL" or "Managers" not in client.root:
            return {}
        manager = self._service.manager_uri().rstrip("/")
        # The new place, and that of firmware before it.
        for uri in (f"{manager}/Oem/Dell/DellAttributes/{manager.rpartition('/')[2]}", f"{manager}/Attributes"):
            answer = client.ask("GET", uri)
            if answer.status == 200 and isinstance((answer.body or {}).get("Attributes"), dict):
                self._uri, self.shown = uri, answer.body["Attributes"] if answer.body else {}
                return self.shown
        raise error_for(answer)

    def changes(self, wanted: dict[str, bool]) -> dict[str, str]:
        """What to PATCH, by attribute: those that show the other value."""
        found = {}
        for option, on in wanted.items():
            name = SWITCHES[option][0]
            pair = next((pair for pair in SPELLINGS if self.shown.get(name) in pair), None)
            if pair and self.shown[name] != pair[0 if on else 1]:
                found[name] = pair[0 if on else 1]
        return found

    def missing(self, wanted: dict[str, bool]) -> list[str]:
        """Declared switches that the BMC doesn't have, and does not do anyway."""
        return [
            SWITCHES[option][0]
            for option, on in wanted.items()
            if SWITCHES[option][0] not in self.shown and on is not SWITCHES[option][1]
        ]

    def write(self, changes: dict[str, str]) -> None:
        """PATCH, and look whether it holds.

        :raises RedfishError: the BMC refuses, or doesn't keep it.
        """
        answer = self._service.client.ask("PATCH", self._uri, {"Attributes": changes})
        if not answer.ok:
            raise error_for(answer)
        try:
            shown = self.read()
            left = [name for name, value in changes.items() if shown.get(name) != value]
            if left:
                raise UnsupportedError(
                    f"{self._service.where} accepted {', '.join(left)} but does not keep it.",
                    "Some firmware has it read-only; look at its API guide.",
                    answer.status,
                )
        except RedfishError as error:
            error.changed = True
            raise


def wanted_switches(params: dict[str, Any]) -> dict[str, bool]:
    """The switches that the user set."""
    return {option: params[option] for option in SWITCHES if params[option] is not None}
