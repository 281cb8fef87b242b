# SPDX-License-Identifier: GPL-3.0-or-later
"""Dell's manager attributes, as far as events need them: alerts are sent while IPMILan.1.AlertEnable is Enabled."""

from __future__ import annotations

from ..answer import Answer, info, problem
from ..call import Call
from ..personality import Personality
from ..resources import ROOT
from ..router import Handler

NAME = "IPMILan.1.AlertEnable"


def routes(personality: Personality) -> dict[str, dict[str, Handler]]:
    """Paths of this part: the new place and the one that older firmware has."""
    if personality.service.alert_enable is None:
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
            "Attributes": {NAME: call.bmc.alert_enable},
        }
    )


def change(call: Call) -> Answer:
    """PATCH {"Attributes": {"IPMILan.1.AlertEnable": "Enabled"}}."""
    wanted = call.body().get("Attributes")
    value = wanted.get(NAME) if isinstance(wanted, dict) else None
    if value not in ("Enabled", "Disabled"):
        raise problem(400, "PropertyValueNotInList", str(value), NAME, prop="Attributes")
    call.bmc.alert_enable = value
    return Answer(200, {"@Message.ExtendedInfo": [info("Success")]})
