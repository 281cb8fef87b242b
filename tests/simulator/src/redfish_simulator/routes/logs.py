# SPDX-License-Identifier: GPL-3.0-or-later
"""LogServices: one log per BMC, which holds what happened."""

from __future__ import annotations

from ..answer import Answer, Json, not_found
from ..call import Call
from ..personality import Personality
from ..resources import ROOT, collection, link, number
from ..router import Handler


def routes(personality: Personality) -> dict[str, dict[str, Handler]]:
    """Paths of this part."""
    traits = personality.service
    owner = f"{ROOT}/{traits.log_owner}/"
    owner += traits.manager_id if traits.log_owner == "Managers" else traits.system_id
    names = [name for name in (traits.log_id, traits.log_copy, *traits.other_logs) if name]
    uris = [f"{owner}/LogServices/{name}" for name in names]
    found: dict[str, dict[str, Handler]] = {
        f"{owner}/LogServices": {"GET": lambda call: Answer(body=collection(call.path, "LogService", map(link, uris)))}
    }
    for uri in uris:
        found[uri] = {"GET": service}
        found[f"{uri}/Entries"] = {"GET": entries}
        found[f"{uri}/Entries/{{id}}"] = {"GET": entry}
        found[f"{uri}/Actions/LogService.ClearLog"] = {"POST": clear}
    return found


def service(call: Call) -> Answer:
    """The LogService."""
    uri = call.path.rstrip("/")
    return Answer(
        body={
            "@odata.id": uri,
            "@odata.type": "#LogService.v1_7_0.LogService",
            "Id": uri.rpartition("/")[2],
            "Name": "Event Log Service",
            "ServiceEnabled": True,
            "OverWritePolicy": "WrapsWhenFull",
            "DateTime": call.bmc.now(),
            "Entries": link(f"{uri}/Entries"),
            "Actions": {"#LogService.ClearLog": {"target": f"{uri}/Actions/LogService.ClearLog"}},
        }
    )


def entries(call: Call) -> Answer:
    """A page of entries, in the vendor's order and form; $skip and $top are honoured."""
    traits, uri = call.bmc.personality.service, call.path.rstrip("/")
    found = _shaped(call, uri.removesuffix("/Entries"))
    if traits.log_order == "newest":
        found.reverse()
    skip = number(call, "$skip", 0)
    end = skip + min(traits.log_page, number(call, "$top", traits.log_page))
    page = found[skip:end]
    if traits.log_members == "links":
        page = [link(each["@odata.id"]) for each in page]
    body = collection(uri, "LogEntry", page)
    body["Members@odata.count"] = len(found)
    if end < len(found) and "$top" not in call.query:
        body["Members@odata.nextLink"] = f"{uri}?$skip={end}"
    return Answer(body=body)


def entry(call: Call) -> Answer:
    """One entry."""
    log = call.path.rstrip("/").rpartition("/Entries/")[0]
    found = next((each for each in _shaped(call, log) if each["Id"] == call.params["id"]), None)
    if found is None:
        raise not_found("LogEntry", call.params["id"])
    return Answer(body=found)


def _shaped(call: Call, log: str) -> list[Json]:
    """Copies of a log's entries, oldest first, as this vendor shows them."""
    traits = call.bmc.personality.service
    name = log.rpartition("/")[2]
    if name in traits.other_logs:
        return []
    found = [{**each, "@odata.id": f"{log}/Entries/{each['Id']}"} for each in call.bmc.log.entries()]
    if not traits.log_arguments:
        for each in found:
            del each["MessageArgs"]
    return found


def clear(call: Call) -> Answer:
    """LogService.ClearLog."""
    call.bmc.log.clear()
    return Answer(204)
