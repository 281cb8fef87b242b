# SPDX-License-Identifier: GPL-3.0-or-later
"""Raw payloads as BMCs really send them (shapes from DSP2046, bmcweb, iDRAC, iLO, XCC), to records."""

import codecs
import json

import pytest
from event_listener.event import Category, Level, Origin, Record, State
from event_listener.normalise import decode
from event_listener.normalise.redfish import normalise
from hypothesis import given
from hypothesis import strategies as st

STANDARD = {
    "@odata.type": "#Event.v1_7_0.Event",
    "Id": "1",
    "Name": "Event Array",
    "Context": "WebUser3",
    "Events": [
        {
            "EventType": "Other",
            "EventId": "4594",
            "Severity": "OK",
            "MessageSeverity": "Warning",
            "Message": "A cable has been removed from network adapter 1 port 1.",
            "MessageId": "NetworkDevice.1.0.3.CableRemoved",
            "MessageArgs": ["1", "1"],
            "EventTimestamp": "2026-11-22T02:54:34+00:00",
            "OriginOfCondition": {"@odata.id": "/redfish/v1/Systems/1/EthernetInterfaces/1"},
        }
    ],
}


def one(payload) -> Record:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    found = normalise(body)
    assert found.problem == ""
    assert len(found.records) == 1
    return found.records[0]


def event(**fields) -> Record:
    return one({"Events": [fields]})


def test_standard_event():
    """Every field of a record by the book; MessageSeverity is preferred to Severity."""
    assert one(STANDARD) == Record(
        category=Category.ALERT,
        type="NetworkDevice.CableRemoved",
        level=Level.WARN,
        state=State.COMPLETED,
        origin=Origin.LIVE,
        resource_type="EthernetInterface",
        resource_id="/redfish/v1/Systems/1/EthernetInterfaces/1",
        message="A cable has been removed from network adapter 1 port 1.",
        message_id="NetworkDevice.1.0.3.CableRemoved",
        message_args=("1", "1"),
        severity="Warning",
        event_id="4594",
        context="WebUser3",
        time="2026-11-22T02:54:34+00:00",
        start_id=None,
        record=STANDARD["Events"][0],
    )


@pytest.mark.parametrize(
    ("fields", "category"),
    [
        ({"MessageId": "TaskEvent.1.0.3.TaskAborted", "Severity": "Critical"}, Category.ASYNC_JOB),
        ({"MessageId": "ResourceEvent.1.3.0.ResourceErrorsDetected", "Severity": "Critical"}, Category.RESOURCE_STATE),
        ({"MessageId": "iDRAC.2.8.PSU0001", "MessageSeverity": "Critical"}, Category.ALERT),
        ({"MessageId": "iLOEvents.2.1.PowerOn", "Severity": "OK", "EventType": "Alert"}, Category.RESOURCE_STATE),
        ({"EventType": "Alert"}, Category.ALERT),
        ({"EventType": "StatusChange"}, Category.RESOURCE_STATE),
        ({"MessageId": "HeartbeatEvent.1.1.RedfishServiceFunctional"}, Category.RESOURCE_STATE),
        ({}, Category.RESOURCE_STATE),
    ],
)
def test_category_precedence(fields, category):
    """One record has one category, by the table at the head of the module."""
    assert event(**fields).category is category


@pytest.mark.parametrize(
    ("severity", "level"),
    [
        ("OK", "INFO"),
        ("Warning", "WARN"),
        ("Critical", "ERROR"),
        ("critical", "ERROR"),
        ("Informational", "INFO"),
        (None, "INFO"),
        ("Fatal", "ERROR"),
        (7, "INFO"),
    ],
)
def test_level(severity, level):
    assert event(MessageSeverity=severity).level == level


@pytest.mark.parametrize(
    ("message_id", "type_"),
    [
        ("ResourceEvent.1.0.ResourceCreated", "ResourceEvent.ResourceCreated"),
        ("OpenBMC.0.1.0.PowerButtonPressed", "OpenBMC.PowerButtonPressed"),
        ("ResourceEvent.ResourceCreated", "ResourceEvent.ResourceCreated"),
        ("CPU0002", "CPU0002"),
        ("", "Event.Alert"),
        ("...", "Event.Alert"),
        (None, "Event.Alert"),
        (17, "17"),
    ],
)
def test_type_has_no_version(message_id, type_):
    assert event(MessageId=message_id, EventType="Alert").type == type_


