# SPDX-License-Identifier: GPL-3.0-or-later
"""Supermicro: fixed slots that are PATCHed."""

from ..personality import (
    CreateTraits,
    DeliveryTraits,
    Personality,
    ReadTraits,
    ServiceTraits,
    TestEventTraits,
    UpdateTraits,
)

SUPERMICRO = Personality(
    name="supermicro",
    source="Supermicro Redfish reference guide (PATCH of /Subscriptions/{id}); session timeout: Linuxfabrik/lib#246",
    vendor="Supermicro",
    product="SYS-120U-TNR",
    manufacturer="Supermicro",
    models=("SYS-120U-TNR", "SYS-620P-TRT"),
    firmware=("01.04.08", "01.01.32"),
    alerts="SMC",
    username="ADMIN",
    redfish_version="1.11.0",
    service=ServiceTraits(
        log_id="Log1",
        log_arguments=False,
        expand="ignored",
        max_sessions=8,
        session_timeout=300.0,
        event_service_type="#EventService.v1_5_0.EventService",
        event_service={
            "EventTypesForSubscription": ["Alert", "StatusChange", "ResourceUpdated"],
            "RegistryPrefixes": ["SMC", "ResourceEvent"],
        },
        registries=("Base", "SMC", "ResourceEvent"),
    ),
    create=CreateTraits(
        accepts=frozenset(
            {"Context", "Destination", "EventTypes", "HttpHeaders", "Oem", "Protocol", "RegistryPrefixes"}
        ),
        slots=4,
        limit=4,
    ),
    read=ReadTraits(
        type="#EventDestination.v1_7_0.EventDestination",
        hides=frozenset({"DeliveryRetryPolicy", "VerifyCertificate"}),
        status=False,
    ),
    update=UpdateTraits(
        patchable=frozenset(
            {"Context", "Destination", "EventTypes", "HttpHeaders", "Oem", "Protocol", "RegistryPrefixes"}
        )
    ),
    delivery=DeliveryTraits(event_type="#Event.v1_5_0.Event", keep_alive=False, severity="Severity"),
    test=TestEventTraits(
        parameters=(
            "EventId",
            "EventTimestamp",
            "EventType",
            "Message",
            "MessageArgs",
            "MessageId",
            "OriginOfCondition",
            "Severity",
        ),
        subscription_action=False,
        status=200,
    ),
)
