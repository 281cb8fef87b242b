# SPDX-License-Identifier: GPL-3.0-or-later
"""Systems, Chassis, Managers: who the machine is, and switching it off and on."""

from __future__ import annotations

from ..answer import Answer, Json, info, problem
from ..call import Call
from ..dmtf_messages import RESOURCE_EVENT
from ..personality import Personality
from ..records import Record
from ..resources import ROOT, collection, link
from ..router import Handler
from .subscriptions import wants_members

POWER = {"On": "On", "ForceOn": "On", "ForceOff": "Off", "GracefulShutdown": "Off"}
RESTARTS = ("ForceRestart", "GracefulRestart", "PowerCycle")


def routes(personality: Personality) -> dict[str, dict[str, Handler]]:
    """Paths of this part."""
    traits = personality.service
    system, manager = f"{ROOT}/Systems/{traits.system_id}", f"{ROOT}/Managers/{traits.manager_id}"
    return {
        f"{ROOT}/Systems": {"GET": lambda call: _only(call, "ComputerSystem", computer_system, system)},
        system: {"GET": computer_system},
        f"{system}/Actions/ComputerSystem.Reset": {"POST": reset_system},
        f"{ROOT}/Chassis": {"GET": lambda call: _only(call, "Chassis", chassis, _chassis(call))},
        f"{ROOT}/Chassis/{traits.chassis_id}": {"GET": chassis},
        f"{ROOT}/Managers": {"GET": lambda call: _only(call, "Manager", manager_resource, manager)},
        manager: {"GET": manager_resource},
        f"{manager}/Actions/Manager.Reset": {"POST": reset_manager},
        f"{manager}/NetworkProtocol": {"GET": network_protocol, "PATCH": change_network_protocol},
    }


def _only(call: Call, kind: str, member: Handler, uri: str) -> Answer:
    """A collection of one member, as a link or expanded."""
    found = member(call).body if wants_members(call) else None
    return Answer(body=collection(call.path, kind, [found if isinstance(found, dict) else link(uri)]))


def _system(call: Call) -> str:
    return f"{ROOT}/Systems/{call.bmc.personality.service.system_id}"


def _chassis(call: Call) -> str:
    return f"{ROOT}/Chassis/{call.bmc.personality.service.chassis_id}"


def _manager(call: Call) -> str:
    return f"{ROOT}/Managers/{call.bmc.personality.service.manager_id}"


def _logs(call: Call, owner: str, uri: str) -> Json:
    if call.bmc.personality.service.log_owner != owner:
        return {}
    return {"LogServices": link(f"{uri}/LogServices")}


def computer_system(call: Call) -> Answer:
    """The ComputerSystem."""
    bmc, uri = call.bmc, _system(call)
    return Answer(
        body={
            "@odata.id": uri,
            "@odata.type": "#ComputerSystem.v1_22_1.ComputerSystem",
            "Id": bmc.personality.service.system_id,
            "Name": "System",
            "SystemType": "Physical",
            "Manufacturer": bmc.personality.manufacturer or bmc.personality.vendor,
            "Model": bmc.identity.model,
            "SerialNumber": bmc.identity.serial,
            "SKU": bmc.identity.serial[:7],
            "UUID": bmc.identity.uuid,
            "HostName": f"host-{bmc.identity.name}",
            "BiosVersion": "2.19.1",
            "PowerState": bmc.power_state,
            "Status": {"State": "Enabled", "Health": "OK", "HealthRollup": "OK"},
            **_logs(call, "Systems", uri),
            "Links": {"Chassis": [link(_chassis(call))], "ManagedBy": [link(_manager(call))]},
            "Actions": {
                "#ComputerSystem.Reset": {
                    "target": f"{uri}/Actions/ComputerSystem.Reset",
                    "ResetType@Redfish.AllowableValues": [*POWER, *RESTARTS],
                }
            },
        }
    )


def chassis(call: Call) -> Answer:
    """The Chassis."""
    bmc = call.bmc
    return Answer(
        body={
            "@odata.id": _chassis(call),
            "@odata.type": "#Chassis.v1_25_2.Chassis",
            "Id": bmc.personality.service.chassis_id,
            "Name": "Chassis",
            "ChassisType": "RackMount",
            "Manufacturer": bmc.personality.manufacturer or bmc.personality.vendor,
            "Model": bmc.identity.model,
            "SerialNumber": bmc.identity.serial,
            "PowerState": bmc.power_state,
            "Status": {"State": "Enabled", "Health": "OK"},
            "Links": {"ComputerSystems": [link(_system(call))], "ManagedBy": [link(_manager(call))]},
        }
    )


