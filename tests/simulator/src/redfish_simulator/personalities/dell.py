# SPDX-License-Identifier: GPL-3.0-or-later
"""Dell iDRAC."""

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

_EVENT_TYPES = ("StatusChange", "ResourceUpdated", "ResourceAdded", "ResourceRemoved", "Alert", "MetricReport", "Other")
# The attributes that events depend on, as dellemc.openmanage.idrac_attributes and public dumps of
# /redfish/v1/Managers/iDRAC.Embedded.1/Attributes spell them.
_ATTRIBUTES = {"IPMILan.1.AlertEnable": "Enabled", "RedfishEventing.1.IgnoreCertificateErrors": "No"}

IDRAC9 = Personality(
    name="idrac9",
    source="dellemc.openmanage redfish_event_subscription; iDRAC-Redfish-Scripting SubscriptionManagementREDFISH.py; "
    "metal-operator bmc/redfish.go; iDRAC7/8/9 Redfish API guides",
    vendor="Dell",
    product="Integrated Dell Remote Access Controller",
    manufacturer="Dell Inc.",
    models=("PowerEdge R650", "PowerEdge R740xd", "PowerEdge R7525"),
    firmware=("7.00.00.173", "6.10.80.00", "5.10.50.00"),
    alerts="IDRAC",
    username="root",
    redfish_version="1.17.0",
    service=ServiceTraits(
        system_id="System.Embedded.1",
        manager_id="iDRAC.Embedded.1",
        chassis_id="System.Embedded.1",
        log_id="Lclog",
        log_copy="Sel",  # what is critical stands in both logs
        log_order="newest",
        log_page=50,
        max_sessions=8,
        event_service_type="#EventService.v1_8_0.EventService",
        attempts=(3, 0, 5),
        interval=(5, 5, 60),
        event_service={
            "EventFormatTypes": ["Event", "MetricReport"],
            "EventTypesForSubscription": list(_EVENT_TYPES),
            "SMTP": {
                "Authentication": "None",
                "ConnectionProtocol": "StartTLS",
                "Port": 25,
                "ServerAddress": "0.0.0.0",
            },
        },
        registries=("Base", "IDRAC", "ResourceEvent", "TaskEvent"),
        attributes=_ATTRIBUTES,
        subscribing="manager",  # iDRAC Redfish API guide, EventDestination: POST and DELETE ConfigureManager
    ),
    create=CreateTraits(
        # metal3-docs#167: ES v1.5.0 knows neither ResourceTypes nor RegistryPrefixes
        accepts=frozenset(
            {
                "Context",
                "DeliveryRetryPolicy",
                "Destination",
                "EventFormatType",
                "EventTypes",
                "HttpHeaders",
                "Oem",
                "Protocol",
                "SubscriptionType",
            }
        ),
        event_types=_EVENT_TYPES,
        duplicates="modified",  # metal-operator: PropertyValueModified with the destination in the text
        body="subscription",  # sample of RETURN.status of dellemc.openmanage.redfish_event_subscription
        ids="uuid",
    ),
    read=ReadTraits(type="#EventDestination.v1_12_0.EventDestination", headers="empty"),
    update=UpdateTraits(patchable=frozenset({"Context", "DeliveryRetryPolicy", "HttpHeaders"}), suspends=True),
    delivery=DeliveryTraits(
        event_type="#Event.v1_7_0.Event", policies=("SuspendRetries", "RetryForever"), policy="RetryForever"
    ),
    test=TestEventTraits(
        parameters=("Destination", "EventTypes", "Context", "Protocol", "MessageId"),
        required=("Destination", "EventTypes", "Context", "Protocol", "MessageId"),
        action_info=False,
        subscription_action=False,
        message_ids=("TMP0118",),
        text="registry",
        keeps_event_id=False,
        to_destination=True,
    ),
)

# iDRAC 8 and early iDRAC 9: Alert alone, https alone (iDRAC7/8 API guide; iDRAC-Redfish-Scripting#370)
IDRAC8 = replace(
    IDRAC9,
    name="idrac8",
    models=("PowerEdge R630", "PowerEdge R730"),
    firmware=("2.86.86.86",),
    redfish_version="1.4.0",
    root_vendor=False,
    service=replace(
        IDRAC9.service,
        expand="refused",
        event_service_type="#EventService.v1_0_2.EventService",
        event_service={"EventTypesForSubscription": ["StatusChange", "ResourceUpdated", "Alert"]},
    ),
    create=replace(
        IDRAC9.create,
        accepts=frozenset({"Context", "Destination", "EventTypes", "Protocol"}),
        required=("Destination", "Protocol", "Context", "EventTypes"),
        event_types=("Alert",),
        https_only=True,
        ids="uuid",
    ),
    read=ReadTraits(
        type="#EventDestination.v1_1_0.EventDestination",
        hides=frozenset({"DeliveryRetryPolicy", "EventFormatType", "SubscriptionType", "VerifyCertificate"}),
        headers="absent",
        status=False,
    ),
    update=UpdateTraits(patchable=frozenset()),
    # its certificate check is an attribute: RedfishEventing.IgnoreCertificateErrors, off by default
    delivery=replace(IDRAC9.delivery, event_type="#Event.v1_1_0.Event", verify=True, severity="Severity"),
)

# An iDRAC 9 whose alerts are switched off: it takes the subscription and stays silent until
# IPMILan.1.AlertEnable is set (SubscriptionManagementREDFISH.py sets it before the POST).
IDRAC9_MUTE = replace(
    IDRAC9,
    name="idrac9-mute",
    service=replace(IDRAC9.service, attributes=_ATTRIBUTES | {"IPMILan.1.AlertEnable": "Disabled"}),
)

IDRAC10 = replace(
    IDRAC9,
    name="idrac10",
    models=("PowerEdge R670",),
    firmware=("1.20.50.50",),
    redfish_version="1.20.1",
    service=replace(
        IDRAC9.service,
        event_service_type="#EventService.v1_10_2.EventService",
        event_service={
            "EventFormatTypes": ["Event", "MetricReport"],
            "RegistryPrefixes": ["IDRAC", "ResourceEvent", "TaskEvent"],
            "ResourceTypes": ["ComputerSystem", "Chassis", "Manager", "Task", "Drive", "PowerSupply", "Fan"],
            "IncludeOriginOfConditionSupported": False,
        },
    ),
    create=replace(
        IDRAC9.create,
        accepts=STANDARD_CREATE - {"BackupDestinations", "IncludeOriginOfCondition", "Severities"},
        registry_prefixes=("IDRAC", "ResourceEvent", "TaskEvent"),
    ),
    test=replace(IDRAC9.test, message_ids=("IDRAC.2.10.CPU0002",)),
)
