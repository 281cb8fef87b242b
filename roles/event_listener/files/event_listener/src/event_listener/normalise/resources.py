# SPDX-License-Identifier: GPL-3.0-or-later
"""Which resource an OriginOfCondition means. No I/O."""

from __future__ import annotations

import re
from typing import Any

# Redfish collections whose members' type isn't the collection's name without its plural s.
_MEMBERS_OF = {
    "Accounts": "ManagerAccount",
    "Batteries": "Battery",
    "Controllers": "StorageController",
    "Entries": "LogEntry",
    "FirmwareInventory": "SoftwareInventory",
    "Memory": "Memory",
    "PowerSupplies": "PowerSupply",
    "Registries": "MessageRegistryFile",
    "SoftwareInventory": "SoftwareInventory",
    "Storage": "Storage",
    "Subscriptions": "EventDestination",
    "Switches": "Switch",
    "Systems": "ComputerSystem",
    "VirtualMedia": "VirtualMedia",
}
# Resources that stand alone under a name that isn't their type.
_SINGLETONS = {
    "NetworkProtocol": "ManagerNetworkProtocol",
    "v1": "ServiceRoot",
}
_PLURAL = re.compile(r"[A-Z][A-Za-z0-9]*s")
_SINGULAR_S = frozenset({"Bios", "EnvironmentMetrics", "MemoryMetrics", "Metrics", "ProcessorMetrics", "Status"})
_ODATA_TYPE = re.compile(r"#?([A-Za-z0-9_]+)\.")
_TASK = re.compile(r"(/redfish/v1/(?:TaskService/Tasks|JobService/Jobs|Managers/[^/#]+/Jobs)/[^/#]+)")


def odata_type(value: Any) -> str | None:
    """``Chassis`` of ``#Chassis.v1_2_0.Chassis``."""
    found = _ODATA_TYPE.match(value) if isinstance(value, str) else None
    return found[1] if found else None


def uri(origin: Any) -> str | None:
    """The path of an OriginOfCondition: a string, an ``@odata.id`` object, or a list of one."""
    if isinstance(origin, list):
        origin = origin[0] if origin else None
    if isinstance(origin, dict):
        origin = next((origin[name] for name in ("@odata.id", "@Odata.id", "odata.id", "href") if name in origin), None)
    if not isinstance(origin, str):
        return None
    return _path(origin) or None


def _path(text: str) -> str:
    """A URI without scheme, host and trailing slash. iLO ends its URIs in a slash, others don't."""
    before, separator, rest = text.partition("://")
    if separator and before.isalpha():
        _host, slash, path = rest.partition("/")
        text = slash + path
    return text.rstrip("/")


def type_of(path: str, origin: Any) -> str | None:
    """The resource's type: what an expanded object says of itself, else what its place in the tree means."""
    said = odata_type(origin.get("@odata.type")) if isinstance(origin, dict) else None
    if said:
        return said
    segments = [segment for segment in path.replace("#", "/").split("/") if segment]
    if not segments:
        return None
    last, parent = segments[-1], segments[-2] if len(segments) > 1 else ""
    if _is_collection(parent):
        return _member(parent)
    if _is_collection(last):
        return _member(last) + "Collection"
    return _SINGLETONS.get(last, last)


def _is_collection(name: str) -> bool:
    return name == "Chassis" or name in _MEMBERS_OF or (bool(_PLURAL.fullmatch(name)) and name not in _SINGULAR_S)


def _member(collection: str) -> str:
    if collection in _MEMBERS_OF:
        return _MEMBERS_OF[collection]
    if collection.endswith("ies"):
        return collection[:-3] + "y"
    return collection if collection == "Chassis" else collection.removesuffix("s")


def is_task(path: str | None) -> bool:
    """Whether a resource is a Task or a Job itself, nothing below it."""
    return path is not None and _TASK.fullmatch(path) is not None


def task(path: str | None, arguments: tuple[str, ...]) -> str | None:
    """The start id of a TaskEvent: the Task's URI from OriginOfCondition or the arguments, else the first argument.

    The TaskEvent registry's first argument is the Task's Id (DSP8010, TaskEvent.1.0.3); bmcweb and others send the URI.
    """
    for text in (path, *arguments):
        if text and (found := _TASK.search(text)):
            return found[1]
    return path or (arguments[0] if arguments else None)
