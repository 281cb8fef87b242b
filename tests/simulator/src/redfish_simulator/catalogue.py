# SPDX-License-Identifier: GPL-3.0-or-later
"""Realistic events: what happens in a machine room, in the words of each vendor's registry."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from .dmtf_messages import HEARTBEAT_EVENT, RESOURCE_EVENT, TASK_EVENT
from .messages import REGISTRIES
from .records import Record
from .registry import Message

if TYPE_CHECKING:
    from .bmc import Bmc

KINDS = ("ResourceEvent", "TaskEvent", "Alert", "Heartbeat", "MetricReport")
MAX_COUNT = 1_000_000

# (name of the part, its schema type, URI below the chassis)
PARTS = (
    ("PSU1", "PowerSupply", "PowerSubsystem/PowerSupplies/PSU1"),
    ("PSU2", "PowerSupply", "PowerSubsystem/PowerSupplies/PSU2"),
    ("Fan3", "Fan", "ThermalSubsystem/Fans/Fan3"),
    ("InletTemp", "Sensor", "Sensors/InletTemp"),
    ("DIMM_A1", "Memory", "Memory/DIMM_A1"),
    ("Bay4", "Drive", "Drives/Bay4"),
)


def _part(bmc: Bmc, rng: random.Random) -> tuple[str, str, str]:
    name, schema, below = rng.choice(PARTS)
    return name, schema, f"/redfish/v1/Chassis/{bmc.personality.service.chassis_id}/{below}"


def resource_event(bmc: Bmc, rng: random.Random) -> Record:
    """A resource changed its state: DMTF's ResourceEvent registry."""
    name, schema, uri = _part(bmc, rng)
    key, args = rng.choice(
        (
            ("ResourceChanged", []),
            ("ResourceStatusChangedOK", [name, "OK"]),
            ("ResourceStatusChangedWarning", [name, "Warning"]),
            ("ResourceStatusChangedCritical", [name, "Critical"]),
            ("ResourceErrorsDetected", [name, "Correctable"]),
        )
    )
    message = RESOURCE_EVENT.messages[key]
    return Record(
        RESOURCE_EVENT.message_id(key),
        message.fill(args),
        list(args),
        message.severity,
        "ResourceUpdated" if key == "ResourceChanged" else "StatusChange",
        uri,
        schema,
    )


def task_event(_bmc: Bmc, rng: random.Random) -> Record:
    """A task started, went on, or ended: DMTF's TaskEvent registry."""
    task = str(rng.randint(1, 999))
    key, args = rng.choice(
        (
            ("TaskStarted", [task]),
            ("TaskProgressChanged", [task, str(rng.randint(1, 99))]),
            ("TaskCompletedOK", [task]),
            ("TaskAborted", [task]),
        )
    )
    message = TASK_EVENT.messages[key]
    uri = f"/redfish/v1/TaskService/Tasks/{task}"
    return Record(TASK_EVENT.message_id(key), message.fill(args), args, message.severity, "StatusChange", uri, "Task")


def alert(bmc: Bmc, rng: random.Random) -> Record:
    """Something to look at, from the vendor's own registry."""
    registry = REGISTRIES[bmc.personality.alerts]
    keys = [key for key in registry.messages if "Test" not in key]
    key = rng.choice(keys)
    message = registry.messages[key]
    name, schema, uri = _part(bmc, rng)
    args = _arguments(message, name, rng)
    # bmcweb's log events have no OriginOfCondition
    origin = "" if registry.prefix == "OpenBMC" else uri
    text = message.fill(args)
    return Record(
        registry.message_id(key), text, args, message.severity, "Alert", origin, schema, resolution=message.resolution
    )


def _arguments(message: Message, name: str, rng: random.Random) -> list[str]:
    return [name, *(str(rng.randint(30, 99)) for _ in range(message.number_of_args - 1))][: message.number_of_args]


def heartbeat() -> Record:
    """The service is alive."""
    message = HEARTBEAT_EVENT.messages["RedfishServiceFunctional"]
    message_id = HEARTBEAT_EVENT.message_id("RedfishServiceFunctional")
    return Record(message_id, message.text, event_type="Other", resource_type="Heartbeat")


RECORDS: dict[str, Callable[[Bmc, random.Random], Record]] = {
    "ResourceEvent": resource_event,
    "TaskEvent": task_event,
    "Alert": alert,
}


def emit(bmc: Bmc, kind: str, count: int, records_per_post: int, rng: random.Random) -> int:
    """Let `count` events of a kind happen, several to a POST where asked. Returns the deliveries that were queued.

    Raises ValueError for a kind that isn't in KINDS or a count that makes no sense.
    """
    if kind not in KINDS:
        raise ValueError(f"There is no kind of event {kind!r}; there are: {', '.join(KINDS)}.")
    if not 1 <= count <= MAX_COUNT or records_per_post < 1:
        raise ValueError(f"count must be 1 to {MAX_COUNT} and records_per_post at least 1.")
    if kind == "Heartbeat":
        return sum(bmc.emit_heartbeat(heartbeat()) for _ in range(count))
    if kind == "MetricReport":
        return sum(bmc.emit_metric_report(_metrics(bmc, rng)) for _ in range(count))
    queued = 0
    for start in range(0, count, records_per_post):
        size = min(records_per_post, count - start)
        queued += bmc.emit([RECORDS[kind](bmc, rng) for _ in range(size)])
    return queued


def _metrics(bmc: Bmc, rng: random.Random) -> list[tuple[str, str]]:
    chassis = f"/redfish/v1/Chassis/{bmc.personality.service.chassis_id}/Sensors"
    return [
        (f"{chassis}/InletTemp", f"{rng.uniform(18, 30):.1f}"),
        (f"{chassis}/TotalPower", f"{rng.uniform(150, 600):.0f}"),
        (f"{chassis}/FanSpeed", str(rng.randint(2000, 9000))),
    ]