@pytest.mark.parametrize(
    ("origin", "resource_type", "resource_id"),
    [
        ("/redfish/v1/Systems/system", "ComputerSystem", "/redfish/v1/Systems/system"),
        ({"@odata.id": "/redfish/v1/Chassis/1/"}, "Chassis", "/redfish/v1/Chassis/1"),
        ({"@odata.id": "/redfish/v1/X/1", "@odata.type": "#Chassis.v1_2_0.Chassis"}, "Chassis", "/redfish/v1/X/1"),
        ("https://bmc/redfish/v1/Managers/bmc", "Manager", "/redfish/v1/Managers/bmc"),
        ("/redfish/v1/Chassis/1/Thermal#/Fans/0", "Fan", "/redfish/v1/Chassis/1/Thermal#/Fans/0"),
        (
            "/redfish/v1/Chassis/1/PowerSubsystem/PowerSupplies/a.b",
            "PowerSupply",
            "/redfish/v1/Chassis/1/PowerSubsystem/PowerSupplies/a.b",
        ),
        (
            "/redfish/v1/Managers/1/LogServices/SEL/Entries/5",
            "LogEntry",
            "/redfish/v1/Managers/1/LogServices/SEL/Entries/5",
        ),
        ("/redfish/v1/Systems/1/Bios", "Bios", "/redfish/v1/Systems/1/Bios"),
        ("/redfish/v1/Managers/1/NetworkProtocol", "ManagerNetworkProtocol", "/redfish/v1/Managers/1/NetworkProtocol"),
        ("/redfish/v1/Systems", "ComputerSystemCollection", "/redfish/v1/Systems"),
        ("/redfish/v1/Systems/1/Storage/0/Drives/3", "Drive", "/redfish/v1/Systems/1/Storage/0/Drives/3"),
        ("/redfish/v1/", "ServiceRoot", "/redfish/v1"),
        (["/redfish/v1/Systems/1"], "ComputerSystem", "/redfish/v1/Systems/1"),
        ({}, None, None),
        (5, None, None),
        ("", None, None),
        ("http://[", None, None),
        (None, None, None),
    ],
)
def test_origin_of_condition(origin, resource_type, resource_id):
    """A string, an object, an expanded object; with and without a trailing slash; nonsense is no resource."""
    found = event(OriginOfCondition=origin)
    assert (found.resource_type, found.resource_id) == (resource_type, resource_id)


@pytest.mark.parametrize(
    ("message_id", "state"),
    [
        ("TaskStarted", State.STARTED),
        ("TaskProgressChanged", State.STARTED),
        ("TaskCompletedOK", State.COMPLETED),
        ("TaskAborted", State.COMPLETED),
        ("TaskRemoved", State.COMPLETED),
    ],
)
def test_task_events_are_jobs(message_id, state):
    """The start id is the Task, so that all events of one Task are found by it."""
    found = event(
        MessageId=f"TaskEvent.1.0.{message_id}",
        MessageArgs=["545"],
        OriginOfCondition={"@odata.id": "/redfish/v1/TaskService/Tasks/545/Monitor"},
    )
    assert (found.state, found.start_id) == (state, "/redfish/v1/TaskService/Tasks/545")


def test_task_event_without_origin_uses_its_argument():
    assert event(MessageId="TaskEvent.1.0.TaskStarted", MessageArgs=["545"]).start_id == "545"


def test_bmcweb_record():
    """bmcweb: integer ids, OriginOfCondition as a string, Context inside of the record only."""
    found = one({"Id": 7, "Events": [{"EventId": 3, "Context": "rf", "OriginOfCondition": "/redfish/v1/Systems/s"}]})
    assert (found.event_id, found.context, found.resource_type) == ("3", "rf", "ComputerSystem")


def test_context_of_the_envelope_wins():
    assert one({"Context": "outer", "Events": [{"Context": "inner"}]}).context == "outer"


def test_alerts_array_and_order():
    found = normalise(json.dumps({"Alerts": [{"EventId": str(n)} for n in range(5)]}).encode())
    assert [record.event_id for record in found.records] == ["0", "1", "2", "3", "4"]


