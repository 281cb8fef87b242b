# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenBMC, as bmcweb serves it."""

from ..personality import (
    CreateTraits,
    DeliveryTraits,
    Personality,
    ReadTraits,
    ServiceTraits,
    TestEventTraits,
    UpdateTraits,
)

OPENBMC = Personality(
    name="openbmc",
    source="openbmc/bmcweb redfish-core/lib/event_service.hpp, src/subscription.cpp, http/http_client.hpp",
    vendor="OpenBMC",
    product="OpenBMC",
    models=("romulus", "witherspoon", "p10bmc"),
    firmware=("2.18.0-dev-1412", "2.16.0-dev-871"),
    alerts="OpenBMC",
    username="root",
    service=ServiceTraits(
        system_id="system",
        manager_id="bmc",
        chassis_id="chassis",
        log_owner="Systems",
        other_logs=("HostLogger", "Dump"),
        expand="refused",  # insecure-enable-redfish-query is off by default: 501
        max_sessions=64,
        error_style="annotation",  # error_messages.cpp: beside the property, without an error object
        attempts=(3, 1, 3),
        interval=(30, 5, 180),
        event_service={
            "EventFormatTypes": ["Event", "MetricReport"],
            "RegistryPrefixes": ["Base", "OpenBMC", "TaskEvent", "HeartbeatEvent"],
            "ResourceTypes": ["Task", "Heartbeat"],
            "SSEFilterPropertiesSupported": {
                "EventFormatType": True,
                "MessageId": True,
                "MetricReportDefinition": True,
                "RegistryPrefix": True,
                "OriginResource": False,
                "ResourceType": False,
            },
        },
        registries=("Base", "OpenBMC", "TaskEvent", "ResourceEvent", "HeartbeatEvent"),
    ),
    create=CreateTraits(
        accepts=frozenset(
            {
                "Context",
                "DeliveryRetryPolicy",
                "Destination",
                "EventFormatType",
                "HeartbeatIntervalMinutes",
                "HttpHeaders",
                "MessageIds",
                "MetricReportDefinitions",
                "OriginResources",
                "Protocol",
                "RegistryPrefixes",
                "ResourceTypes",
                "SendHeartbeat",
                "SubscriptionType",
                "VerifyCertificate",
            }
        ),
        registry_prefixes=("Base", "OpenBMC", "TaskEvent", "HeartbeatEvent"),
        resource_types=("Task", "Heartbeat"),
        conflicts=(("MessageIds", "RegistryPrefixes"),),
        bare_message_ids=True,  # while its filter compares Prefix.Key: such a filter never matches
        max_context=256,
        max_destination=2000,
        rewrite_destination=True,  # boost::urls normalize(), :443 or :80 and "/" added
        body="message",
        ids="random",
    ),
    read=ReadTraits(
        hides=frozenset({"OriginResources"}),
        headers="empty",
        status=False,
        type="#EventDestination.v1_14_1.EventDestination",
    ),
    update=UpdateTraits(
        patchable=frozenset(
            {
                "Context",
                "DeliveryRetryPolicy",
                "HeartbeatIntervalMinutes",
                "HttpHeaders",
                "SendHeartbeat",
                "VerifyCertificate",
            }
        ),
        refusal="PropertyUnknown",
        status=204,
        delete_status=200,
    ),
    delivery=DeliveryTraits(
        context="record",  # log events carry Context inside each record only
        ids="integer",  # sendEvent() emits numbers
        origin="string",
        severity="Severity",
        event_type="#Event.v1_4_0.Event",
        name="Event Log",
        host_port=False,
        policies=("TerminateAfterRetries", "SuspendRetries", "RetryForever"),
        forever="drop event",  # retryPolicyAction is never set from the subscription: dropped after the retries
        verify=True,
        queue=500,
        filters="bmcweb",
        heartbeat="bare",
    ),
    test=TestEventTraits(
        parameters=(
            "EventGroupId",
            "EventId",
            "EventTimestamp",
            "EventType",
            "Message",
            "MessageArgs",
            "MessageId",
            "OriginOfCondition",
            "Resolution",
            "Severity",
        ),
        required=(),
        action_info=False,
        subscription_action=False,
        broadcast=True,
        keeps_event_id=False,
        context=False,
    ),
)
