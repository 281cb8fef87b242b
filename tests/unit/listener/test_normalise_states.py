# SPDX-License-Identifier: GPL-3.0-or-later
"""What an event says about a resource's state: the table of docs/event-log.md, line by line."""

import pytest
from event_listener.event import Observation
from event_listener.normalise.redfish import records
from hypothesis import given
from hypothesis import strategies as st

SYSTEM = {"@odata.id": "/redfish/v1/Systems/1"}
EXPANDED = {**SYSTEM, "PowerState": "Off", "Status": {"Health": "Warning", "State": "Enabled"}}


def record(**fields):
    (found,) = records({"Events": [{"OriginOfCondition": SYSTEM, **fields}]}).records
    return found


def observed(**fields):
    return [(item.aspect, item.value) for item in record(**fields).observed]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"MessageId": "ResourceEvent.1.3.0.ResourceStatusChangedCritical", "MessageArgs": ["System", "Critical"]},
            [("health", "Critical")],
        ),
        ({"MessageId": "ResourceEvent.1.3.ResourceStatusChangedOK"}, [("health", "OK")]),
        ({"MessageId": "ResourceEvent.1.0.ResourceStatusChangedWarning"}, [("health", "Warning")]),
        (
            {"MessageId": "ResourceEvent.1.3.0.ResourceStateChanged", "MessageArgs": ["System", "StandbyOffline"]},
            [("state", "StandbyOffline")],
        ),
        ({"MessageId": "ResourceEvent.1.3.0.ResourceStateChanged"}, []),  # it doesn't say which
        ({"MessageId": "ResourceEvent.1.3.0.ResourcePoweredOn", "MessageArgs": ["System"]}, [("power", "On")]),
        ({"MessageId": "ResourceEvent.1.3.0.ResourcePoweredOff"}, [("power", "Off")]),
        ({"MessageId": "ResourceEvent.1.3.0.ResourcePoweringOn"}, [("power", "PoweringOn")]),
        ({"MessageId": "ResourceEvent.1.3.0.ResourcePoweringOff"}, [("power", "PoweringOff")]),
        ({"MessageId": "ResourceEvent.1.3.0.ResourcePaused"}, [("power", "Paused")]),
        ({"MessageId": "ResourceEvent.1.3.0.ResourceRemoved"}, [("", None)]),
        ({"MessageId": "iLOEvents.3.6.ServerPoweredOff", "Severity": "Warning"}, [("power", "Off")]),
        ({"MessageId": "iLOEvents.3.6.ServerPoweredOn"}, [("power", "On")]),
        ({"MessageId": "SMC.1.0.SystemPowerOn"}, [("power", "On")]),
        ({"EventType": "StatusChange", "Severity": "Critical", "MessageId": "X.1.0.Y"}, [("health", "Critical")]),
        ({"EventType": "StatusChange", "Severity": "odd"}, []),
        ({"EventType": "Alert", "Severity": "Critical"}, []),  # an alert may be about anything
        ({"MessageId": "ResourceEvent.1.3.0.ResourceChanged", "Severity": "OK"}, []),
        (
            {"MessageId": "ResourceEvent.1.3.0.ResourceChanged", "OriginOfCondition": EXPANDED},
            [("power", "Off"), ("health", "Warning"), ("state", "Enabled")],
        ),
        (  # what the message is about comes first, and is right
            {"MessageId": "ResourceEvent.1.3.0.ResourceStatusChangedOK", "OriginOfCondition": EXPANDED},
            [("health", "OK"), ("power", "Off"), ("state", "Enabled")],
        ),
        (
            {"OriginOfCondition": {**SYSTEM, "PowerState": None, "Status": [], "Health": 3}},
            [],
        ),
        ({"OriginOfCondition": {**SYSTEM, "PowerState": "x" * 65, "Status": {"Health": "Fine"}}}, []),
    ],
)
def test_rules(fields, expected):
    assert observed(**fields) == expected


def test_the_first_observation_is_the_events():
    found = record(MessageId="ResourceEvent.1.3.0.ResourcePoweredOn", OriginOfCondition=EXPANDED)
    assert (found.state_of, found.old_state, found.new_state) == ("power", None, "On")


def test_without_an_origin_the_first_argument_is_the_resource():
    fields = {"MessageId": "ResourceEvent.1.3.0.ResourcePoweredOn", "MessageArgs": ["/redfish/v1/Systems/1/"]}
    found = record(OriginOfCondition=None, **fields)
    assert (found.resource_id, found.resource_type, found.new_state) == (SYSTEM["@odata.id"], "ComputerSystem", "On")
    assert record(OriginOfCondition=None, MessageId=fields["MessageId"], MessageArgs=["System 1"]).observed == ()


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.dictionaries(st.text(), x)))
def test_an_origin_of_any_shape_does_no_harm(value):
    origin = {**SYSTEM, "PowerState": value, "Status": value}
    assert all(isinstance(item, Observation) for item in record(OriginOfCondition=origin).observed)
