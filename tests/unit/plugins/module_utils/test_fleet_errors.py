# SPDX-License-Identifier: GPL-3.0-or-later
"""What a BMC answers becomes one sentence with a reason; and what to send next is decided without I/O."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.redfleet.events.plugins.module_utils._connection import local_path, normal_base
from ansible_collections.redfleet.events.plugins.module_utils._declaration import Desired, desired_from
from ansible_collections.redfleet.events.plugins.module_utils._errors import (
    Answer,
    InvalidInputError,
    error_for,
    extended_info,
    named_properties,
    page_title,
)
from ansible_collections.redfleet.events.plugins.module_utils._negotiation import amend
from ansible_collections.redfleet.events.plugins.module_utils._redact import masked, path_secrets_in
from ansible_collections.redfleet.events.plugins.module_utils._test_event import reshape, shape, values_for
from ansible_collections.redfleet.events.plugins.module_utils._tls import normal_fingerprint
from ansible_collections.redfleet.events.plugins.modules import event_destination

URL = "https://h/"


def answer(status: int, *messages: dict[str, Any], text: str = "", **headers: str) -> Answer:
    body = {"error": {"@Message.ExtendedInfo": list(messages)}} if messages else None
    return Answer("POST", "/x", "https://bmc", status, headers, text or json.dumps(body or {}), body)


def message(key: str, *args: str, **more: Any) -> dict[str, Any]:
    return {"MessageId": f"Base.1.8.{key}", "Message": f"{key} happened.", "MessageArgs": list(args), **more}


@pytest.mark.parametrize(
    ("status", "key", "reason"),
    [
        (401, "NoValidSession", "credentials"),
        (403, "InsufficientPrivilege", "forbidden"),
        (403, "PasswordChangeRequired", "credentials"),
        (404, "ResourceNotFound", "unsupported"),
        (405, "OperationNotAllowed", "unsupported"),
        (400, "EventSubscriptionLimitExceeded", "full"),
        (503, "SessionLimitExceeded", "full"),
        (503, "ServiceTemporarilyUnavailable", "bmc_error"),
        (500, "InternalError", "bmc_error"),
        (307, "x", "bmc_error"),
        (200, "Success", "unknown_state"),
    ],
)
def test_each_refusal_has_a_reason_and_advice(status: int, key: str, reason: str):
    """The message says what happened where, then what to do."""
    error = error_for(answer(status, message(key)))
    assert error.reason == reason
    assert f"POST https://bmc/x answered HTTP {status}" in str(error)
    assert key in str(error)
    assert len(str(error).split(". ")) >= 2
    assert error.as_result()["status"] == status


def test_an_html_page_is_told_by_its_title():
    """A login page says more by its title than by its markup."""
    page = Answer("GET", "/x", "https://bmc", 502, {}, "<html><TITLE>\n Bad  Gateway</title>", None)
    assert "an HTML page titled 'Bad Gateway'" in str(error_for(page))
    assert page_title("no page") == ""


def test_messages_are_found_wherever_vendors_put_them():
    """Error object, top level, property annotation, a single object, an error without extended info."""
    one = {"MessageId": "Base.1.0.X", "Message": "x"}
    bodies = [
        {"error": {"@Message.ExtendedInfo": [one]}},
        {"@Message.ExtendedInfo": [one]},
        {"Context@Message.ExtendedInfo": [one]},
        {"error": {"@Message.ExtendedInfo": one}},
        {"error": {"code": "Base.1.0.X", "message": "x"}},
    ]
    assert [[each.key for each in extended_info(body)] for body in bodies] == [["X"]] * 5
    assert extended_info({"error": "text"}) == []


def test_complaints_name_properties_in_three_ways():
    """Arguments, JSON pointers, or only the text."""
    found = extended_info(
        {
            "@Message.ExtendedInfo": [
                {"MessageId": "a", "MessageArgs": ["Severities"]},
                {"MessageId": "b", "RelatedProperties": ["#/MessageIds/0"]},
                {"MessageId": "c", "Message": "The property Context is wrong."},
                {"MessageId": "d", "Message": "Contextual"},
            ]
        }
    )
    assert named_properties(found, {"Severities", "MessageIds", "Context", "Oem"}) == {
        "Severities",
        "MessageIds",
        "Context",
    }


DECLARED = Desired(URL, properties={"DeliveryRetryPolicy": "RetryForever", "Severities": ["OK"], "Context": "c"})
BODY = {"Destination": URL, "Protocol": "Redfish", **DECLARED.properties}


def test_comfort_is_given_up_and_a_filter_is_fatal():
    """The policy of each property decides."""
    comfort = amend(BODY, answer(400, message("PropertyUnknown", "DeliveryRetryPolicy")), DECLARED)
    assert comfort is not None
    assert (comfort.dropped, comfort.fatal) == (("DeliveryRetryPolicy",), ())
    assert "DeliveryRetryPolicy" not in comfort.body
    fatal = amend(BODY, answer(400, message("PropertyUnknown", "Severities")), DECLARED)
    assert fatal is not None
    assert fatal.fatal == ("Severities",)


def test_a_context_that_is_too_long_is_the_users_mistake():
    """An unknown Context is dropped, an unusable one is an error."""
    unknown = amend(BODY, answer(400, message("PropertyUnknown", "Context")), DECLARED)
    too_long = amend(BODY, answer(400, message("StringValueTooLong", "c", "Context")), DECLARED)
    assert unknown is not None
    assert too_long is not None
    assert (unknown.fatal, too_long.fatal) == ((), ("Context",))


def test_what_a_service_insists_on_is_added_once():
    """EventTypes, Context and the like get their defaults."""
    more = amend(BODY, answer(400, message("CreateFailedMissingReqProperties", "EventTypes")), DECLARED)
    assert more is not None
    assert more.body["EventTypes"] == ["Alert"]
    assert more.dropped == ()


def test_a_refusal_without_a_name_costs_comfort_first():
    """Some BMCs answer 400 and nothing else: without comfort, then with event types, then never again."""
    bare = answer(400)
    first = amend(BODY, bare, DECLARED)
    assert first is not None
    assert set(first.dropped) == {"Context", "DeliveryRetryPolicy"}
    second = amend(first.body, bare, DECLARED)
    assert second is not None
    assert second.body["EventTypes"] == ["Alert"]
    assert amend(second.body, bare, DECLARED) is None


def test_headers_become_one_object_where_a_list_is_the_wrong_type():
    """iLO 4."""
    body = {**BODY, "HttpHeaders": [{"A": "b"}, {"C": "d"}]}
    more = amend(body, answer(400, message("PropertyValueTypeError", "x", "HttpHeaders")), DECLARED)
    assert more is not None
    assert more.body["HttpHeaders"] == {"A": "b", "C": "d"}


def test_headers_become_one_object_beside_what_the_service_does_not_know():
    """An iLO 4 that refuses two properties in one answer: one is given up, the credential is not."""
    body = {**BODY, "HttpHeaders": [{"Authorization": "Basic x"}]}
    unknown = message("PropertyNotWritableOrUnknown", "DeliveryRetryPolicy")
    more = amend(body, answer(400, unknown, message("PropertyValueTypeError", "", "HttpHeaders")), DECLARED)
    assert more is not None
    assert more.body["HttpHeaders"] == {"Authorization": "Basic x"}
    assert "DeliveryRetryPolicy" not in more.body
    assert (more.dropped, more.fatal) == (("DeliveryRetryPolicy",), ())


def test_path_secrets_are_masked_by_their_marker():
    """Wherever the listener's path stands in a text; other paths are left alone."""
    secret = "secret-" + "aZ-_9" * 9
    shown = {"Destination": f"https://proxy.example/redfish/events/bmc1/{secret}?x=1", "Context": "/secret-room"}
    assert masked(shown)["Destination"] == "https://proxy.example/redfish/events/bmc1/********?x=1"
    assert masked(shown)["Context"] == "/secret-room"
    assert path_secrets_in([shown, {"a": ("b", 1, None)}]) == {secret}


