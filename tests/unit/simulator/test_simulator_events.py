# SPDX-License-Identifier: GPL-3.0-or-later
"""What a BMC sends, in each vendor's shape, and to whom."""

from __future__ import annotations

import json
import random

import pytest
from redfish_simulator import catalogue
from redfish_simulator.payload import event, heartbeat
from redfish_simulator.personalities import PERSONALITIES
from redfish_simulator.records import Record, wants
from redfish_simulator.subscription import Subscription


def record(**fields):
    values = {
        "message_id": "ResourceEvent.1.4.ResourceChanged",
        "severity": "Warning",
        "event_type": "Alert",
        "origin": "/redfish/v1/Chassis/1/Fans/3",
        "resource_type": "Fan",
        "timestamp": "2026-11-22T01:02:03Z",
    }
    return Record(**(values | fields))


def subscription(**properties):
    return Subscription("1", {"Destination": "https://h/", "EventFormatType": "Event", **properties})


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({}, True),
        ({"RegistryPrefixes": ["ResourceEvent"]}, True),
        ({"RegistryPrefixes": ["TaskEvent"]}, False),
        ({"MessageIds": ["ResourceEvent.ResourceChanged"]}, True),
        ({"MessageIds": ["ResourceEvent.ResourceCreated"]}, False),
        ({"RegistryPrefixes": ["TaskEvent"], "MessageIds": ["ResourceEvent.ResourceChanged"]}, True),
        ({"ResourceTypes": ["Fan"]}, True),
        ({"ResourceTypes": ["Drive"]}, False),
        ({"Severities": ["Critical"]}, False),
        ({"EventTypes": ["StatusChange"]}, False),
        ({"ExcludeRegistryPrefixes": ["ResourceEvent"]}, False),
        ({"ExcludeMessageIds": ["ResourceEvent.ResourceChanged"]}, False),
        ({"OriginResources": [{"@odata.id": "/redfish/v1/Chassis/1/Fans/3"}]}, True),
        ({"OriginResources": [{"@odata.id": "/redfish/v1/Chassis/1"}]}, False),
        ({"OriginResources": [{"@odata.id": "/redfish/v1/Chassis/1"}], "SubordinateResources": True}, True),
        ({"EventFormatType": "MetricReport"}, False),
    ],
)
def test_the_standards_filters(filters, wanted):
    assert wants(PERSONALITIES["plain"], subscription(**filters), record()) is wanted


def test_bmcweb_filters_silence_what_one_would_expect():
    """Bare MessageIds match nothing; ResourceTypes and OriginResources silence log events; test events reach all."""
    openbmc = PERSONALITIES["openbmc"]
    log = record(message_id="OpenBMC.0.5.FanInserted", origin="", resource_type="Fan")
    assert wants(openbmc, subscription(), log)
    assert not wants(openbmc, subscription(MessageIds=["FanInserted"]), log)
    assert not wants(openbmc, subscription(ResourceTypes=["Task"]), log)
    assert not wants(openbmc, subscription(OriginResources=[{"@odata.id": "/redfish/v1"}]), log)
    assert wants(openbmc, subscription(MessageIds=["FanInserted"]), record(test=True))


def shape(personality, context="ctx", **fields):
    return event(PERSONALITIES[personality], [record(**fields)], 7, context)


def test_the_standards_shape():
    body = shape("plain", event_id="42")
    assert (body["Id"], body["Context"], body["Events@odata.count"]) == ("7", "ctx", 1)
    sent = body["Events"][0]
    assert (sent["EventId"], sent["MemberId"]) == ("42", "0")
    assert sent["OriginOfCondition"] == {"@odata.id": "/redfish/v1/Chassis/1/Fans/3"}


def test_bmcweb_sends_numbers_strings_and_context_in_records():
    body = shape("openbmc")
    assert body["Id"] == 7
    assert "Context" not in body
    sent = body["Events"][0]
    assert sent["Context"] == "ctx"
    assert isinstance(sent["EventId"], int)
    assert sent["OriginOfCondition"] == "/redfish/v1/Chassis/1/Fans/3"
    assert "Context" not in json.dumps(shape("openbmc", test=True))


