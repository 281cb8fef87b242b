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
    names = personality.service.registries
    files = [link(f"{REGISTRY_FILES}/{name}") for name in names]
    found: dict[str, dict[str, Handler]] = {
        REGISTRY_FILES: {"GET": lambda call: Answer(body=collection(call.path, "MessageRegistryFile", files))}
    }
    for name in names:
        registry = REGISTRIES[name]
        found[f"{REGISTRY_FILES}/{name}"] = {"GET": partial(registry_file, registry)}
        found[_location(registry)] = {"GET": partial(registry_body, registry)}
    return found


def _location(registry: Registry) -> str:
    return f"{REGISTRY_FILES}/{registry.prefix}/{registry.prefix}.{registry.version}.json"


def registry_file(registry: Registry, call: Call) -> Answer:
    """Where a registry is."""
    return Answer(
        body={
            "@odata.id": call.path,
            "@odata.type": "#MessageRegistryFile.v1_1_4.MessageRegistryFile",
            "Id": registry.prefix,
            "Name": f"{registry.prefix} Message Registry File",
            "Languages": ["en"],
            "Registry": f"{registry.prefix}.{'.'.join(registry.version.split('.')[:2])}",
            "Location": [{"Language": "en", "Uri": _location(registry)}],
        }
    )


def registry_body(registry: Registry, _call: Call) -> Answer:
    """The registry itself."""
    return Answer(body=registry.resource(_location(registry)))
