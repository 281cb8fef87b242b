# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may ask: HTTP Basic and X-Auth-Token, as DSP0266 clause 13 has them."""

from __future__ import annotations

import base64
import binascii

from .accounts import Account
from .answer import RedfishProblem, problem
from .call import Call

OPEN_PATHS = frozenset({"/redfish", "/redfish/v1", "/redfish/v1/odata", "/redfish/v1/$metadata"})


def _basic(call: Call, value: str) -> Account | None:
    try:
        username, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return call.bmc.accounts.login(username, password)


def _by_session(call: Call, token: str) -> Account | None:
    call.session = call.bmc.sessions.use(token)
    return call.bmc.accounts.named(call.session.username) if call.session else None


def authenticate(call: Call) -> None:
    """Set the call's account and authentication (`none`, `basic`, `session`, `refused`).

    Raises RedfishProblem (401) for wrong credentials, and for missing ones where the path needs some.
    """
    token = call.headers.get("X-Auth-Token")
    scheme, _, value = call.headers.get("Authorization", "").partition(" ")
    if token is not None:
        call.account = _by_session(call, token)
        call.authentication = "session" if call.account else "refused"
    elif scheme.lower() == "basic":
        call.account = _basic(call, value.strip())
        call.authentication = "basic" if call.account else "refused"
    if call.account or _is_open(call):
        return
    if call.authentication == "refused":
        call.bmc.counters.refused_logins += 1
    raise unauthorised(call)


def authorise(call: Call) -> None:
    """Raise RedfishProblem (403) where the account's role doesn't suffice (the standard's privilege registry)."""
    needed = "ConfigureManager"
    if call.account is None or call.method in ("GET", "HEAD"):
        return
    if call.path.startswith("/redfish/v1/AccountService"):
        own = call.path == f"/redfish/v1/AccountService/Accounts/{call.account.id}" and call.method == "PATCH"
        needed = "ConfigureSelf" if own and set(call.body()) <= {"Password"} else "ConfigureUsers"
    elif call.path.startswith("/redfish/v1/SessionService/Sessions/"):
        session = call.bmc.sessions.find(call.path.rpartition("/")[2])
        needed = "ConfigureSelf" if session and session.username == call.account.username else "ConfigureManager"
    elif call.path.startswith("/redfish/v1/SessionService/Sessions"):
        return
    elif call.path.startswith("/redfish/v1/EventService"):
        needed = _for_events(call)
    elif call.path.startswith("/redfish/v1/Systems"):
        needed = "ConfigureComponents"
    if not call.account.may(needed):
        raise problem(403, "InsufficientPrivilege")


def _for_events(call: Call) -> str:
    """What a write to the EventService needs; where the registry allows two privileges, the one that the account has.

    DMTF's registry (as in bmcweb's generated privilege_registry.hpp): the service and its actions ConfigureManager; the
    collection also ConfigureComponents; a subscription also ConfigureSelf, for who made it. iDRACs: ConfigureManager.
    """
    traits, account = call.bmc.personality.service, call.account
    collection = f"/redfish/v1/EventService/{traits.subscriptions_path}"
    needed, also = "ConfigureManager", ""
    if call.path == collection:
        also = "ConfigureComponents"
    elif call.path.startswith(collection + "/") and call.path.count("/") == collection.count("/") + 1:
        found = call.bmc.subscriptions.get(call.path.rpartition("/")[2])
        also = "ConfigureSelf" if found and account and found.owner == account.username else ""
    if traits.subscribing == "registry" and also and account and account.may(also):
        return also
    return needed


def unauthorised(call: Call) -> RedfishProblem:
    """The refusal for missing or wrong credentials."""
    return problem(401, "NoValidSession", WWW_Authenticate=f'Basic realm="{call.bmc.identity.name}"')


def _is_open(call: Call) -> bool:
    if call.method in ("GET", "HEAD"):
        return call.path in OPEN_PATHS
    sessions = ("/redfish/v1/SessionService/Sessions", "/redfish/v1/SessionService/Sessions/Members")
    return call.method == "POST" and call.path in sessions
