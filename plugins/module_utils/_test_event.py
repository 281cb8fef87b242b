# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A test event, shaped for the BMC at hand and marked so that it is known again at the listener."""

from __future__ import annotations

import json
import secrets
import time
from datetime import datetime, timezone
from typing import Any

from ansible_collections.redfleet.events.plugins.module_utils._capabilities import vendor_of
from ansible_collections.redfleet.events.plugins.module_utils._errors import (
    MISSING_KEYS,
    Answer,
    InvalidInputError,
    RedfishError,
    UnsupportedError,
    error_for,
    named_properties,
)
from ansible_collections.redfleet.events.plugins.module_utils._event_service import EventService

Body = dict[str, Any]
MARKER = "redfleet-test-"
MAX_TRIES = 6
MAX_WAIT = 30  # seconds; AMI allows one test event in 5 to 15
DEFAULT_MESSAGE_IDS = ("ResourceEvent.1.0.TestMessage",)
# Vendors whose SubmitTestEvent takes only certain messages; tried in this order.
MESSAGE_IDS = {
    # iDRAC9, iDRAC10: ironcore-dev/metal-operator bmc/redfish.go
    "DELL": ("TMP0118", "IDRAC.2.10.CPU0002"),
}
# Keys of all messages that `submit` may make a BMC send, for those who wait for one that carries no marker.
POSSIBLE_KEYS = sorted(
    {
        name.rsplit(".", 1)[-1]
        for name in (*DEFAULT_MESSAGE_IDS, *(each for ids in MESSAGE_IDS.values() for each in ids))
    }
)
# Vendors that want to know where to, instead of sending to all: Dell SubscriptionManagementREDFISH.py
TO_DESTINATION = frozenset({"DELL"})
STANDARD = (
    "EventId", "EventTimestamp", "EventType", "Message", "MessageArgs", "MessageId", "MessageSeverity",
    "OriginOfCondition", "Severity",
)  # fmt: skip
FOR_DESTINATION = ("Destination", "EventTypes", "Context", "Protocol", "MessageId")


def new_marker() -> str:
    return MARKER + secrets.token_hex(6)


def now_text() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def values_for(params: dict[str, Any], marker: str, message_id: str, origin: str, timestamp: str) -> Body:
    """Everything that a test event could say, by parameter name."""
    message = params["message_text"] or "Test event of redfleet.events"
    return {
        "EventId": marker,
        "EventTimestamp": timestamp,
        "EventType": params["event_type"],
        "Message": f"{message}: {marker}",
        "MessageArgs": [marker],
        "MessageId": message_id,
        "MessageSeverity": params["severity"],
        "OriginOfCondition": origin,
        "Severity": params["severity"],
        "Destination": params["destination"],
        "EventTypes": params["event_type"],
        "Context": params["context"],
        "Protocol": "Redfish",
    }


def shape(values: Body, parameters: list[Body] | None, to_destination: bool) -> Body:
    """The body to send first: what ActionInfo lists, else what the vendor takes.

    :param parameters: `Parameters` of the ActionInfo, None where there is none.
    """
    if parameters is None:
        names = FOR_DESTINATION if to_destination else STANDARD
        return {name: values[name] for name in names if values[name] is not None}
    known = {str(entry.get("Name")): entry for entry in parameters}
    return {name: _typed(values[name], entry) for name, entry in known.items() if values.get(name) is not None}


def _typed(value: Any, parameter: Body) -> Any:
    """The value in the declared type, and among the allowable ones where it is not."""
    allowed = parameter.get("AllowableValues")
    if isinstance(allowed, list) and allowed and isinstance(value, str) and value not in allowed:
        value = next((item for item in allowed if "test" in str(item).lower()), allowed[0])
    if parameter.get("DataType") == "StringArray" and isinstance(value, str):
        return [value]
    return value


