# SPDX-License-Identifier: GPL-3.0-or-later
"""Message registries."""

from __future__ import annotations

from functools import partial

from ..answer import Answer
from ..call import Call
from ..messages import REGISTRIES
from ..personality import Personality
from ..registry import Registry
from ..resources import ROOT, collection, link
from ..router import Handler

REGISTRY_FILES = f"{ROOT}/Registries"


def routes(personality: Personality) -> dict[str, dict[str, Handler]]:
    """Paths of this part."""
    names, attributes = personality.service.registries, personality.service.attribute_registries
    files = [link(f"{REGISTRY_FILES}/{name}") for name in (*names, *attributes)]
    found: dict[str, dict[str, Handler]] = {
        REGISTRY_FILES: {"GET": lambda call: Answer(body=collection(call.path, "MessageRegistryFile", files))}
    }
    for name in names:
        registry = REGISTRIES[name]
        found[f"{REGISTRY_FILES}/{name}"] = {"GET": partial(registry_file, personality, registry)}
        found[_location(registry)] = {"GET": partial(registry_body, registry)}
    for name in attributes:
        found[f"{REGISTRY_FILES}/{name}"] = {"GET": partial(attribute_file, name)}
    return found


def _location(registry: Registry) -> str:
    return f"{REGISTRY_FILES}/{registry.prefix}/{registry.prefix}.{registry.version}.json"


def attribute_file(name: str, call: Call) -> Answer:
    """Where a registry of BIOS attributes would be; nobody who looks for messages asks there."""
    return Answer(
        body={
            "@odata.id": call.path,
            "@odata.type": "#MessageRegistryFile.v1_1_4.MessageRegistryFile",
            "Id": name,
            "Name": f"{name} Attribute Registry File",
            "Languages": ["en"],
            "Registry": name,
            "Location": [{"Language": "en", "Uri": f"{REGISTRY_FILES}/{name}/{name}.json"}],
        }
    )


def registry_file(personality: Personality, registry: Registry, call: Call) -> Answer:
    """Where a registry is."""
    uri = _location(registry)
    where = {"extref": uri} if personality.service.registry_uri == "extref" else uri
    return Answer(
        body={
            "@odata.id": call.path,
            "@odata.type": "#MessageRegistryFile.v1_1_4.MessageRegistryFile",
            "Id": registry.prefix,
            "Name": f"{registry.prefix} Message Registry File",
            "Languages": ["en"],
            "Registry": f"{registry.prefix}.{'.'.join(registry.version.split('.')[:2])}",
            "Location": [{"Language": "en", "Uri": where}],
        }
    )


def registry_body(registry: Registry, _call: Call) -> Answer:
    """The registry itself."""
    return Answer(body=registry.resource(_location(registry)))
