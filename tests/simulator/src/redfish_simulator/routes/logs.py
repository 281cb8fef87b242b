# SPDX-License-Identifier: GPL-3.0-or-later
"""LogServices: one log per BMC, which holds what happened."""

from __future__ import annotations

from ..answer import Answer, not_found
from ..call import Call
from ..personality import Personality
from ..resources import ROOT, collection, link, number
from ..router import Handler

PAGE = 100


def routes(personality: Personality) -> dict[str, dict[str, Handler]]:
    """Paths of this part."""
    traits = personality.service
    owner = f"{ROOT}/{traits.log_owner}/"
    owner += traits.manager_id if traits.log_owner == "Managers" else traits.system_id
    log = f"{owner}/LogServices/{traits.log_id}"
    return {
        f"{owner}/LogServices": {"GET": lambda call: Answer(body=collection(call.path, "LogService", [link(log)]))},
        log: {"GET": service},
        f"{log}/Entries": {"GET": entries},
        f"{log}/Entries/{{id}}": {"GET": entry},
        f"{log}/Actions/LogService.ClearLog": {"POST": clear},
    }


def service(call: Call) -> Answer:
    """The LogService."""
    log = call.bmc.log
    return Answer(
        body={
            "@odata.id": log.uri,
            "@odata.type": "#LogService.v1_7_0.LogService",
            "Id": call.bmc.personality.service.log_id,
            "Name": "Event Log Service",
            "ServiceEnabled": True,
            "OverWritePolicy": "WrapsWhenFull",
            "DateTime": call.bmc.now(),
            "Entries": link(f"{log.uri}/Entries"),
            "Actions": {"#LogService.ClearLog": {"target": f"{log.uri}/Actions/LogService.ClearLog"}},
        }
    )


def entries(call: Call) -> Answer:
    """Entries, oldest first, in pages of 100; $skip and $top are honoured."""
    found, uri = call.bmc.log.entries(), f"{call.bmc.log.uri}/Entries"
    skip = number(call, "$skip", 0)
    end = skip + min(PAGE, number(call, "$top", PAGE))
    body = collection(uri, "LogEntry", found[skip:end])
    body["Members@odata.count"] = len(found)
    if end < len(found) and "$top" not in call.query:
        body["Members@odata.nextLink"] = f"{uri}?$skip={end}"
    return Answer(body=body)


def entry(call: Call) -> Answer:
    """One entry."""
    found = call.bmc.log.get(call.params["id"])
    if found is None:
        raise not_found("LogEntry", call.params["id"])
    return Answer(body=dict(found))


def clear(call: Call) -> Answer:
    """LogService.ClearLog."""
    call.bmc.log.clear()
    return Answer(204)
