# SPDX-License-Identifier: GPL-3.0-or-later
"""/redfish, the service root, and its OData documents: what is readable without credentials."""

from __future__ import annotations

from ..answer import Answer
from ..call import Call
from ..personality import Personality
from ..router import Handler

ROOT = "/redfish/v1"
LINKS = ("Systems", "Chassis", "Managers", "SessionService", "EventService", "Registries", "AccountService")


def routes(_personality: Personality) -> dict[str, dict[str, Handler]]:
    """Paths of this part."""
    return {
        "/redfish": {"GET": versions},
        ROOT: {"GET": service_root},
        f"{ROOT}/odata": {"GET": odata},
        f"{ROOT}/$metadata": {"GET": metadata},
    }


def versions(_call: Call) -> Answer:
    """The protocol versions."""
    return Answer(body={"v1": f"{ROOT}/"})


def service_root(call: Call) -> Answer:
    """The ServiceRoot."""
    personality = call.bmc.personality
    expand = personality.service.expand == "supported"
    body = {
        "@odata.id": f"{ROOT}/",
        "@odata.type": "#ServiceRoot.v1_17_0.ServiceRoot",
        "Id": "RootService",
        "Name": "Root Service",
        "RedfishVersion": personality.redfish_version,
        "UUID": call.bmc.identity.uuid,
        "Product": personality.product,
        "ProtocolFeaturesSupported": {
            "ExcerptQuery": False,
            "ExpandQuery": {
                "ExpandAll": expand,
                "Levels": expand,
                "Links": expand,
                "NoLinks": expand,
                **({"MaxLevels": 1} if expand else {}),
            },
            "FilterQuery": False,
            "OnlyMemberQuery": False,
            "SelectQuery": False,
        },
        **{name: {"@odata.id": f"{ROOT}/{name}"} for name in LINKS},
        "Links": {"Sessions": {"@odata.id": f"{ROOT}/SessionService/Sessions"}},
    }
    if personality.root_vendor:
        body["Vendor"] = personality.vendor
    return Answer(body=body)


def odata(_call: Call) -> Answer:
    """The OData service document."""
    entries = [{"name": name, "kind": "Singleton", "url": f"{ROOT}/{name}"} for name in LINKS]
    entries.insert(0, {"name": "Service", "kind": "Singleton", "url": f"{ROOT}/"})
    return Answer(body={"@odata.context": f"{ROOT}/$metadata", "value": entries})


def metadata(_call: Call) -> Answer:
    """The OData metadata document, naming the schemas in use."""
    schemas = ("ServiceRoot", "SessionService", "Session", "EventService", "EventDestination", "MessageRegistryFile")
    references = "".join(
        f'  <edmx:Reference Uri="http://redfish.dmtf.org/schemas/v1/{name}_v1.xml">\n'
        f'    <edmx:Include Namespace="{name}"/>\n'
        "  </edmx:Reference>\n"
        for name in schemas
    )
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<edmx:Edmx xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx" Version="4.0">\n'
        f"{references}"
        "  <edmx:DataServices>\n"
        '    <Schema xmlns="http://docs.oasis-open.org/odata/ns/edm" Namespace="Service">\n'
        '      <EntityContainer Name="Service" Extends="ServiceRoot.v1_17_0.ServiceContainer"/>\n'
        "    </Schema>\n"
        "  </edmx:DataServices>\n"
        "</edmx:Edmx>\n"
    )
    return Answer(body=text.encode(), content_type="application/xml")
