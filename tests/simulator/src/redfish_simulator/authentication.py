# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may ask: HTTP Basic and X-Auth-Token, as DSP0266 clause 13 has them."""

from __future__ import annotations

import base64
import binascii
import hmac

from .answer import RedfishProblem, problem
from .call import Call

OPEN_PATHS = frozenset({"/redfish", "/redfish/v1", "/redfish/v1/odata", "/redfish/v1/$metadata"})


def _basic(call: Call, value: str) -> bool:
    try:
        username, colon, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return False
    who = call.bmc.identity
    same_user = hmac.compare_digest(username.encode(), who.username.encode())
    same_password = hmac.compare_digest(password.encode(), who.password.encode())
    return bool(colon) and same_user and same_password


def authenticate(call: Call) -> None:
    """Set the call's authentication (`none`, `basic`, `session`, `refused`).

    Raises RedfishProblem (401) for wrong credentials, and for missing ones where the path needs some.
    """
    token = call.headers.get("X-Auth-Token")
    scheme, _, value = call.headers.get("Authorization", "").partition(" ")
    if token is not None:
        call.session = call.bmc.sessions.use(token)
        call.authentication = "session" if call.session else "refused"
    elif scheme.lower() == "basic":
        call.authentication = "basic" if _basic(call, value.strip()) else "refused"
    if call.authentication == "refused" and not _is_open(call):
        call.bmc.counters.refused_logins += 1
        raise unauthorised(call)
    if call.authentication == "none" and not _is_open(call):
        raise unauthorised(call)


def unauthorised(call: Call) -> RedfishProblem:
    """The refusal for missing or wrong credentials."""
    return problem(401, "NoValidSession", WWW_Authenticate=f'Basic realm="{call.bmc.identity.name}"')


def _is_open(call: Call) -> bool:
    if call.method in ("GET", "HEAD"):
        return call.path in OPEN_PATHS
    sessions = ("/redfish/v1/SessionService/Sessions", "/redfish/v1/SessionService/Sessions/Members")
    return call.method == "POST" and call.path in sessions
