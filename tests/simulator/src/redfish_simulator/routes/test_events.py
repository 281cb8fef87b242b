# SPDX-License-Identifier: GPL-3.0-or-later
"""SubmitTestEvent, its ActionInfo, and TestEventSubscription."""

from __future__ import annotations

import time
from typing import Any

from ..answer import Answer, Json, RedfishProblem, info, problem
from ..call import Call
from ..dmtf_messages import RESOURCE_EVENT
from ..personality import Personality
from ..records import Record
from ..router import Handler

SERVICE = "/redfish/v1/EventService"
SUBMIT = "EventService.SubmitTestEvent"
RECORD_NAMES = frozenset(
    {
        "EventGroupId",
        "EventId",
        "EventTimestamp",
        "EventType",
        "Message",
        "MessageArgs",
        "MessageId",
        "MessageSeverity",
        "OriginOfCondition",
        "Resolution",
        "Severity",
    }
)


def routes(personality: Personality) -> dict[str, dict[str, Handler]]:
    """Paths of this part."""
    found: dict[str, dict[str, Handler]] = {f"{SERVICE}/Actions/{SUBMIT}": {"POST": submit}}
    if personality.test.action_info:
        found[f"{SERVICE}/SubmitTestEventActionInfo"] = {"GET": action_info}
    if personality.test.subscription_action:
        found[f"{SERVICE}/Actions/EventService.TestEventSubscription"] = {"POST": submit_to_all}
    return found


def action_info(call: Call) -> Answer:
    """Which parameters SubmitTestEvent takes."""
    traits = call.bmc.personality.test
    parameters: list[Json] = []
    for name in traits.parameters:
        kind = "StringArray" if name == "MessageArgs" else "String"
        parameter: Json = {"Name": name, "DataType": kind, "Required": name in traits.required}
        if name == "MessageId" and traits.message_ids:
            parameter["AllowableValues"] = list(traits.message_ids)
        parameters.append(parameter)
    return Answer(
        body={
            "@odata.id": f"{SERVICE}/SubmitTestEventActionInfo",
            "@odata.type": "#ActionInfo.v1_4_2.ActionInfo",
            "Id": "SubmitTestEventActionInfo",
            "Name": "Submit Test Event Action Info",
            "Parameters": parameters,
        }
    )


def submit(call: Call) -> Answer:
    """SubmitTestEvent: check the parameters as this vendor does, then send a test event."""
    bmc, body = call.bmc, call.body() if call.raw else {}
    found = _check(bmc.personality, body)
    if found:
        raise RedfishProblem(400, found)
    _throttle(call)
    record = _record(bmc.personality, body)
    if bmc.personality.test.to_destination:
        wanted = [each for each in bmc.subscriptions.all() if each.destination == body.get("Destination")]
        if not wanted:
            raise problem(400, "PropertyValueNotInList", str(body.get("Destination")), "Destination")
        bmc.emit([record], only=wanted[0])
    else:
        bmc.emit([record])
    if bmc.personality.test.status == 200:
        return Answer(200, {"@Message.ExtendedInfo": [info("Success")]})
    return Answer(bmc.personality.test.status)


def _check(personality: Personality, body: Json) -> list[Json]:
    traits = personality.test
    found = [info("ActionParameterMissing", SUBMIT, name) for name in traits.required if name not in body]
    found += [info("ActionParameterUnknown", SUBMIT, name) for name in body if name not in traits.parameters]
    for name, value in body.items():
        if name in traits.parameters and not _right_type(name, value):
            found.append(info("ActionParameterValueTypeError", str(value), name, SUBMIT))
    message_id = body.get("MessageId")
    if traits.message_ids and message_id is not None and message_id not in traits.message_ids:
        found.append(info("ActionParameterValueNotInList", str(message_id), "MessageId", SUBMIT))
    return found


def _right_type(name: str, value: Any) -> bool:
    if name == "MessageArgs":
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if name == "EventGroupId":
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, str)


def _throttle(call: Call) -> None:
    bmc = call.bmc
    if not bmc.service_enabled:
        raise problem(503, "ServiceDisabled", SERVICE)
    pause = bmc.personality.test.seconds_between * bmc.world.time_scale
    left = bmc.last_test + pause - time.monotonic()
    if left > 0:
        seconds = str(max(1, round(left)))
        raise problem(503, "ServiceTemporarilyUnavailable", seconds, Retry_After=seconds)
    bmc.last_test = time.monotonic()


def _record(personality: Personality, body: Json) -> Record:
    traits = personality.test
    sent = Record.from_json(
        {
            "MessageId": RESOURCE_EVENT.message_id("TestMessage"),
            **{name: value for name, value in body.items() if name in RECORD_NAMES},
        }
    )
    sent.test = True
    if not traits.keeps_event_id:
        sent.event_id = ""
    if traits.text == "registry":
        sent.message, sent.args = "", []
    return sent


def _test_message() -> Record:
    return Record(RESOURCE_EVENT.message_id("TestMessage"), event_type="Other", test=True)


def submit_to_all(call: Call) -> Answer:
    """TestEventSubscription on the service: a ResourceEvent.TestMessage to every subscription."""
    call.bmc.emit([_test_message()])
    return Answer(204)
