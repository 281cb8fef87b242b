# SPDX-License-Identifier: GPL-3.0-or-later
"""The subscription collection and its members."""

from __future__ import annotations

import re
import time

from ..answer import Answer, Json, RedfishProblem, info, not_found, problem
from ..call import Call
from ..personality import Personality
from ..router import Handler
from ..rules import accepted, check_destination, check_policy, check_types, headers_of, rewrite_destination
from ..subscription import Subscription
from ..subscription_view import shown

SERVICE = "/redfish/v1/EventService"
PERPETUAL = 999999
EXPAND = re.compile(r"^[.*~](\(\$levels=\d+\))?$")


def routes(personality: Personality) -> dict[str, dict[str, Handler]]:
    """Paths of this part; services with fixed slots know neither POST nor DELETE."""
    path = f"{SERVICE}/{personality.service.subscriptions_path}"
    if personality.create.slots:
        return {path: {"GET": collection}, f"{path}/{{id}}": {"GET": member, "PATCH": fill_slot}}
    found: dict[str, dict[str, Handler]] = {
        path: {"GET": collection, "POST": create},
        f"{path}/Members": {"POST": create},
        f"{path}/{{id}}": {"GET": member, "PATCH": change, "DELETE": delete},
    }
    if personality.update.suspends:
        found[f"{path}/{{id}}/Actions/EventDestination.SuspendSubscription"] = {"POST": suspend}
        found[f"{path}/{{id}}/Actions/EventDestination.ResumeSubscription"] = {"POST": resume}
    return found


def _uri(call: Call) -> str:
    return f"{SERVICE}/{call.bmc.personality.service.subscriptions_path}"


def collection(call: Call) -> Answer:
    """The members, as links or expanded, in pages where the personality has them."""
    traits, uri = call.bmc.personality.service, _uri(call)
    subscriptions = call.bmc.subscriptions.all()
    skip = _skip(call)
    page = subscriptions[skip : skip + traits.page_size] if traits.page_size else subscriptions[skip:]
    if wants_members(call):
        members = [shown(call.bmc, subscription) for subscription in page]
    else:
        members = [{"@odata.id": call.bmc.subscription_uri(subscription)} for subscription in page]
    body: Json = {
        "@odata.id": uri,
        "@odata.type": "#EventDestinationCollection.EventDestinationCollection",
        "Name": "Event Subscriptions Collection",
        "Members": members,
        "Members@odata.count": len(subscriptions),
    }
    if skip + len(page) < len(subscriptions):
        body["Members@odata.nextLink"] = _next_link(call, skip + len(page))
    return Answer(body=body)


def _next_link(call: Call, skip: int) -> str:
    kept = [f"{name}={value}" for name, value in call.query.items() if name != "$skip"]
    return f"{_uri(call)}?{'&'.join([*kept, f'$skip={skip}'])}"


def _skip(call: Call) -> int:
    value = call.query.get("$skip", "0")
    if not value.isdigit():
        raise problem(400, "QueryParameterValueFormatError", value, "$skip")
    return int(value)


def wants_members(call: Call) -> bool:
    """Whether a collection is to be answered with its members in it ($expand), and the vendor does that."""
    value = call.query.get("$expand")
    support = call.bmc.personality.service.expand
    if value is None or support == "ignored":
        return False
    if support == "refused":
        raise problem(501, "QueryNotSupportedOnResource")
    if not EXPAND.match(value):
        raise problem(400, "QueryParameterValueFormatError", value, "$expand")
    return True


def create(call: Call) -> Answer:
    """POST: a new subscription, or the refusal that this vendor would give."""
    bmc, traits = call.bmc, call.bmc.personality.create
    body = call.body()
    properties = accepted(bmc.personality, body)
    _refuse_duplicate(call, str(properties["Destination"]))
    if len(bmc.subscriptions) >= traits.limit:
        raise problem(traits.limit_status, traits.limit_key)
    subscription = bmc.subscriptions.add(properties, headers_of(body))
    subscription.owner = call.account.username if call.account else ""
    bmc.heartbeats.schedule(subscription)
    if traits.expires:
        subscription.expires_at = _end(call, properties)
    return _created(call, subscription)


def _end(call: Call, properties: Json) -> float | None:
    """When an iLO 4 forgets a subscription: Oem.Hp.TTLCount TTLUnits from now, a day by default, 999999 for never."""
    terms = (properties.get("Oem") or {}).get("Hp", {})
    count = int(terms.get("TTLCount", 1440))
    unit = {"seconds": 1, "minutes": 60, "days": 86400}.get(str(terms.get("TTLUnits", "minutes")), 60)
    return None if count == PERPETUAL else time.monotonic() + count * unit * call.bmc.world.time_scale


