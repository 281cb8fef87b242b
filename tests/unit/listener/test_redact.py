# SPDX-License-Identifier: GPL-3.0-or-later
"""What is published holds no secret, on no sink and in no form; what holds none is published as it is."""

import json

import pytest
from event_listener import cloudevents, path_secret
from event_listener.event import Category, Event, as_json
from event_listener.redact import MARK, NAMES, published
from event_listener.settings_bus import SyslogSink
from event_listener.sinks.bodies import body_of
from event_listener.sinks.syslog_format import message
from hypothesis import given
from hypothesis import strategies as st

SECRET = "Zx9-Very.Secret_Value"
PATH = path_secret.generate()
JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.dictionaries(st.text(), x))


def event(**fields):
    given = {"seq": 1, "id": "j-1-0", "source": "b", "address": "192.0.2.1", "received_ns": 1, "payload_id": 1,
             "type": "A.B", "record": {}, **fields}  # fmt: skip
    return Event(**given)


LEAKS = [
    {"record": {"OriginOfCondition": {"Destination": f"https://l/events/bmc1/{PATH}", "Password": SECRET}}},
    {"record": {"Oem": {"Contoso": [{"X-Auth-Token": SECRET}, {"sessionkey": SECRET}]}}},
    {"record": {"cmdInfo": f'{{"sessionkey":"x"}} ?sessionkey={SECRET}&id=7'}},  # as CloudStack's job dumps
    {"record": {"HttpHeaders": [{"Authorization": f"Basic {SECRET}"}]}},
    {"message": f"Login with Bearer {SECRET} failed", "record": {"Message": f"authorization: Bearer {SECRET}"}},
    {"message_args": (f"https://admin:{SECRET}@bmc1/redfish", "x")},
    {"context": f"token={SECRET}"},
    {"record": {"SNMP": {"AuthenticationKey": SECRET, "EncryptionKey": SECRET, "AuthenticationProtocol": "HMAC"}}},
]


def everything_published(one):
    """The bodies of all sinks beyond this host, in all their forms."""
    found = [body_of(kind, one) for kind in ("cloudevents", "cloudevents-binary", "cloudstack", "record")]
    texts = [body.data.decode() + json.dumps(body.attributes) for body in found]
    texts.append(json.dumps(cloudevents.encode(one)))  # http
    forms = [SyslogSink(name="s", host="h", body=form) for form in ("text", "json", "cloudevents")]
    return texts + [message(settings, one).decode() for settings in forms]


@pytest.mark.parametrize("fields", LEAKS)
@pytest.mark.parametrize("category", list(Category))
def test_no_body_of_any_sink_has_the_secret(fields, category):
    leaking = event(category=category, **fields)
    assert any(SECRET in text or PATH in text for text in everything_published(leaking))
    for text in everything_published(published(leaking)):
        assert SECRET not in text
        assert PATH not in text
    assert MARK in json.dumps(as_json(published(leaking)))


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_name_on_the_list_is_taken_out_whatever_its_value(name):
    for value in (SECRET, [SECRET], {"a": SECRET}, 12345):
        assert published(event(record={"x": [{name.upper(): value}]})).record == {"x": [{name.upper(): MARK}]}


@pytest.mark.parametrize(
    "record",
    [
        {"Password": None, "HttpHeaders": [], "Token": "", "PasswordChangeRequired": True},
        {"TokenService": {"@odata.id": "/redfish/v1/x"}, "Message": "1+1=2, see https://host/path?id=3"},
        {"Message": "Basic configuration is done", "MessageArgs": ["user@host", "secret-short", 7, None]},
    ],
)
def test_what_holds_no_secret_is_the_same_object(record):
    one = event(record=record, message="a = b", context="https://host/x")
    assert published(one) is one


@given(JSON)
def test_any_record_comes_out_as_json_of_its_shape(record):
    cleaned = published(event(record=record)).record
    assert type(cleaned) is type(record)
    assert json.dumps(cleaned)
