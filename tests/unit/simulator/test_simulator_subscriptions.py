# SPDX-License-Identifier: GPL-3.0-or-later
"""Subscribing, vendor by vendor: each habit of the quirk list shows."""

from __future__ import annotations

import pytest

HERE = "https://listener.example/events/bmc001"


@pytest.mark.parametrize(
    ("personality", "status", "location"),
    [
        ("plain", 201, "/redfish/v1/EventService/Subscriptions/1"),
        ("plain-absolute-location", 201, "https://127.20.0.1:8443/redfish/v1/EventService/Subscriptions/1"),
        ("plain-no-location", 201, None),
        ("plain-204", 204, "/redfish/v1/EventService/Subscriptions/1"),
        ("plain-200", 200, "/redfish/v1/EventService/Subscriptions/1"),
        ("plain-202", 202, None),
    ],
)
def test_create_answers(desk, personality, status, location):
    """DSP0266 wants 201 and Location; BMCs answer 200, 202 and 204 too, with any Location or none."""
    bmc = desk(personality)
    answer = bmc.subscribe()
    assert answer.status == status
    assert answer.headers.get("Location") == location
    assert len(bmc.bmc.subscriptions) == 1


def test_created_bodies(desk):
    """HPE sends an error object, AMI the collection's URI, Dell the subscription, bmcweb messages, some nothing."""
    ilo = desk("ilo5").subscribe()
    assert ilo.status == 201
    assert ilo.body["error"]["@Message.ExtendedInfo"][0]["MessageId"].endswith(".Created")
    ami = desk("ami").subscribe(Context="x")
    assert ami.body["@odata.id"] == "/redfish/v1/EventService/Subscriptions"
    assert ami.body["Id"] == 1
    assert desk("idrac9").subscribe().body["Destination"]
    assert desk("plain-absolute-location").subscribe().body is None
    assert desk("openbmc").subscribe().body["@Message.ExtendedInfo"][0]["MessageId"].endswith(".Created")


@pytest.mark.parametrize(
    ("personality", "status", "key"),
    [
        ("ilo5", 400, "ResourceAlreadyExists"),
        ("idrac9", 400, "PropertyValueModified"),
        ("huawei", 409, "ResourceAlreadyExists"),
    ],
)
def test_duplicates_are_refused(desk, refusal, personality, status, key):
    """A second subscription to the same place, however it is written."""
    bmc = desk(personality)
    assert bmc.subscribe(HERE).status == 201
    again = bmc.subscribe("https://LISTENER.example:443/events/bmc001")
    assert (again.status, refusal(again)) == (status, [key])


def test_openbmc_takes_duplicates_and_rewrites_destinations(desk):
    bmc = desk("openbmc")
    assert bmc.subscribe(HERE).status == 201
    assert bmc.subscribe(HERE).status == 201
    assert {each.destination for each in bmc.bmc.subscriptions.all()} == {"https://listener.example:443/events/bmc001"}


@pytest.mark.parametrize(
    ("personality", "limit", "status", "key"),
    [
        ("openbmc", 20, 503, "EventSubscriptionLimitExceeded"),
        ("xcc2", 12, 400, "CreateLimitReachedForResource"),
        ("ami", 5, 503, "EventSubscriptionLimitExceeded"),
        ("plain-limit-403", 4, 403, "EventSubscriptionLimitExceeded"),
    ],
)
def test_limits(desk, refusal, personality, limit, status, key):
    bmc = desk(personality)
    for number in range(limit):
        assert bmc.subscribe(f"{HERE}/{number}", Context="x").status == 201
    refused = bmc.subscribe(f"{HERE}/more", Context="x")
    assert (refused.status, refusal(refused)) == (status, [key])


@pytest.mark.parametrize(
    ("personality", "missing"),
    [("xcc2", "Context"), ("plain-context", "Context"), ("plain-event-types", "EventTypes"), ("xcc1", "EventTypes")],
)
def test_mandatory_properties(desk, refusal, personality, missing):
    refused = desk(personality).subscribe()
    assert (refused.status, refusal(refused)) == (400, ["PropertyMissing"])
    assert missing in str(refused.body)


def test_unknown_properties(desk, refusal):
    """bmcweb: PropertyUnknown beside the property; iLO: its own key in an error object; some drop it in silence."""
    bmcweb = desk("openbmc").subscribe(EventTypes=["Alert"])
    assert refusal(bmcweb) == ["PropertyUnknown"]
    assert "error" not in bmcweb.body
    ilo = desk("ilo5").subscribe(DeliveryRetryPolicy="RetryForever")
    assert refusal(ilo) == ["PropertyNotWritableOrUnknown"]
    silent = desk("plain-ignores-unknown")
    answer = silent.subscribe(Severities=["OK"])
    assert answer.status == 201
    assert "Severities" not in answer.body