def reshape(body: Body, answer: Answer, values: Body, message_ids: list[str]) -> Body | None:
    """The next body after a refusal, or None. `message_ids` are those not tried yet; a used one is taken off."""
    messages = answer.messages
    missing = named_properties([message for message in messages if message.key in MISSING_KEYS], values)
    added = {name: values[name] for name in missing if name not in body and values[name] is not None}
    if added:
        return {**body, **added}
    refused = named_properties(messages, body)
    if "MessageId" in refused and message_ids:
        return {**body, "MessageId": message_ids.pop(0)}
    rest = {name: value for name, value in body.items() if name not in refused or name == "MessageId"}
    return rest if rest != body else None


def submit(service: EventService, params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Make the BMC send a test event; the keys of the module's result."""
    marker = params["marker"] or new_marker()
    actions = service.settings.get("Actions")
    actions = actions if isinstance(actions, dict) else {}
    action = actions.get("#EventService.SubmitTestEvent")
    if isinstance(action, dict) and action.get("target"):
        target = str(action["target"])
        body, sending = _prepare(service, params, marker, action)
    else:
        target = _simple_target(service, actions)
        body, sending = {}, None
    status, sent_at = None, None
    if not check_mode:
        sent_at = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        body, status = _send(service, target, body, sending)
    message_id = str(body.get("MessageId") or DEFAULT_MESSAGE_IDS[0])
    return {
        "changed": False,
        "marker": marker,
        "marked": marker in json.dumps(body),
        "sent": body,
        "message_key": message_id.rsplit(".", 1)[-1],
        "action_uri": target,
        "status": status,
        "sent_at": sent_at,
        "msg": f"A test event {'would be' if check_mode else 'was'} submitted on {service.where}.",
        "service": service.identity(),
    }


def _simple_target(service: EventService, actions: Body) -> str:
    """TestEventSubscription (EventService 1.10): no parameters, sends ResourceEvent.TestMessage."""
    action = actions.get("#EventService.TestEventSubscription")
    if not isinstance(action, dict) or not action.get("target"):
        raise UnsupportedError(
            f"The EventService of {service.where} has no action that sends a test event.",
            "Cause a harmless event on the BMC instead, for example a log-in.",
        )
    return str(action["target"])


def _prepare(service: EventService, params: dict[str, Any], marker: str, action: Body) -> tuple[Body, tuple[Any, ...]]:
    vendor = vendor_of(service.client.root).upper()
    parameters = _parameters(service, action)
    candidates = [params["message_id"]] if params["message_id"] else list(MESSAGE_IDS.get(vendor, DEFAULT_MESSAGE_IDS))
    values = values_for(params, marker, candidates.pop(0), service.uri, now_text())
    body = shape(values, parameters, vendor in TO_DESTINATION)
    required = {str(entry.get("Name")) for entry in parameters or [] if entry.get("Required")}
    lacking = sorted(required - set(body))
    if lacking:
        raise InvalidInputError(
            f"{service.where} wants {', '.join(lacking)} for a test event.",
            "Set destination and context to those of the subscription.",
        )
    return body, (values, candidates)


def _parameters(service: EventService, action: Body) -> list[Body] | None:
    """The parameters that the BMC declares, from its ActionInfo; None when it can't be read."""
    uri = action.get("@Redfish.ActionInfo")
    if not isinstance(uri, str):
        return None
    try:
        parameters = service.client.get(uri).get("Parameters")
    except RedfishError as error:
        if error.reason in ("credentials", "unreachable", "tls"):
            raise
        return None
    return [entry for entry in parameters if isinstance(entry, dict)] if isinstance(parameters, list) else None


def _send(service: EventService, target: str, body: Body, sending: tuple[Any, ...] | None) -> tuple[Body, int]:
    waited = False
    for _try in range(MAX_TRIES):
        answer = service.client.ask("POST", target, body)
        if answer.ok:
            return body, answer.status
        told = answer.headers.get("retry-after", "")
        if answer.status in (429, 503) and told.isdigit() and int(told) <= MAX_WAIT and not waited:
            waited = True
            time.sleep(int(told))
            continue
        again = reshape(body, answer, *sending) if sending and answer.status in (400, 422) else None
        if again is None:
            raise error_for(answer)
        body = again
    raise error_for(answer)
