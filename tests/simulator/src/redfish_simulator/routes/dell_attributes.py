# SPDX-License-Identifier: GPL-3.0-or-later
"""Dell's manager attributes, as far as events need them: alerts are sent while IPMILan.1.AlertEnable is Enabled, and
listeners' certificates are checked unless RedfishEventing.1.IgnoreCertificateErrors is Yes. Info tells the firmware."""

from __future__ import annotations

from ..answer import Answer, info, problem
from ..call import Call
from ..personality import Personality
from ..resources import ROOT
from ..router import Handler

ALLOWED = {
    "IPMILan.1.AlertEnable": ("Enabled", "Disabled"),
    "RedfishEventing.1.IgnoreCertificateErrors": ("Yes", "No"),
}


def routes(personality: Personality) -> dict[str, dict[str, Handler]]:
    """Paths of this part: the new place and the one that older firmware has."""
    if not personality.service.attributes:
        return {}
    manager = f"{ROOT}/Managers/{personality.service.manager_id}"
    methods: dict[str, Handler] = {"GET": attributes, "PATCH": change}
    new = f"{manager}/Oem/Dell/DellAttributes/{personality.service.manager_id}"
    return {new: methods, f"{manager}/Attributes": methods}


def attributes(call: Call) -> Answer:
    """The attributes."""
    return Answer(
        body={
            "@odata.id": call.path,
            "@odata.type": "#DellAttributes.v1_0_0.DellAttributes",
            "Id": "iDRACAttributes",
            "Name": "OEMAttributeRegistry",
            "Attributes": {**call.bmc.attributes, "Info.1.Version": call.bmc.identity.firmware},
        }
    )


def change(call: Call) -> Answer:
    """PATCH {"Attributes": {"IPMILan.1.AlertEnable": "Enabled"}}."""
    wanted = call.body().get("Attributes")
    if not isinstance(wanted, dict) or not wanted:
        raise problem(400, "PropertyMissing", "Attributes", prop="Attributes")
    for name, value in wanted.items():
        if value not in ALLOWED.get(name, ()):
            raise problem(400, "PropertyValueNotInList", str(value), name, prop="Attributes")
    call.bmc.attributes.update(wanted)
    return Answer(200, {"@Message.ExtendedInfo": [info("Success")]})