def test_headers_are_hidden(desk):
    """HttpHeaders come back null, empty, readable or not at all; never in the answer of plain."""
    secret = [{"Authorization": "Basic c2VjcmV0"}]
    plain = desk("plain").subscribe(HttpHeaders=secret)
    assert plain.body["HttpHeaders"] is None
    ilo = desk("ilo5")
    ilo.subscribe(HttpHeaders=secret)
    assert ilo("GET", f"{ilo.subscriptions}/1").body["HttpHeaders"] == secret
    ilo4 = desk("ilo4")
    body = {"EventTypes": ["Alert"], "Context": "x"}
    assert ilo4.subscribe(HttpHeaders=secret, **body).status == 400
    assert ilo4.subscribe(HttpHeaders={"Authorization": "Basic c2VjcmV0"}, **body).status == 201
    assert ilo4.bmc.subscriptions.all()[0].http_headers == [("Authorization", "Basic c2VjcmV0")]


def test_ilo_shows_no_context_and_slashes(desk):
    bmc = desk("ilo5")
    bmc.subscribe(Context="redfleet")
    shown = bmc("GET", f"{bmc.subscriptions}/1").body
    assert shown["Context"] == ""
    assert shown["@odata.id"].endswith("/Subscriptions/1/")
    members = bmc("GET", bmc.subscriptions).body["Members"]
    assert members == [{"@odata.id": "/redfish/v1/EventService/Subscriptions/1/"}]


def test_ilo4_subscriptions_expire(desk):
    """TTLCount 999999 keeps a subscription; others end."""
    bmc = desk("ilo4")
    body = {"EventTypes": ["Alert"], "Context": "x"}
    bmc.subscribe(f"{HERE}/1", Oem={"Hp": {"TTLCount": 999999, "TTLUnits": "minutes"}}, **body)
    bmc.subscribe(f"{HERE}/2", Oem={"Hp": {"TTLCount": 0, "TTLUnits": "minutes"}}, **body)
    assert [each.destination for each in bmc.bmc.subscriptions.all()] == [f"{HERE}/1"]


def test_expand(desk):
    """Members come whole where $expand is supported, as links where it is ignored, 501 where it is refused."""
    supported, ignored, refused = desk("plain"), desk("ami"), desk("openbmc")
    for bmc in (supported, ignored, refused):
        bmc.subscribe(Context="x")
    query = {"$expand": "*($levels=1)"}
    assert "Destination" in supported("GET", supported.subscriptions, query=query).body["Members"][0]
    assert list(ignored("GET", ignored.subscriptions, query=query).body["Members"][0]) == ["@odata.id"]
    assert refused("GET", refused.subscriptions, query=query).status == 501


def test_paging_reaches_every_member_once(desk):
    bmc = desk("plain-paged")
    for number in range(5):
        bmc.subscribe(f"{HERE}/{number}")
    seen, query = [], {}
    while True:
        page = bmc("GET", bmc.subscriptions, query=query).body
        assert page["Members@odata.count"] == 5
        seen += [member["@odata.id"].rpartition("/")[2] for member in page["Members"]]
        if "Members@odata.nextLink" not in page:
            break
        query = {"$skip": page["Members@odata.nextLink"].rpartition("=")[2]}
    assert seen == ["1", "2", "3", "4", "5"]


def test_supermicro_has_slots(desk):
    """There is no POST and no DELETE; a slot is filled and emptied by PATCH."""
    bmc = desk("supermicro")
    assert bmc.subscribe().status == 405
    assert bmc("GET", bmc.subscriptions).body["Members@odata.count"] == 4
    slot = f"{bmc.subscriptions}/2"
    filled = bmc("PATCH", slot, {"Destination": HERE, "Oem": {"Supermicro": {"EnableSubscription": True}}})
    assert filled.status == 200
    assert [each["Id"] for each in bmc.bmc.inside()["subscriptions"]] == ["2"]
    assert bmc.bmc.subscriptions.get("2").enabled
    assert bmc("DELETE", slot).status == 405
    bmc("PATCH", slot, {"Destination": "", "Oem": {"Supermicro": {"EnableSubscription": False}}})
    assert bmc.bmc.inside()["subscriptions"] == []


def test_patch_knows_what_may_change(desk, refusal):
    ami = desk("ami")
    ami.subscribe(Context="old")
    path = f"{ami.subscriptions}/1"
    etag = ami("GET", path).headers["ETag"]
    assert refusal(ami("PATCH", path, {"DeliveryRetryPolicy": "RetryForever"}, ami.basic() | {"If-Match": etag})) == [
        "PropertyNotWritable"
    ]
    assert ami("PATCH", path, {"Context": "new"}, ami.basic() | {"If-Match": etag}).status == 204
    assert ami.bmc.subscriptions.get("1").get("Context") == "new"
    idrac8 = desk("plain-no-patch")
    idrac8.subscribe()
    assert idrac8("PATCH", f"{idrac8.subscriptions}/1", {"Context": "x"}).status == 400
