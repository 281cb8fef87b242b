# SPDX-License-Identifier: GPL-3.0-or-later
"""AMI MegaRAC and its kin (ASUS, ZT, Lenovo TSM)."""

from ..personality import (
    CreateTraits,
    DeliveryTraits,
    Personality,
    ReadTraits,
    ServiceTraits,
    TestEventTraits,
    UpdateTraits,
)

AMI = Personality(
    name="ami",
    source="gofish oem/zt; ASUS ASMB manual (Context-only PATCH → 204); Lenovo TSM manual (limit 5)",
    vendor="AMI",
    product="AMI Redfish Server",
    manufacturer="American Megatrends",
    models=("RS720A-E11", "RS500A-E12"),
    firmware=("13.3.1", "12.61.21"),
    alerts="IPMI",
    redfish_version="1.11.0",
    service=ServiceTraits(
        system_id="Self",
        manager_id="Self",
        chassis_id="Self",
        log_id="SEL",
        expand="ignored",
        max_sessions=15,
        etag="weak",
        if_match="required",
        attempts=(3, 1, 3),
        interval=(60, 60, 180),
        event_service_type="#EventService.v1_7_0.EventService",
        event_service={
            "EventFormatTypes": ["Event", "MetricReport"],
            "EventTypesForSubscription": [
                "Alert",
                "StatusChange",
                "ResourceUpdated",
                "ResourceAdded",
                "ResourceRemoved",
            ],
            "RegistryPrefixes": ["IPMI", "ResourceEvent"],
            "ResourceTypes": ["ComputerSystem", "Chassis", "Manager", "Task"],
        },
        registries=("Base", "IPMI", "ResourceEvent"),
        certificates="ami",
    ),
    create=CreateTraits(
        accepts=frozenset(
            {
                "Context",
                "DeliveryRetryPolicy",
                "Destination",
                "EventFormatType",
                "EventTypes",
                "HttpHeaders",
                "MessageIds",
                "OriginResources",
                "Protocol",
                "RegistryPrefixes",
                "ResourceTypes",
                "SubordinateResources",
                "SubscriptionType",
            }
        ),
        required=("Destination", "Protocol", "Context"),
        limit=5,
        limit_status=503,
        location="missing",
        body="collection",  # the body's @odata.id names the collection (gofish oem/zt)
    ),
    read=ReadTraits(
        type="#EventDestination.v1_10_0.EventDestination",
        integer_ids=True,
        hides=frozenset({"VerifyCertificate"}),
    ),
    update=UpdateTraits(patchable=frozenset({"Context"}), refusal="PropertyNotWritable", status=204),
    delivery=DeliveryTraits(event_type="#Event.v1_6_0.Event", keep_alive=False, severity="Severity"),
    test=TestEventTraits(status=202, subscription_action=False, seconds_between=5.0),
)
