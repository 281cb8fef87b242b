# SPDX-License-Identifier: GPL-3.0-or-later
"""The words in which a vendor's habits are written down: data; the code that obeys it knows no vendor.

Defaults are the standard's (schemas EventDestination v1_17_0, EventService v1_12_0; protocol DSP0266): what a
personality sets is what differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

STANDARD_CREATE = frozenset(
    {
        "BackupDestinations",
        "Context",
        "DeliveryRetryPolicy",
        "Destination",
        "EventFormatType",
        "EventTypes",
        "ExcludeMessageIds",
        "ExcludeRegistryPrefixes",
        "HeartbeatIntervalMinutes",
        "HttpHeaders",
        "IncludeOriginOfCondition",
        "MessageIds",
        "MetricReportDefinitions",
        "Name",
        "Oem",
        "OriginResources",
        "Protocol",
        "RegistryPrefixes",
        "ResourceTypes",
        "SendHeartbeat",
        "Severities",
        "SubordinateResources",
        "SubscriptionType",
        "VerifyCertificate",
    }
)
STANDARD_PATCH = frozenset({"BackupDestinations", "Context", "DeliveryRetryPolicy", "HttpHeaders", "VerifyCertificate"})
RETRY_POLICIES = ("TerminateAfterRetries", "SuspendRetries", "RetryForever", "RetryForeverWithBackoff")


@dataclass(frozen=True)
class ServiceTraits:
    """The service as a whole: where things are, how they are read, and how it refuses."""

    system_id: str = "1"
    manager_id: str = "1"
    chassis_id: str = "1"
    log_owner: Literal["Systems", "Managers"] = "Managers"
    log_id: str = "EventLog"
    log_order: Literal["oldest", "newest"] = "oldest"
    """Which entry comes first."""
    log_page: int = 100
    """Entries per page, however many $top asks for."""
    log_members: Literal["expanded", "links"] = "expanded"
    log_arguments: bool = True
    """Whether entries have MessageArgs."""
    log_copy: str = ""
    """Id of a second log that notes the same, in entries of its own."""
    other_logs: tuple[str, ...] = ()
    """Logs that never hold an entry."""
    subscriptions_path: str = "Subscriptions"
    trailing_slash: bool = False
    expand: Literal["supported", "ignored", "refused"] = "supported"
    page_size: int | None = None
    """Members per page of the subscription collection; the rest is behind `Members@odata.nextLink`."""
    max_sessions: int = 16
    session_timeout: float = 1800.0
    """Seconds without a request after which a session ends."""
    error_style: Literal["error", "annotation"] = "error"
    etag: Literal["strong", "weak", "unquoted", "none"] = "strong"
    if_match: Literal["optional", "required", "refused"] = "optional"
    missing_etag_status: int = 428
    enabled: bool = True
    """ServiceEnabled of the EventService at first."""
    event_service_type: str = "#EventService.v1_12_0.EventService"
    event_service: Mapping[str, Any] = field(default_factory=dict)
    """Properties of the EventService beyond those that every personality has: the capabilities that it advertises."""
    attempts: tuple[int, int, int] = (3, 0, 10)
    """DeliveryRetryAttempts: default, lowest, highest."""
    interval: tuple[int, int, int] = (30, 1, 600)
    """DeliveryRetryIntervalSeconds: default, lowest, highest."""
    registries: tuple[str, ...] = ("Base", "ResourceEvent", "TaskEvent", "HeartbeatEvent")
    attribute_registries: tuple[str, ...] = ()
    """Registries of BIOS attributes, which stand in the same collection and have no messages."""
    registry_uri: Literal["text", "extref"] = "text"
    """How a MessageRegistryFile says where its registry is: by the schema, or as iLO does, {"extref": "..."}."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Dell's manager attributes, as far as events need them, at first; empty where there are no such attributes."""
    subscribing: Literal["registry", "manager"] = "registry"
    """What the accounts that subscribe need: by DMTF's privilege registry, or always ConfigureManager (Dell)."""
    certificates: Literal["none", "subscription", "hpe", "ami"] = "none"
    """Where a CA for the verification of listeners can be installed."""


