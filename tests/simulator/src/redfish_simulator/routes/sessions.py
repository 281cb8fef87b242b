# SPDX-License-Identifier: GPL-3.0-or-later
"""SessionService and its sessions."""

from __future__ import annotations

from ..answer import Answer, Json, RedfishProblem, info, not_found
from ..authentication import unauthorised
from ..call import Call
from ..personality import Personality
from ..router import Handler
from ..sessions import Session

SERVICE = "/redfish/v1/SessionService"
SESSIONS = f"{SERVICE}/Sessions"


def routes(_personality: Personality) -> dict[str, dict[str, Handler]]:
    """Paths of this part."""
    return {
        SERVICE: {"GET": service, "PATCH": change_service},
        SESSIONS: {"GET": collection, "POST": create},
        f"{SESSIONS}/Members": {"POST": create},
        f"{SESSIONS}/{{id}}": {"GET": member, "DELETE": delete},
    }


def service(call: Call) -> Answer:
    """The SessionService."""
    return Answer(
        body={
            "@odata.id": SERVICE,
            "@odata.type": "#SessionService.v1_1_9.SessionService",
            "Id": "SessionService",
            "Name": "Session Service",
            "ServiceEnabled": True,
            "SessionTimeout": max(30, int(call.bmc.sessions.timeout)),
            "Sessions": {"@odata.id": SESSIONS},
        }
    )


def change_service(call: Call) -> Answer:
    """PATCH SessionTimeout: seconds, 30 to 86400."""
    body = call.body()
    refused = [info("PropertyUnknown", name, prop=name) for name in body if name != "SessionTimeout"]
    seconds = body.get("SessionTimeout", 30)
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not 30 <= seconds <= 86400:
        refused.append(info("PropertyValueNotInList", str(seconds), "SessionTimeout", prop="SessionTimeout"))
    if refused:
        raise RedfishProblem(400, refused)
    call.bmc.sessions.timeout = float(seconds)
    return service(call)


def collection(call: Call) -> Answer:
    """The sessions that live."""
    members = [{"@odata.id": f"{SESSIONS}/{session.id}"} for session in call.bmc.sessions.all()]
    return Answer(
        body={
            "@odata.id": SESSIONS,
            "@odata.type": "#SessionCollection.SessionCollection",
            "Name": "Session Collection",
            "Members": members,
            "Members@odata.count": len(members),
        }
    )


def _shown(session: Session) -> Json:
    return {
        "@odata.id": f"{SESSIONS}/{session.id}",
        "@odata.type": "#Session.v1_7_2.Session",
        "Id": session.id,
        "Name": "User Session",
        "UserName": session.username,
        "Password": None,
    }


def create(call: Call) -> Answer:
    """Log in. 400 where a property is missing, 401 for wrong credentials, 503 where the table is full."""
    body = call.body()
    missing = [name for name in ("UserName", "Password") if not isinstance(body.get(name), str)]
    if missing:
        raise RedfishProblem(400, [info("PropertyMissing", name, prop=name) for name in missing])
    account = call.bmc.accounts.login(body["UserName"], body["Password"])
    if account is None:
        call.bmc.counters.refused_logins += 1
        call.authentication = "refused"
        raise unauthorised(call)
    session = call.bmc.sessions.create(account.username)
    location = f"{SESSIONS}/{session.id}"
    return Answer(201, _shown(session), {"Location": location, "X-Auth-Token": session.token})


def _find(call: Call) -> Session:
    session = call.bmc.sessions.find(call.params["id"])
    if session is None:
        raise not_found("Session", call.params["id"])
    return session


def member(call: Call) -> Answer:
    """One session."""
    return Answer(body=_shown(_find(call)))


def delete(call: Call) -> Answer:
    """Log out."""
    session = _find(call)
    call.bmc.sessions.delete(session)
    return Answer(204)
