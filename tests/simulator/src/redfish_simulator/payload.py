# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies of deliveries: the same facts in each vendor's shape. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from .answer import Json
from .personality import Personality
from .records import Record


def event(personality: Personality, records: Sequence[Record], number: int, context: str) -> Json:
    """An Event with these records; `number` counts the BMC's events, `context` is the subscription's."""
    traits = personality.delivery
    test = all(record.test for record in records)
    if test and not personality.test.context:
        context = ""
    body: Json = {
        "@odata.type": traits.event_type,
        "Id": number if traits.ids == "integer" and not test else str(number),
        "Name": traits.name,
    }
    if context and traits.context == "envelope":
        body["Context"] = context
    body[traits.container] = [
        _record(personality, record, number, member, context) for member, record in enumerate(records)
    ]
    if traits.container == "Events":
        body["Events@odata.count"] = len(records)
    return body


def _record(personality: Personality, record: Record, number: int, member: int, context: str) -> Json:
    traits = personality.delivery
    event_id = record.event_id or str(number * 100 + member)
    shaped: Json = {
        "EventType": record.event_type,
        "EventId": int(event_id) if traits.ids == "integer" and event_id.isdigit() else event_id,
        "MemberId": str(member),
        "EventTimestamp": record.timestamp,
        "MessageId": record.message_id,
        "Message": record.message,
        "MessageArgs": record.args,
    }
    if traits.severity in ("MessageSeverity", "both"):
        shaped["MessageSeverity"] = record.severity
    if traits.severity in ("Severity", "both"):
        shaped["Severity"] = record.severity
    if record.resolution:
        shaped["Resolution"] = record.resolution
    if record.origin and traits.origin != "none":
        shaped["OriginOfCondition"] = record.origin if traits.origin == "string" else {"@odata.id": record.origin}
    if record.log_entry:
        shaped["LogEntry"] = {"@odata.id": record.log_entry}
    if context and traits.context == "record":
        shaped["Context"] = context
    shaped.update(record.extra)
    return shaped


def heartbeat(personality: Personality, record: Record, number: int, context: str, own_uri: str) -> Json:
    """A heartbeat; bmcweb sends it without Id and Context, its origin the subscription itself."""
    if personality.delivery.heartbeat == "standard":
        return event(personality, [record], number, context)
    body = event(personality, [record], number, "")
    del body["Id"]
    for shaped in body[personality.delivery.container]:
        shaped["OriginOfCondition"] = {"@odata.id": own_uri}
        del shaped["EventId"]
    return body


def metric_report(number: int, timestamp: str, context: str, values: Sequence[tuple[str, str]]) -> Json:
    """A MetricReport: `values` are pairs of metric property URI and value."""
    return {
        "@odata.type": "#MetricReport.v1_5_2.MetricReport",
        "@odata.id": "/redfish/v1/TelemetryService/MetricReports/PlatformMetrics",
        "Id": "PlatformMetrics",
        "Name": "Platform metrics",
        "ReportSequence": str(number),
        "Timestamp": timestamp,
        "Context": context,
        "MetricReportDefinition": {"@odata.id": "/redfish/v1/TelemetryService/MetricReportDefinitions/PlatformMetrics"},
        "MetricValues": [
            {
                "MetricId": uri.rpartition("/")[2],
                "MetricProperty": uri,
                "MetricValue": value,
                "Timestamp": timestamp,
            }
            for uri, value in values
        ],
    }
