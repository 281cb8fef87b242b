# SPDX-License-Identifier: GPL-3.0-or-later
"""Huawei, Cisco: what is known of them is little, and each has one habit that others don't have."""

from ..personality import (
    STANDARD_CREATE,
    CreateTraits,
    DeliveryTraits,
    Personality,
    ReadTraits,
    ServiceTraits,
    TestEventTraits,
    UpdateTraits,
)

HUAWEI = Personality(
    name="huawei",
    source="openubmc.cn interface documentation; ansible#60031 (If-Match on every PATCH)",
    vendor="Huawei",
    product="iBMC",
    manufacturer="Huawei",
    models=("2288H V5",),
    firmware=("6.41",),
    alerts="iBMCEvents",
    username="Administrator",
    redfish_version="1.6.0",
    service=ServiceTraits(
        etag="unquoted",
        if_match="required",
        expand="ignored",
        event_service_type="#EventService.v1_2_1.EventService",
        event_service={"EventTypesForSubscription": ["StatusChange", "ResourceUpdated", "Alert"]},
        registries=("Base", "iBMCEvents", "ResourceEvent"),
    ),
    create=CreateTraits(
        # EventFormatType is not for the protocol Redfish
        accepts=STANDARD_CREATE - {"EventFormatType", "BackupDestinations", "Severities", "SendHeartbeat"},
        duplicates="conflict",
    ),
    read=ReadTraits(
        type="#EventDestination.v1_4_0.EventDestination", hides=frozenset({"EventFormatType"}), headers="null"
    ),
    update=UpdateTraits(patchable=frozenset({"Context", "HttpHeaders", "DeliveryRetryPolicy"})),
    delivery=DeliveryTraits(event_type="#Event.v1_1_0.Event", terminate="drop event", severity="Severity"),
    test=TestEventTraits(subscription_action=False),
)

CISCO = Personality(
    name="cisco",
    source="akaliwod/iserver dump of a C240 M4: the service is off, EventTypes Alert alone",
    vendor="Cisco",
    product="UCSC-C240-M4SX",
    manufacturer="Cisco Systems Inc",
    models=("UCSC-C240-M4SX",),
    firmware=("4.1(2m)",),
    alerts="ResourceEvent",
    redfish_version="1.2.0",
    root_vendor=False,
    service=ServiceTraits(
        enabled=False,
        expand="refused",
        etag="none",
        event_service_type="#EventService.v1_0_5.EventService",
        event_service={"EventTypesForSubscription": ["Alert"]},
        registries=("Base",),
    ),
    create=CreateTraits(
        accepts=frozenset({"Context", "Destination", "EventTypes", "HttpHeaders", "Protocol"}),
        required=("Destination", "Protocol", "EventTypes"),
        event_types=("Alert",),
        status=200,
    ),
    read=ReadTraits(
        type="#EventDestination.v1_2_0.EventDestination",
        hides=frozenset({"DeliveryRetryPolicy", "EventFormatType", "SubscriptionType", "VerifyCertificate"}),
        status=False,
    ),
    update=UpdateTraits(patchable=frozenset({"Context"})),
    delivery=DeliveryTraits(event_type="#Event.v1_2_0.Event", origin="none", severity="Severity"),
    test=TestEventTraits(subscription_action=False),
)
