# SPDX-License-Identifier: GPL-3.0-or-later
"""Lenovo XClarity Controller."""

from dataclasses import replace

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

XCC2 = Personality(
    name="xcc2",
    source="pubs.lenovo.com XCC2 REST API; python-redfish-lenovo add_event_subscriptions.py, send_test_event.py; "
    "community.general#11261, #11270",
    vendor="Lenovo",
    product="ThinkSystem SR650 V3",
    manufacturer="Lenovo",
    models=("ThinkSystem SR650 V3", "ThinkSystem SR630 V3"),
    firmware=("ESX328L-3.10", "AFBT58B-5.70"),
    alerts="EventRegistry",
    username="USERID",
    redfish_version="1.15.0",
    service=ServiceTraits(
        log_owner="Systems",
        log_id="StandardLog",
        max_sessions=16,
        if_match="required",
        missing_etag_status=412,  # 412 where If-Match is missing (community.general#11270)
        event_service_type="#EventService.v1_9_0.EventService",
        event_service={
            "EventFormatTypes": ["Event", "MetricReport"],
            "RegistryPrefixes": ["EventRegistry", "ResourceEvent", "TaskEvent"],
            "ResourceTypes": ["ComputerSystem", "Chassis", "Manager", "Task", "Drive", "PowerSupply", "Fan"],
            "SubordinateResourcesSupported": True,
        },
        registries=("Base", "EventRegistry", "ResourceEvent", "TaskEvent"),
    ),
    create=CreateTraits(
        accepts=STANDARD_CREATE - {"BackupDestinations", "SendHeartbeat", "HeartbeatIntervalMinutes", "Severities"},
        required=("Destination", "Protocol", "Context"),
        registry_prefixes=("EventRegistry", "ResourceEvent", "TaskEvent"),
        limit=12,  # SSE and Redfish subscriptions together
        limit_status=400,
        limit_key="CreateLimitReachedForResource",
    ),
    read=ReadTraits(type="#EventDestination.v1_13_0.EventDestination"),
    delivery=DeliveryTraits(
        event_type="#Event.v1_8_0.Event",
        policies=("TerminateAfterRetries", "SuspendRetries", "RetryForever"),
        metric_reports=False,  # accepted, never delivered (metal-operator dbe22baa)
    ),
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
        required=(
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

# XCC3: "MetricReport ... not supported yet" (pubs.lenovo.com)
XCC3 = replace(
    XCC2,
    name="xcc3",
    product="ThinkSystem SR650 V4",
    models=("ThinkSystem SR650 V4",),
    firmware=("FRX3A2B-1.20",),
    redfish_version="1.20.0",
    service=replace(XCC2.service, event_service_type="#EventService.v1_10_2.EventService"),
    create=replace(XCC2.create, format_types=("Event",)),
)

# An older XCC: EventService before 1.3, EventTypes mandatory, no Context (add_event_subscriptions.py)
XCC1 = replace(
    XCC2,
    name="xcc1",
    product="ThinkSystem SR650",
    models=("ThinkSystem SR650",),
    firmware=("CDI3A6E-6.40",),
    redfish_version="1.8.0",
    root_vendor=False,
    service=replace(
        XCC2.service,
        event_service_type="#EventService.v1_2_0.EventService",
        event_service={"EventTypesForSubscription": ["StatusChange", "ResourceUpdated", "Alert"]},
    ),
    create=replace(
        XCC2.create,
        accepts=frozenset({"Destination", "EventTypes", "HttpHeaders", "Protocol"}),
        required=("Destination", "Protocol", "EventTypes"),
        event_types=("StatusChange", "ResourceUpdated", "Alert"),
    ),
    read=ReadTraits(
        type="#EventDestination.v1_2_0.EventDestination",
        hides=frozenset({"DeliveryRetryPolicy", "EventFormatType", "SubscriptionType", "VerifyCertificate"}),
        status=False,
    ),
    update=UpdateTraits(patchable=frozenset()),
)