def _refuse_duplicate(call: Call, destination: str) -> None:
    """How vendors refuse a second subscription to the same place, where they do."""
    kind = call.bmc.personality.create.duplicates
    known = {rewrite_destination(subscription.destination) for subscription in call.bmc.subscriptions.all()}
    if kind == "allowed" or rewrite_destination(destination) not in known:
        return
    if kind == "modified":  # iDRAC: the destination stands in the text (metal-operator bmc/redfish.go)
        raise problem(400, "PropertyValueModified", "Destination", destination, prop="Destination")
    status = 409 if kind == "conflict" else 400
    raise problem(status, "ResourceAlreadyExists", "EventDestination", "Destination", destination, prop="Destination")


def _created(call: Call, subscription: Subscription) -> Answer:
    bmc, traits = call.bmc, call.bmc.personality.create
    answer = Answer(traits.status, _created_body(call, subscription))
    location = bmc.subscription_uri(subscription)
    if traits.location != "missing":
        answer.headers["Location"] = f"{bmc.identity.baseuri}{location}" if traits.location == "absolute" else location
    return answer


def _created_body(call: Call, subscription: Subscription) -> Json | None:
    """The body of the answer to POST, in the kinds that vendors have."""
    kind = call.bmc.personality.create.body
    if kind == "none":
        return None
    if kind == "message":
        return {"@Message.ExtendedInfo": [info("Created")]}
    if kind == "error":  # HPE: the body of a 201 is an error object
        text = "See @Message.ExtendedInfo for more information."
        return {"error": {"code": "iLO.0.10.ExtendedInfo", "message": text, "@Message.ExtendedInfo": [info("Created")]}}
    if kind == "task":
        uri = "/redfish/v1/TaskService/Tasks/1"
        return {"@odata.id": uri, "@odata.type": "#Task.v1_7_4.Task", "Id": "1", "TaskState": "Running"}
    body = shown(call.bmc, subscription)
    return {**body, "@odata.id": _uri(call)} if kind == "collection" else body


def _find(call: Call) -> Subscription:
    subscription = call.bmc.subscriptions.get(call.params["id"])
    if subscription is None:
        raise not_found("EventDestination", call.params["id"])
    return subscription


def member(call: Call) -> Answer:
    """One subscription."""
    return Answer(body=shown(call.bmc, _find(call)))


def change(call: Call) -> Answer:
    """PATCH what this vendor lets one change; all or nothing."""
    subscription, body = _find(call), call.body()
    traits = call.bmc.personality.update
    refused = [info(traits.refusal, name, prop=name) for name in body if name not in traits.patchable]
    found = refused or check_types(body) + check_policy(call.bmc.personality, body)
    if found:
        raise RedfishProblem(400, found)
    if "HttpHeaders" in body:
        subscription.http_headers = headers_of(body)
    subscription.properties.update({name: value for name, value in body.items() if name != "HttpHeaders"})
    call.bmc.heartbeats.schedule(subscription)
    return member(call) if traits.status == 200 else Answer(traits.status)


def suspend(call: Call) -> Answer:
    """EventDestination.SuspendSubscription."""
    call.bmc.suspend(_find(call), True)
    return Answer(204)


def resume(call: Call) -> Answer:
    """EventDestination.ResumeSubscription; nothing was buffered."""
    call.bmc.suspend(_find(call), False)
    return Answer(204)


def fill_slot(call: Call) -> Answer:
    """PATCH of a fixed member: the way to subscribe and unsubscribe where there is no POST (Supermicro)."""
    subscription, body = _find(call), call.body()
    traits = call.bmc.personality
    refused = [info("PropertyUnknown", name, prop=name) for name in body if name not in traits.update.patchable]
    found = refused or check_types(body)
    if not found and body.get("Destination"):
        found = check_destination(traits.create, body["Destination"])
    if found:
        raise RedfishProblem(400, found)
    if "HttpHeaders" in body:
        subscription.http_headers = headers_of(body)
    terms = {**subscription.properties["Oem"]["Supermicro"], **(body.get("Oem") or {}).get("Supermicro", {})}
    subscription.properties.update({name: value for name, value in body.items() if name not in ("HttpHeaders", "Oem")})
    subscription.properties["Oem"] = {"Supermicro": terms}
    subscription.enabled = bool(subscription.destination) and terms.get("EnableSubscription") is True
    return member(call)


def delete(call: Call) -> Answer:
    """Remove a subscription."""
    subscription = _find(call)
    call.bmc.subscriptions.remove(subscription.id)
    if call.bmc.personality.update.delete_status == 200:
        return Answer(200, {"@Message.ExtendedInfo": [info("Success")]})
    return Answer(call.bmc.personality.update.delete_status)