def test_bmcweb_heartbeats_are_bare():
    body = heartbeat(
        PERSONALITIES["openbmc"], catalogue.heartbeat(), 3, "ctx", "/redfish/v1/EventService/Subscriptions/9"
    )
    assert "Id" not in body
    assert "Context" not in json.dumps(body)
    assert body["Events"][0]["OriginOfCondition"] == {"@odata.id": "/redfish/v1/EventService/Subscriptions/9"}


def test_some_send_alerts():
    body = shape("plain-alerts-array")
    assert "Events" not in body
    assert len(body["Alerts"]) == 1


def test_extra_properties_go_out_as_they_are():
    given = {"MessageId": "X.1.0.Y", "OriginOfCondition": {"@odata.id": "/redfish/v1/x"}, "Oem": {"Contoso": {"a": 1}}}
    sent = event(PERSONALITIES["plain"], [Record.from_json(given)], 1, "")["Events"][0]
    assert (sent["Oem"], sent["OriginOfCondition"]) == ({"Contoso": {"a": 1}}, {"@odata.id": "/redfish/v1/x"})


@pytest.mark.parametrize("kind", ["ResourceEvent", "TaskEvent", "Alert"])
@pytest.mark.parametrize("personality", PERSONALITIES)
def test_catalogue_texts_have_all_their_arguments(desk, personality, kind):
    bmc = desk(personality).bmc
    for seed in range(20):
        made = catalogue.RECORDS[kind](bmc, random.Random(seed))
        assert "%" not in made.message
        assert made.message_id.count(".") == 3


def test_what_happens_is_in_the_log(desk):
    """LogServices hold what was sent, so that it can be read by those who missed it."""
    bmc = desk("idrac9")
    assert catalogue.emit(bmc.bmc, "Alert", 5, 2, random.Random(1)) == 0
    path = "/redfish/v1/Managers/iDRAC.Embedded.1/LogServices/Lclog/Entries"
    entries = bmc("GET", path).body
    assert [entry["Id"] for entry in entries["Members"]] == ["5", "4", "3", "2", "1"]
    assert bmc("GET", path, query={"$skip": "3", "$top": "1"}).body["Members"][0]["Id"] == "2"
    assert bmc("GET", f"{path}/2").body["MessageId"].startswith("IDRAC.2.9.")


@pytest.mark.parametrize("wrong", [("Alarm", 1, 1), ("Alert", 0, 1), ("Alert", 1, 0)])
def test_nonsense_is_refused(desk, wrong):
    with pytest.raises(ValueError, match=r"kind|count"):
        catalogue.emit(desk("plain").bmc, *wrong, random.Random(1))


TEST_EVENT = "/redfish/v1/EventService/Actions/EventService.SubmitTestEvent"


def test_test_events_are_shaped_by_vendor(desk, refusal):
    """plain needs MessageId, Dell its five parameters and a Destination that is subscribed."""
    plain = desk("plain")
    assert refusal(plain("POST", TEST_EVENT, {})) == ["ActionParameterMissing"]
    assert plain("POST", TEST_EVENT, {"MessageId": "ResourceEvent.1.4.TestMessage"}).status == 204
    assert refusal(plain("POST", TEST_EVENT, {"MessageId": "A.1.0.B", "Colour": "red"})) == ["ActionParameterUnknown"]
    dell = desk("idrac9")
    body = {"EventTypes": "Alert", "Context": "x", "Protocol": "Redfish", "MessageId": "TMP0118"}
    assert refusal(dell("POST", TEST_EVENT, body)) == ["ActionParameterMissing"]
    assert dell("POST", TEST_EVENT, body | {"Destination": "https://nobody/"}).status == 400
    assert refusal(dell("POST", TEST_EVENT, body | {"Destination": "https://x/", "MessageId": "A.1.0.B"})) == [
        "ActionParameterValueNotInList"
    ]


def test_ami_limits_the_rate_of_test_events(desk):
    ami = desk("ami")
    body = {"MessageId": "ResourceEvent.1.4.TestMessage"}
    assert ami("POST", TEST_EVENT, body).status == 202
    again = ami("POST", TEST_EVENT, body)
    assert (again.status, again.headers["Retry-After"]) == (503, "5")


def test_action_info_names_what_is_required(desk):
    info = desk("plain")("GET", "/redfish/v1/EventService/SubmitTestEventActionInfo").body
    assert [each["Name"] for each in info["Parameters"] if each["Required"]] == ["MessageId"]
