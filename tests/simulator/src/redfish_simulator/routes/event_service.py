# SPDX-License-Identifier: GPL-3.0-or-later
"""The EventService: what it can do, and its settings."""

from __future__ import annotations

from ..answer import Answer, Json, RedfishProblem, info
from ..call import Call
from ..personality import Personality
from ..router import Handler

SERVICE = "/redfish/v1/EventService"


def routes(_personality: Personality) -> dict[str, dict[str, Handler]]:
    """Paths of this part."""
    return {SERVICE: {"GET": service, "PATCH": change}}


def service(call: Call) -> Answer:
    """The EventService resource."""
    bmc = call.bmc
    traits = bmc.personality.service
    actions: Json = {"#EventService.SubmitTestEvent": {"target": f"{SERVICE}/Actions/EventService.SubmitTestEvent"}}
    if bmc.personality.test.action_info:
        actions["#EventService.SubmitTestEvent"]["@Redfish.ActionInfo"] = f"{SERVICE}/SubmitTestEventActionInfo"
    if bmc.personality.test.subscription_action:
        target = f"{SERVICE}/Actions/EventService.TestEventSubscription"
        actions["#EventService.TestEventSubscription"] = {"target": target}
    return Answer(
        body={
            "@odata.id": SERVICE,
            "@odata.type": traits.event_service_type,
            "Id": "EventService",
            "Name": "Event Service",
            "ServiceEnabled": bmc.service_enabled,
            "Status": {"State": "Enabled" if bmc.service_enabled else "Disabled", "Health": "OK"},
            "DeliveryRetryAttempts": bmc.retry_attempts,
            "DeliveryRetryIntervalSeconds": bmc.retry_interval,
            **traits.event_service,
            **_oem(bmc.personality),
            "Subscriptions": {"@odata.id": f"{SERVICE}/{traits.subscriptions_path}"},
            "Actions": actions,
        }
    )


def _oem(personality: Personality) -> Json:
    """Where HPE and AMI keep the CA certificates by which listeners are verified."""
    if personality.service.certificates == "hpe":
        imports = {"target": f"{SERVICE}/Actions/Oem/Hpe/HpeEventService.ImportCACertificate"}
        return {
            "Oem": {
                "Hpe": {
                    "CACertificates": {"@odata.id": f"{SERVICE}/CACertificates"},
                    "Actions": {"#HpeEventService.ImportCACertificate": imports},
                }
            }
        }
    if personality.service.certificates == "ami":
        return {"Oem": {"Ami": {"Certificates": {"@odata.id": f"{SERVICE}/Certificates"}}}}
    return {}


def change(call: Call) -> Answer:
    """PATCH ServiceEnabled and the retry settings."""
    bmc, body = call.bmc, call.body()
    traits = bmc.personality.service
    found = [
        *_check_range(body, "DeliveryRetryAttempts", traits.attempts),
        *_check_range(body, "DeliveryRetryIntervalSeconds", traits.interval),
    ]
    enabled = body.get("ServiceEnabled", bmc.service_enabled)
    if not isinstance(enabled, bool):
        found.append(info("PropertyValueTypeError", str(enabled), "ServiceEnabled", prop="ServiceEnabled"))
    known = ("ServiceEnabled", "DeliveryRetryAttempts", "DeliveryRetryIntervalSeconds")
    shown = service(call).body
    for name in [name for name in body if name not in known]:
        key = "PropertyNotWritable" if isinstance(shown, dict) and name in shown else "PropertyUnknown"
        found.append(info(key, name, prop=name))
    if found:
        raise RedfishProblem(400, found)
    bmc.service_enabled = enabled
    bmc.retry_attempts = body.get("DeliveryRetryAttempts", bmc.retry_attempts)
    bmc.retry_interval = body.get("DeliveryRetryIntervalSeconds", bmc.retry_interval)
    return service(call) if bmc.personality.update.status == 200 else Answer(204)


def _check_range(body: Json, name: str, limits: tuple[int, int, int]) -> list[Json]:
    if name not in body:
        return []
    value = body[name]
    if isinstance(value, bool) or not isinstance(value, int):
        return [info("PropertyValueTypeError", str(value), name, prop=name)]
    if not limits[1] <= value <= limits[2]:
        return [info("PropertyValueNotInList", str(value), name, prop=name)]
    return []
