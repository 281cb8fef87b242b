# SPDX-License-Identifier: GPL-3.0-or-later
"""A service that does what the standard says."""

from ..personality import DeliveryTraits, Personality, ServiceTraits, UpdateTraits

PLAIN = Personality(
    name="plain",
    source="DSP8010 2026.1: EventDestination v1_17_0, EventService v1_12_0; DSP0266",
    vendor="Contoso",
    product="Contoso BMC",
    models=("Contoso 3500", "Contoso 2500"),
    firmware=("1.45.455b66-rev4",),
    alerts="ResourceEvent",
    redfish_version="1.22.0",
    service=ServiceTraits(
        event_service={
            "EventFormatTypes": ["Event", "MetricReport"],
            "RegistryPrefixes": ["Base", "ResourceEvent", "TaskEvent", "HeartbeatEvent"],
            "ResourceTypes": ["ComputerSystem", "Chassis", "Manager", "Task", "Drive", "Fan", "PowerSupply"],
            "Severities": ["OK", "Warning", "Critical"],
            "SubordinateResourcesSupported": True,
            "IncludeOriginOfConditionSupported": True,
            "OriginResourcesSupported": True,
            "ExcludeMessageId": True,
            "ExcludeRegistryPrefix": True,
        },
        certificates="subscription",
    ),
    update=UpdateTraits(suspends=True),
    delivery=DeliveryTraits(log_entry=True),
)
