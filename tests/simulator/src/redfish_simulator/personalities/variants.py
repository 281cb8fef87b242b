# SPDX-License-Identifier: GPL-3.0-or-later
"""Services that follow the standard but for one habit, which was seen somewhere."""

from dataclasses import replace

from ..personality import Personality
from .ami import AMI
from .openbmc import OPENBMC
from .plain import PLAIN


def _variant(name: str, source: str, base: Personality = PLAIN, **parts: dict[str, object]) -> Personality:
    """`base` with some traits changed: keyword = part of the personality, value = its changed fields."""
    changed = {part: replace(getattr(base, part), **fields) for part, fields in parts.items()}
    return replace(base, name=name, source=source, **changed)


VARIANTS = (
    _variant("plain-paged", "DSP0266 7.2: Members@odata.nextLink; limits of Redfish clients", service={"page_size": 2}),
    _variant("plain-weak-etag", "community.general#3296: weak ETags", service={"etag": "weak", "if_match": "required"}),
    _variant(
        "plain-unquoted-etag",
        "community.general#11261 (strip_etag_quotes): ETags without quotes",
        service={"etag": "unquoted", "if_match": "required"},
    ),
    _variant("plain-if-match-refused", "community.general#3268: If-Match is refused", service={"if_match": "refused"}),
    _variant("plain-no-etag", "ansible#56150: no ETag at all", service={"etag": "none"}),
    _variant("plain-no-location", "Redfish-Mockup-Server#53 and AMI: no Location", create={"location": "missing"}),
    _variant(
        "plain-absolute-location",
        "DSP0266 allows an absolute Location",
        create={"location": "absolute", "body": "none"},
    ),
    _variant("plain-204", "Redfish-Mockup-Server#53: 204 and Location", create={"status": 204, "body": "none"}),
    _variant("plain-200", "CIMC: 200 on create", create={"status": 200}),
    _variant(
        "plain-202",
        "DSP0266 7.11: 202 and a Task whose end is not awaited [inferred from Cray's tolerance]",
        create={"status": 202, "body": "task", "location": "missing"},
    ),
    _variant("plain-conflict", "duplicates are answered 409", create={"duplicates": "conflict"}),
    _variant("plain-limit-403", "bmcweb#150: 403 at the limit", create={"limit": 4, "limit_status": 403}),
    _variant(
        "plain-event-types",
        "metal3 and gofish#241: EventTypes mandatory on services before 1.3",
        create={"required": ("Destination", "Protocol", "EventTypes")},
        service={
            "event_service_type": "#EventService.v1_2_0.EventService",
            "event_service": {
                "EventTypesForSubscription": ["StatusChange", "ResourceUpdated", "ResourceAdded", "Alert"]
            },
        },
    ),
    _variant("plain-context", "XCC2: Context mandatory", create={"required": ("Destination", "Protocol", "Context")}),
    _variant(
        "plain-ignores-unknown",
        "unknown properties are dropped in silence",
        create={
            "unknown": "ignore",
            "accepts": frozenset({"Context", "Destination", "EventFormatType", "HttpHeaders", "Protocol"}),
        },
    ),
    _variant("plain-no-patch", "iDRAC 8: subscriptions can't be changed", update={"patchable": frozenset()}),
    _variant("plain-trailing-slash", "iLO: every @odata.id ends in a slash", service={"trailing_slash": True}),
    _variant("plain-integer-ids", "gofish oem/zt: Id is a number", read={"integer_ids": True}),
    _variant("plain-record-context", "bmcweb's log events: Context in each record", delivery={"context": "record"}),
    _variant("plain-string-origin", "OriginOfCondition is a string", delivery={"origin": "string", "ids": "integer"}),
    _variant("plain-alerts-array", "metal-operator: `Alerts` where Events belongs", delivery={"container": "Alerts"}),
    _variant("plain-verifies", "certificates of listeners are verified by default", delivery={"verify": True}),
    _variant("ami-verifies", "gofish: Oem.Ami.Certificates of the EventService", AMI, delivery={"verify": True}),
    _variant("plain-suspends", "SuspendRetries by default", delivery={"policy": "SuspendRetries"}),
    _variant("plain-basic-only", "the session table has no room", service={"max_sessions": 0}),
    _variant(
        "openbmc-expand",
        "bmcweb built with insecure-enable-redfish-query",
        OPENBMC,
        service={"expand": "supported"},
    ),
)
