# SPDX-License-Identifier: GPL-3.0-or-later
"""What a personality accepts in a POST, without a server."""

from __future__ import annotations

import pytest
from redfish_simulator.answer import RedfishProblem
from redfish_simulator.personalities import PERSONALITIES
from redfish_simulator.rules import accepted, rewrite_destination

GOOD = {"Destination": "https://listener.example/events/bmc001", "Protocol": "Redfish"}


def refusals(personality, **properties):
    with pytest.raises(RedfishProblem) as caught:
        accepted(PERSONALITIES[personality], GOOD | properties)
    assert caught.value.status == 400
    return {(entry["MessageId"].rpartition(".")[2], entry["RelatedProperties"][0][2:]) for entry in caught.value.infos}


def test_openbmc_knows_only_some_properties():
    """bmcweb answers PropertyUnknown for what its readJson doesn't name."""
    assert refusals("openbmc", EventTypes=["Alert"]) == {("PropertyUnknown", "EventTypes")}


def test_openbmc_refuses_message_ids_beside_registry_prefixes():
    assert refusals("openbmc", MessageIds=["TaskStarted"], RegistryPrefixes=["TaskEvent"]) == {
        ("PropertyValueConflict", "MessageIds")
    }


@pytest.mark.parametrize("name", ["openbmc", "plain"])
def test_wrong_types_are_refused_without_repeating_headers(name):
    with pytest.raises(RedfishProblem) as caught:
        accepted(PERSONALITIES[name], GOOD | {"HttpHeaders": "Authorization: Basic c2VjcmV0"})
    assert "c2VjcmV0" not in str(caught.value.infos)


def test_plain_fills_in_the_standards_defaults():
    properties = accepted(PERSONALITIES["plain"], dict(GOOD))
    assert properties["SubscriptionType"] == "RedfishEvent"
    assert properties["EventFormatType"] == "Event"
    assert properties["Destination"] == GOOD["Destination"]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("https://Listener.Example", "https://listener.example:443/"),
        ("HTTP://h/x?a=1", "http://h:80/x?a=1"),
        ("https://[FD00::1]:8443/e", "https://[fd00::1]:8443/e"),
    ],
)
def test_destination_is_rewritten_as_bmcweb_does(sent, kept):
    assert rewrite_destination(sent) == kept