@dataclass(frozen=True)
class CreateTraits:
    """POST to the subscription collection."""

    accepts: frozenset[str] = STANDARD_CREATE
    unknown: Literal["reject", "ignore"] = "reject"
    unknown_key: str = "PropertyUnknown"
    required: tuple[str, ...] = ("Destination", "Protocol")
    format_types: tuple[str, ...] = ("Event", "MetricReport")
    registry_prefixes: tuple[str, ...] | None = None
    resource_types: tuple[str, ...] | None = None
    event_types: tuple[str, ...] | None = None
    conflicts: tuple[tuple[str, str], ...] = ()
    bare_message_ids: bool = False
    https_only: bool = False
    rewrite_destination: bool = False
    max_context: int = 65536
    max_destination: int = 65536
    duplicates: Literal["allowed", "exists", "modified", "conflict"] = "allowed"
    limit: int = 20
    limit_status: int = 503
    limit_key: str = "EventSubscriptionLimitExceeded"
    slots: int = 0
    """Fixed members that are PATCHed instead of created (Supermicro); 0 = an ordinary collection."""
    status: int = 201
    location: Literal["relative", "absolute", "missing"] = "relative"
    body: Literal["subscription", "message", "error", "collection", "task", "none"] = "subscription"
    headers_object: bool = False
    """HttpHeaders is one object instead of an array (iLO 4)."""
    expires: bool = False
    """Subscriptions end after Oem.Hp.TTLCount TTLUnits; 999999 keeps them (iLO 4)."""
    ids: Literal["sequence", "random", "uuid"] = "sequence"


@dataclass(frozen=True)
class ReadTraits:
    """GET of a subscription."""

    hides: frozenset[str] = frozenset()
    headers: Literal["null", "empty", "readable", "absent"] = "null"
    context: Literal["kept", "empty"] = "kept"
    integer_ids: bool = False
    status: bool = True
    type: str = "#EventDestination.v1_17_0.EventDestination"


@dataclass(frozen=True)
class UpdateTraits:
    """PATCH of a subscription, and DELETE."""

    patchable: frozenset[str] = STANDARD_PATCH
    refusal: str = "PropertyNotWritable"
    status: int = 200
    delete_status: int = 204
    suspends: bool = False
    """It has the actions SuspendSubscription and ResumeSubscription."""


@dataclass(frozen=True)
class DeliveryTraits:
    """How events travel, and what becomes of a subscription whose listener doesn't answer."""

    context: Literal["envelope", "record", "none"] = "envelope"
    ids: Literal["string", "integer"] = "string"
    origin: Literal["object", "string", "none"] = "object"
    container: Literal["Events", "Alerts"] = "Events"
    severity: Literal["MessageSeverity", "Severity", "both"] = "both"
    event_type: str = "#Event.v1_13_0.Event"
    name: str = "Event Array"
    keep_alive: bool = True
    host_port: bool = True
    answers: Literal["2xx", "200 only"] = "2xx"
    policies: tuple[str, ...] = RETRY_POLICIES
    policy: str = "TerminateAfterRetries"
    terminate: Literal["delete", "drop event"] = "delete"
    forever: Literal["drop event", "retry"] = "retry"
    verify: bool = False
    log_entry: bool = False
    """Each record links the LogEntry that was written for it."""
    queue: int = 1000
    filters: Literal["standard", "bmcweb"] = "standard"
    heartbeat: Literal["standard", "bare"] = "standard"
    metric_reports: bool = True


@dataclass(frozen=True)
class TestEventTraits:
    """SubmitTestEvent and TestEventSubscription."""

    __test__ = False  # its name begins with Test, and pytest would collect it

    parameters: tuple[str, ...] = (
        "EventGroupId",
        "EventId",
        "EventTimestamp",
        "EventType",
        "Message",
        "MessageArgs",
        "MessageId",
        "MessageSeverity",
        "OriginOfCondition",
        "Severity",
    )
    required: tuple[str, ...] = ("MessageId",)
    action_info: bool = True
    status: int = 204
    subscription_action: bool = True
    broadcast: bool = False
    """Reaches every subscription, whatever its filters (bmcweb)."""
    keeps_event_id: bool = True
    context: bool = True
    message_ids: tuple[str, ...] | None = None
    text: Literal["sent", "registry"] = "sent"
    to_destination: bool = False
    """Delivered to the Destination in the body alone (Dell)."""
    seconds_between: float = 0.0


@dataclass(frozen=True)
class Personality:
    """A vendor's BMC. `source` says where its habits were learned."""

    name: str
    source: str
    vendor: str
    product: str
    models: tuple[str, ...]
    firmware: tuple[str, ...]
    alerts: str
    """Prefix of the registry that its alerts come from."""
    manufacturer: str = ""
    redfish_version: str = "1.17.0"
    root_vendor: bool = True
    username: str = "admin"
    service: ServiceTraits = field(default_factory=ServiceTraits)
    create: CreateTraits = field(default_factory=CreateTraits)
    read: ReadTraits = field(default_factory=ReadTraits)
    update: UpdateTraits = field(default_factory=UpdateTraits)
    delivery: DeliveryTraits = field(default_factory=DeliveryTraits)
    test: TestEventTraits = field(default_factory=TestEventTraits)