def test_secrets_are_masked_wherever_a_bmc_shows_them():
    """HttpHeaders in both shapes, SNMP keys, URL credentials; the rest stays."""
    shown = {
        "HttpHeaders": [{"Authorization": "s3cret"}],
        "SNMP": {"AuthenticationKey": "s3cret", "TrapCommunity": "s3cret", "AuthenticationProtocol": "HMAC_MD5"},
        "Destination": "https://u:s3cret@h/p",
        "BackupDestinations": ["https://u:s3cret@h/p"],
        "Context": "user@example.com",
    }
    assert "s3cret" not in str(masked(shown))
    assert masked(shown)["Context"] == "user@example.com"
    assert masked(shown)["SNMP"]["AuthenticationProtocol"] == "HMAC_MD5"
    assert "s3cret" not in str(masked({"HttpHeaders": {"Authorization": "s3cret"}}))


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ("bmc1", "https://bmc1"),
        ("bmc1:8443", "https://bmc1:8443"),
        ("2001:db8::1", "https://[2001:db8::1]"),
        ("[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
        ("https://bmc1/redfish/v1/", "https://bmc1"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
    ],
)
def test_addresses_in_all_spellings(given: str, base: str):
    """Host, host:port, IPv6 and URLs."""
    assert normal_base(given) == base