REPORT = "/redfish/v1/TelemetryService/MetricReports/Power"


def test_metric_report():
    found = one(
        {
            "@odata.type": "#MetricReport.v1_4_2.MetricReport",
            "@odata.id": REPORT,
            "Id": "Power",
            "Name": "Power report",
            "ReportSequence": "127",
            "Timestamp": "2026-11-22T00:00:00Z",
            "MetricReportDefinition": {
                "@odata.id": "/redfish/v1/TelemetryService/MetricReportDefinitions/PlatformPower"
            },
            "MetricValues": [{"MetricId": "AverageConsumedWatts", "MetricValue": "100"}] * 3,
        }
    )
    assert (found.category, found.type, found.event_id) == (Category.USAGE, "MetricReport.PlatformPower", "127")
    assert (found.resource_type, found.resource_id) == ("MetricReport", REPORT)


@pytest.mark.parametrize(
    "fields",
    [
        {"EventId": "redfleet-test-1f"},
        {"Message": "x redfleet-test-1f y"},
        {"MessageArgs": ["a", "redfleet-test-1f"]},
        {"MessageId": "ResourceEvent.1.3.TestMessage"},
    ],
)
def test_test_events_are_marked(fields):
    assert event(**fields).origin is Origin.TEST


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (codecs.BOM_UTF8 + b'{"Events":[{"Message":"m\xc3\xbcde"}]}', "müde"),
        ('{"Events":[{"Message":"müde"}]}'.encode("latin-1"), "müde"),
        ('{"Events":[{"Message":"müde"}]}'.encode("utf-16"), "müde"),
        (b'{"Events":[{"Message":"a\\ud800b\\u0000"}]}', "a\ufffdb\ufffd"),
        (b'{"Events":[{"Message":{"a":[1,NaN]}}]}', '{"a": [1, NaN]}'),
        (b'{"Events":{"Message":"one object"}}', "one object"),
        (b'{"Message":"no envelope","MessageId":"A.1.0.B"}', "no envelope"),
        (b'[{"Message":"a list"}]', "a list"),
        (b'{"Events":["text"]}', "text"),
    ],
)
def test_odd_bodies(body, message):
    assert one(body).message == message


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"Events":[', b"5", b"null", b"true", b"[" * 99999, b"\xff"])
def test_no_records(body):
    """What is no Redfish payload says why, so that quarantine can show it."""
    found = normalise(body)
    assert found.records == ()
    assert found.problem


def test_an_event_without_records_is_kept():
    assert one({"@odata.type": "#Event.v1_7_0.Event", "Events": []}).type == "Event.Event"


def test_record_is_json_again():
    """NaN is no JSON: the record carries it as text; the raw payload keeps what was sent."""
    found = one(b'{"Events":[{"Oem":{"X":NaN,"Y":[-Infinity,1e999]}}]}')
    assert found.record == {"Oem": {"X": "nan", "Y": ["-inf", "inf"]}}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(max_size=5)
            | st.sampled_from(
                [
                    "Events",
                    "Alerts",
                    "MessageId",
                    "MessageArgs",
                    "OriginOfCondition",
                    "@odata.id",
                    "@odata.type",
                    "Context",
                    "EventId",
                    "Severity",
                    "Links",
                    "MetricValues",
                    "MetricReportDefinition",
                    "Message",
                    "EventType",
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=30,
)


@given(st.binary(max_size=200))
def test_any_bytes(body):
    """Total: no body raises, and each has records or the reason why not."""
    found = normalise(body)
    assert bool(found.records) != bool(found.problem)


@given(JSON)
def test_any_json(document):
    """Total: no document raises; every text can be stored as UTF-8; every record is strict JSON."""
    found = normalise(json.dumps(document).encode())
    assert bool(found.records) != bool(found.problem)
    for record in found.records:
        for field in ("type", "message", "message_id", "context", "resource_id", "start_id", "time", "event_id"):
            if (value := getattr(record, field)) is not None:
                assert "\x00" not in value
                value.encode()
        json.dumps(record.record, allow_nan=False, ensure_ascii=False).encode()


@given(st.text(), st.integers(1, 50))
def test_storable_keeps_what_is_fine(text, limit):
    stored = decode.storable(text, limit)
    assert len(stored) <= limit
    if "\x00" not in text:
        assert stored == text[:limit]
