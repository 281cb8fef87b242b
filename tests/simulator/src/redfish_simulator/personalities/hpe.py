# SPDX-License-Identifier: GPL-3.0-or-later
"""HPE iLO."""

from dataclasses import replace

from ..personality import (
    CreateTraits,
    DeliveryTraits,
    Personality,
    ReadTraits,
    ServiceTraits,
    TestEventTraits,
    UpdateTraits,
)

_EVENT_TYPES = ("StatusChange", "ResourceUpdated", "ResourceAdded", "ResourceRemoved", "Alert")

ILO5 = Personality(
    name="ilo5",
    source="metal-operator bmc/redfish_hpe.go; hms-hmcollector; ilo-rest-api-docs; Redfish-Event-Listener#30",
    vendor="HPE",
    product="ProLiant DL380 Gen10",
    manufacturer="HPE",
    models=("ProLiant DL380 Gen10", "ProLiant DL360 Gen10 Plus"),
    firmware=("iLO 5 v2.99", "iLO 5 v3.03"),
    alerts="iLOEvents",
    username="Administrator",
    redfish_version="1.13.0",
    service=ServiceTraits(
        log_owner="Systems",
        log_id="IML",
        log_members="links",  # iLO 5 lists entries as links unless asked to expand
        trailing_slash=True,
        max_sessions=16,
        etag="weak",
        event_service_type="#EventService.v1_3_1.EventService",
        attempts=(3, 0, 10),
        event_service={"EventTypesForSubscription": list(_EVENT_TYPES), "RegistryPrefixes": ["iLOEvents"]},
        registries=("Base", "iLOEvents", "ResourceEvent"),
        # HewlettPackard/python-ilorest-library: get_registries() follows Location[0].Uri.extref
        attribute_registries=("BiosAttributeRegistryU30.v1_2_68",),
        registry_uri="extref",
        certificates="hpe",
    ),
    create=CreateTraits(
        # DeliveryRetryPolicy is refused although the service shows retry settings (redfish_hpe.go)
        accepts=frozenset(
            {
                "Context",
                "Destination",
                "EventTypes",
                "HttpHeaders",
                "Oem",
                "Protocol",
                "RegistryPrefixes",
                "ResourceTypes",
                "SubscriptionType",
            }
        ),
        unknown_key="PropertyNotWritableOrUnknown",
        event_types=_EVENT_TYPES,
        registry_prefixes=("iLOEvents",),
        https_only=True,
        duplicates="exists",
        body="error",  # the body of the 201 is an error object with Base...Created
        location="absolute",
    ),
    read=ReadTraits(
        type="#EventDestination.v1_3_0.EventDestination",
        context="empty",  # "does not return Context properly": so Cray puts the endpoint's id in the Destination
        hides=frozenset({"DeliveryRetryPolicy", "EventFormatType", "VerifyCertificate"}),
        headers="readable",  # header values "readable via GET" (ilo-rest-api-docs)
        status=False,
    ),
    update=UpdateTraits(patchable=frozenset({"Context"}), delete_status=200),
    delivery=DeliveryTraits(event_type="#Event.v1_1_0.Event", severity="Severity", verify=False),
    test=TestEventTraits(
        parameters=(
            "EventID",
            "EventTimestamp",
            "EventType",
            "Message",
            "MessageArgs",
            "MessageId",
            "OriginOfCondition",
            "Severity",
        ),
        required=("MessageId",),
        action_info=False,
        subscription_action=False,
        keeps_event_id=False,
        status=200,
    ),
)

# iLO 4, and iLO 5 of its first years: a 204 is no success to it, it repeats and at last drops the subscription
# (Redfish-Event-Listener#30); subscriptions expire unless TTLCount says 999999 (ilo-rest-api-docs).
ILO4 = replace(
    ILO5,
    name="ilo4",
    models=("ProLiant DL380 Gen9",),
    firmware=("iLO 4 v2.82",),
    redfish_version="1.0.0",
    root_vendor=False,
    product="ProLiant DL380 Gen9",
    service=replace(
        ILO5.service,
        subscriptions_path="EventSubscriptions",
        expand="ignored",
        etag="none",
        event_service_type="#EventService.1.0.0.EventService",
        event_service={"EventTypesForSubscription": list(_EVENT_TYPES)},
        certificates="none",
    ),
    create=replace(
        ILO5.create,
        accepts=frozenset({"Context", "Destination", "EventTypes", "HttpHeaders", "Oem", "Protocol"}),
        required=("Destination", "Protocol", "Context", "EventTypes"),
        headers_object=True,
        expires=True,
    ),
    delivery=replace(ILO5.delivery, answers="200 only", event_type="#Event.1.0.0.Event"),
)