@pytest.mark.parametrize("given", ["", "https://u:p@bmc1", "ftp://bmc1", "https://bmc1/other", "bmc1:port"])
def test_addresses_that_are_none(given: str):
    """An unusable address is the user's error, and its credentials aren't repeated."""
    with pytest.raises(InvalidInputError) as caught:
        normal_base(given)
    assert "u:p" not in str(caught.value)


def test_a_bmc_cannot_send_us_to_another_host():
    """Links are followed by their path only, whatever host they name."""
    assert local_path("https://evil.example.com/redfish/v1/x?y=z") == "/redfish/v1/x?y=z"
    assert local_path("@evil.example.com/x") == "/@evil.example.com/x"
    assert local_path("//evil.example.com/x") == "/x"


def test_fingerprints_in_all_spellings():
    """With and without prefix, colons, case; anything else is an error."""
    plain = "ab" * 32
    colons = ":".join(["AB"] * 32)
    assert {normal_fingerprint(text) for text in (plain, f"sha256:{plain}", f"SHA256:{colons}")} == {plain}
    with pytest.raises(InvalidInputError):
        normal_fingerprint("sha256:abc")


def test_a_policy_for_an_unknown_option_is_an_error():
    """A typing error in on_unsupported must not go unnoticed."""
    params = {option: spec.get("default") for option, spec in event_destination.ARGUMENT_SPEC.items()}
    params.update(destination=URL, on_unsupported={"severity": "drop"})
    with pytest.raises(InvalidInputError, match="severities"):
        desired_from(params)


VALUES = values_for(
    {"message_text": None, "event_type": "Alert", "severity": "OK", "destination": URL, "context": "c"},
    "redfleet-test-1",
    "ResourceEvent.1.0.TestMessage",
    "/redfish/v1/EventService",
    "2026-01-01T00:00:00Z",
)


def test_a_test_event_follows_the_action_info():
    """Only what is listed is sent, in the declared type, and with an allowable value."""
    info = [
        {"Name": "MessageId", "Required": True, "AllowableValues": ["A.1.0.Boot", "A.1.0.TestEvent"]},
        {"Name": "MessageArgs", "DataType": "StringArray"},
        {"Name": "EventTypes", "DataType": "StringArray"},
        {"Name": "Unknown"},
    ]
    body = shape(VALUES, info, to_destination=False)
    assert body == {"MessageId": "A.1.0.TestEvent", "MessageArgs": ["redfleet-test-1"], "EventTypes": ["Alert"]}


def test_a_test_event_is_reshaped_by_what_is_refused():
    """Unknown parameters go, missing ones come, another message is tried."""
    body = {"MessageId": "x", "Severity": "OK"}
    unknown = answer(400, message("ActionParameterUnknown", "SubmitTestEvent", "Severity"))
    missing = answer(400, message("ActionParameterMissing", "SubmitTestEvent", "EventType"))
    wrong = answer(400, message("ActionParameterValueNotInList", "x", "MessageId"))
    assert reshape(body, unknown, VALUES, []) == {"MessageId": "x"}
    assert reshape(body, missing, VALUES, []) == {**body, "EventType": "Alert"}
    assert reshape(body, wrong, VALUES, ["TMP0118"]) == {**body, "MessageId": "TMP0118"}
    assert reshape(body, wrong, VALUES, []) is None