def manager_resource(call: Call) -> Answer:
    """The Manager: the BMC itself, its firmware and its clock."""
    bmc, uri = call.bmc, _manager(call)
    return Answer(
        body={
            "@odata.id": uri,
            "@odata.type": "#Manager.v1_19_1.Manager",
            "Id": bmc.personality.service.manager_id,
            "Name": "Manager",
            "ManagerType": "BMC",
            "Manufacturer": bmc.personality.manufacturer or bmc.personality.vendor,
            "Model": bmc.personality.product,
            "FirmwareVersion": bmc.identity.firmware,
            "UUID": bmc.identity.uuid,
            "ServiceEntryPointUUID": bmc.identity.uuid,
            "DateTime": bmc.now().replace("Z", "+00:00"),
            "DateTimeLocalOffset": "+00:00",
            "Status": {"State": "Enabled", "Health": "OK"},
            "NetworkProtocol": link(f"{uri}/NetworkProtocol"),
            **_logs(call, "Managers", uri),
            "Links": {"ManagerForServers": [link(_system(call))], "ManagerForChassis": [link(_chassis(call))]},
            "Actions": {
                "#Manager.Reset": {
                    "target": f"{uri}/Actions/Manager.Reset",
                    "ResetType@Redfish.AllowableValues": ["ForceRestart", "GracefulRestart"],
                }
            },
        }
    )


def network_protocol(call: Call) -> Answer:
    """The ManagerNetworkProtocol."""
    bmc = call.bmc
    return Answer(
        body={
            "@odata.id": f"{_manager(call)}/NetworkProtocol",
            "@odata.type": "#ManagerNetworkProtocol.v1_10_1.ManagerNetworkProtocol",
            "Id": "NetworkProtocol",
            "Name": "Manager Network Protocol",
            "HostName": bmc.identity.name,
            "FQDN": f"{bmc.identity.name}.example.com",
            "HTTPS": {"ProtocolEnabled": True, "Port": bmc.identity.port},
            "HTTP": {"ProtocolEnabled": False, "Port": 80},
            "NTP": {"ProtocolEnabled": True, "NTPServers": list(bmc.ntp_servers)},
            "Status": {"State": "Enabled", "Health": "OK"},
        }
    )


def change_network_protocol(call: Call) -> Answer:
    """PATCH NTP.NTPServers by the rules for arrays (DSP0266 7.9): null removes, {} keeps, what is beyond is cut off."""
    wanted = call.body().get("NTP")
    servers = wanted.get("NTPServers") if isinstance(wanted, dict) else None
    if not isinstance(servers, list):
        raise problem(400, "PropertyUnknown", ", ".join(call.body()))
    kept = call.bmc.ntp_servers
    merged = [
        (kept[index] if index < len(kept) else None) if item == {} else item for index, item in enumerate(servers)
    ]
    if not all(item is None or isinstance(item, str) for item in merged):
        raise problem(400, "PropertyValueTypeError", str(servers), "NTPServers", prop="NTP/NTPServers")
    call.bmc.ntp_servers = [item for item in merged if item is not None]
    return network_protocol(call)


def _reset_type(call: Call, action: str, allowed: tuple[str, ...], default: str) -> str:
    value = str((call.body() if call.raw else {}).get("ResetType", default))
    if value not in allowed:
        raise problem(400, "ActionParameterValueNotInList", value, "ResetType", action)
    return value


def reset_system(call: Call) -> Answer:
    """ComputerSystem.Reset: the power state changes, and an event tells it."""
    kind = _reset_type(call, "ComputerSystem.Reset", (*POWER, *RESTARTS), "On")
    states = ["Off", "On"] if kind in RESTARTS else [POWER[kind]]
    for state in states:
        call.bmc.power_state = state
        key = f"ResourcePowered{state}"
        message_id, system = RESOURCE_EVENT.message_id(key), _system(call)
        args = [call.bmc.personality.service.system_id]
        call.bmc.emit([Record(message_id, "", args, "OK", "StatusChange", system, "ComputerSystem")])
    return Answer(204)


def reset_manager(call: Call) -> Answer:
    """Manager.Reset: sessions end, event numbers start again."""
    _reset_type(call, "Manager.Reset", ("ForceRestart", "GracefulRestart"), "ForceRestart")
    call.bmc.reset()
    return Answer(200, {"@Message.ExtendedInfo": [info("Success")]})
