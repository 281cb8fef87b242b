# SPDX-License-Identifier: GPL-3.0-or-later
"""AccountService: accounts and roles."""

from __future__ import annotations

from ..accounts import ROLES, Account
from ..answer import Answer, Json, RedfishProblem, info, not_found, problem
from ..call import Call
from ..personality import Personality
from ..resources import ROOT, collection, link
from ..router import Handler

SERVICE = f"{ROOT}/AccountService"
ACCOUNTS, ROLE_URIS = f"{SERVICE}/Accounts", f"{SERVICE}/Roles"
MIN_PASSWORD, MAX_PASSWORD = 8, 64


def routes(_personality: Personality) -> dict[str, dict[str, Handler]]:
    """Paths of this part."""
    return {
        SERVICE: {"GET": service},
        ACCOUNTS: {"GET": accounts, "POST": create},
        f"{ACCOUNTS}/{{id}}": {"GET": account, "PATCH": change, "DELETE": delete},
        ROLE_URIS: {"GET": roles},
        f"{ROLE_URIS}/{{id}}": {"GET": role},
    }


def service(_call: Call) -> Answer:
    """The AccountService."""
    return Answer(
        body={
            "@odata.id": SERVICE,
            "@odata.type": "#AccountService.v1_15_1.AccountService",
            "Id": "AccountService",
            "Name": "Account Service",
            "ServiceEnabled": True,
            "MinPasswordLength": MIN_PASSWORD,
            "MaxPasswordLength": MAX_PASSWORD,
            "Accounts": link(ACCOUNTS),
            "Roles": link(ROLE_URIS),
        }
    )


def _shown(found: Account) -> Json:
    return {
        "@odata.id": f"{ACCOUNTS}/{found.id}",
        "@odata.type": "#ManagerAccount.v1_12_1.ManagerAccount",
        "Id": found.id,
        "Name": "User Account",
        "UserName": found.username,
        "Password": None,
        "RoleId": found.role,
        "Enabled": found.enabled,
        "Locked": found.locked,
        "AccountTypes": ["Redfish"],
        "Links": {"Role": link(f"{ROLE_URIS}/{found.role}")},
    }


def accounts(call: Call) -> Answer:
    """The accounts."""
    members = [link(f"{ACCOUNTS}/{each.id}") for each in call.bmc.accounts.all()]
    return Answer(body=collection(ACCOUNTS, "ManagerAccount", members))


def _check(body: Json) -> list[Json]:
    """Messages for values that no account can have."""
    found: list[Json] = []
    if "Password" in body and not MIN_PASSWORD <= len(str(body["Password"])) <= MAX_PASSWORD:
        found.append(info("PropertyValueFormatError", "...", "Password", prop="Password"))
    if "RoleId" in body and body["RoleId"] not in ROLES:
        found.append(info("PropertyValueNotInList", str(body["RoleId"]), "RoleId", prop="RoleId"))
    wrong = [name for name in ("Enabled", "Locked") if not isinstance(body.get(name, True), bool)]
    return found + [info("PropertyValueTypeError", str(body[name]), name, prop=name) for name in wrong]


def create(call: Call) -> Answer:
    """POST an account."""
    body = call.body()
    found = [
        info("PropertyMissing", name, prop=name) for name in ("UserName", "Password", "RoleId") if name not in body
    ]
    found += _check(body)
    if found:
        raise RedfishProblem(400, found)
    if call.bmc.accounts.named(str(body["UserName"])):
        raise problem(
            400, "ResourceAlreadyExists", "ManagerAccount", "UserName", str(body["UserName"]), prop="UserName"
        )
    made = call.bmc.accounts.add(str(body["UserName"]), str(body["Password"]), str(body["RoleId"]))
    return Answer(201, _shown(made), {"Location": f"{ACCOUNTS}/{made.id}"})


def _find(call: Call) -> Account:
    found = call.bmc.accounts.get(call.params["id"])
    if found is None:
        raise not_found("ManagerAccount", call.params["id"])
    return found


def account(call: Call) -> Answer:
    """One account."""
    return Answer(body=_shown(_find(call)))


def change(call: Call) -> Answer:
    """PATCH an account: what is read-only or unknown is refused; where nothing else was sent, all of it."""
    found, body = _find(call), call.body()
    writable = ("Password", "RoleId", "Enabled", "Locked")
    refused = [
        info("PropertyNotWritable" if name in _shown(found) else "PropertyUnknown", name, prop=name)
        for name in body
        if name not in writable and not name.startswith("@odata.")
    ]
    refused += _check(body)
    if refused:
        raise RedfishProblem(400, refused)
    if not any(name in writable for name in body):
        raise problem(400, "NoOperation")
    found.password = str(body.get("Password", found.password))
    found.role = str(body.get("RoleId", found.role))
    found.enabled = body.get("Enabled", found.enabled)
    found.locked = body.get("Locked", found.locked)
    return account(call)


def delete(call: Call) -> Answer:
    """DELETE an account, but not the first."""
    found = _find(call)
    if found.id == "1":
        raise problem(403, "InsufficientPrivilege")
    call.bmc.accounts.remove(found)
    return Answer(204)


def roles(_call: Call) -> Answer:
    """The roles."""
    return Answer(body=collection(ROLE_URIS, "Role", [link(f"{ROLE_URIS}/{name}") for name in ROLES]))


def role(call: Call) -> Answer:
    """One role."""
    name = call.params["id"]
    if name not in ROLES:
        raise not_found("Role", name)
    return Answer(
        body={
            "@odata.id": f"{ROLE_URIS}/{name}",
            "@odata.type": "#Role.v1_3_3.Role",
            "Id": name,
            "Name": f"{name} Role",
            "RoleId": name,
            "IsPredefined": True,
            "AssignedPrivileges": sorted(ROLES[name]),
            "OemPrivileges": [],
        }
    )
