# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of an EventService: what is declared, and what differs. The comparison does no I/O."""

from __future__ import annotations

from typing import Any

from ansible_collections.redfleet.events.plugins.module_utils._errors import (
    RedfishError,
    UnsupportedError,
    error_for,
)
from ansible_collections.redfleet.events.plugins.module_utils._event_service import EventService
from ansible_collections.redfleet.events.plugins.module_utils._manager_attributes import (
    ManagerAttributes,
    wanted_switches,
)
from ansible_collections.redfleet.events.plugins.module_utils._redact import masked

Resource = dict[str, Any]
# Option -> property; what PATCH may change in EventService v1_12_0.
SETTINGS = {
    "service_enabled": "ServiceEnabled",
    "delivery_retry_attempts": "DeliveryRetryAttempts",
    "delivery_retry_interval_seconds": "DeliveryRetryIntervalSeconds",
}
SMTP = {
    "service_enabled": "ServiceEnabled",
    "server_address": "ServerAddress",
    "port": "Port",
    "connection_protocol": "ConnectionProtocol",
    "authentication": "Authentication",
    "username": "Username",
    "password": "Password",
    "from_address": "FromAddress",
}


def declared_settings(params: dict[str, Any]) -> Resource:
    """The properties that the user set, in Redfish's form."""
    wanted: Resource = {name: params[option] for option, name in SETTINGS.items() if params[option] is not None}
    smtp = params["smtp"] or {}
    given = {name: smtp[option] for option, name in SMTP.items() if smtp.get(option) is not None}
    return {**wanted, **({"SMTP": given} if given else {})}


def missing_settings(wanted: Resource, shown: Resource) -> list[str]:
    """Declared properties that the EventService doesn't have; SMTP's password is never shown."""
    smtp = shown.get("SMTP")
    names = [name for name in wanted if shown.get(name) is None]
    if isinstance(smtp, dict):
        names += [f"SMTP.{name}" for name in wanted.get("SMTP", {}) if name not in smtp and name != "Password"]
    return names


def setting_changes(wanted: Resource, shown: Resource, always_password: bool) -> Resource:
    """The body of the PATCH; empty when nothing differs. The password goes along with other changes of SMTP."""
    changes = {name: value for name, value in wanted.items() if name != "SMTP" and shown.get(name) not in (None, value)}
    smtp = wanted.get("SMTP", {})
    held = shown.get("SMTP") if isinstance(shown.get("SMTP"), dict) else {}
    differing = {name: value for name, value in smtp.items() if name != "Password" and held.get(name) != value}
    if "Password" in smtp and held and (differing or always_password):
        differing["Password"] = smtp["Password"]
    return {**changes, **({"SMTP": differing} if differing and held else {})}


def apply_settings(service: EventService, params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Make the EventService have the declared settings; the keys of the module's result."""
    wanted, shown = declared_settings(params), service.settings
    switches, attributes = wanted_switches(params), ManagerAttributes(service)
    if switches:
        attributes.read()
    missing = missing_settings(wanted, shown) + attributes.missing(switches)
    if missing and params["on_unsupported"] == "fail":
        raise UnsupportedError(
            f"The EventService of {service.where} has no {', '.join(missing)}.",
            "Leave it out, or set on_unsupported to drop.",
        )
    always = params["update_smtp_password"] == "always"  # noqa: S105 (the name of an option, no password)
    changes = setting_changes(wanted, shown, always)
    before = {name: shown.get(name) for name in changes}
    after = {**before, **{name: _merged(shown.get(name), value) for name, value in changes.items()}}
    turned = attributes.changes(switches)
    before.update({name: attributes.shown[name] for name in turned})
    after.update(turned)
    if changes and not check_mode:
        _write(service, changes)
    if turned and not check_mode:
        _turn(attributes, turned, wrote=bool(changes))
    return {
        "changed": bool(changes or turned),
        "unsupported": missing,
        "diff": {"before": masked(before), "after": masked(after)},
        "event_service": masked({name: service.settings.get(name) for name in (*SETTINGS.values(), "SMTP")}),
        "msg": _sentence(service.where, [*changes, *turned], check_mode),
        "service": service.identity(),
    }


def _merged(held: Any, value: Any) -> Any:
    return {**held, **value} if isinstance(held, dict) and isinstance(value, dict) else value


def _write(service: EventService, changes: Resource) -> None:
    answer = service.update_settings(changes)
    if not answer.ok:
        raise error_for(answer)
    try:
        left = setting_changes(changes, service.settings, always_password=False)
        if left:
            raise UnsupportedError(
                f"{service.where} accepted {', '.join(left)} but does not keep it.",
                "Check the range that the BMC allows.",
                answer.status,
            )
    except RedfishError as error:
        error.changed = True
        raise


def _turn(attributes: ManagerAttributes, turned: dict[str, str], wrote: bool) -> None:
    try:
        attributes.write(turned)
    except RedfishError as error:
        error.changed = error.changed or wrote
        raise


def _sentence(where: str, names: list[str], check_mode: bool) -> str:
    if not names:
        return f"The EventService of {where} already is as declared."
    return f"{', '.join(names)} {'would be' if check_mode else 'was'} changed on {where}."
