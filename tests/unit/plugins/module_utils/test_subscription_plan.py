# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan is pure: what is declared and what is there decide, by table and by property."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.redfleet.events.plugins.module_utils._capabilities import Capabilities, capabilities_of
from ansible_collections.redfleet.events.plugins.module_utils._declaration import PROPERTIES, Desired
from ansible_collections.redfleet.events.plugins.module_utils._subscription import (
    normal_destination,
    ours,
    plan,
    uri_of,
)
from hypothesis import given
from hypothesis import strategies as st

URL = "https://listener.example.com/events/bmc1"
NOTHING_SAID = Capabilities()


def member(number: int = 1, **properties: Any) -> dict[str, Any]:
    shown = {"Destination": URL, "Protocol": "Redfish", "EventFormatType": "Event", "SubscriptionType": "RedfishEvent"}
    return {"@odata.id": f"/redfish/v1/EventService/Subscriptions/{number}", **shown, **properties}


def desired(**properties: Any) -> Desired:
    return Desired(URL, properties=properties)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://H.example.com", "https://h.example.com:443/", True),
        ("http://h:80/x", "HTTP://H/x", True),
        ("https://h/x", "https://h/x/", False),
        ("https://h:8443/", "https://h/", False),
        ("https://[2001:DB8:0::1]/", "https://[2001:db8::1]:443/", True),
        ("https://192.0.2.1/a?b=c", "https://192.0.2.1:443/a?b=c", True),
        ("https://h/a", "http://h/a", False),
        ("https://h./", "https://h/", True),
        ("https://h:port/", "https://h:port/", True),
    ],
)
def test_destinations_are_known_in_their_normal_form(one: str, other: str, same: bool):
    """Scheme, host, default port and empty path don't distinguish, everything else does."""
    assert (normal_destination(one) == normal_destination(other)) is same


@pytest.mark.parametrize(
    ("declared", "shown", "action"),
    [
        ({}, {}, "none"),
        ({"Context": "a"}, {"Context": "a"}, "none"),
        ({"Context": "a"}, {"Context": "b"}, "patch"),
        ({"Context": "a"}, {}, "none"),
        ({"Context": "a"}, {"Context": ""}, "patch"),
        ({"Context": "a"}, {"Context": None}, "none"),
        ({"RegistryPrefixes": ["A", "B"]}, {"RegistryPrefixes": ["B", "A"]}, "none"),
        ({"RegistryPrefixes": ["A"]}, {"RegistryPrefixes": []}, "replace"),
        ({"RegistryPrefixes": []}, {"RegistryPrefixes": ["A"]}, "replace"),
        ({"RegistryPrefixes": ["A"], "Context": "a"}, {"RegistryPrefixes": ["B"], "Context": "b"}, "replace"),
        ({"OriginResources": [{"@odata.id": "/a/"}]}, {"OriginResources": [{"@odata.id": "/a"}]}, "none"),
        ({"VerifyCertificate": True}, {"VerifyCertificate": False}, "patch"),
        ({"BackupDestinations": ["x", "y"]}, {"BackupDestinations": ["y", "x"]}, "patch"),
        ({"HttpHeaders": [{"A": "b"}]}, {"HttpHeaders": []}, "none"),
        ({"Oem": {"V": {"a": 1}}}, {"Oem": {"V": {"a": 1, "b": 2}}}, "none"),
        ({"Oem": {"V": {"a": 1}}}, {"Oem": {"V": {"a": 2}}}, "patch"),
        ({}, {"Destination": "https://LISTENER.example.com:443/events/bmc1"}, "none"),
        ({}, {"Destination": "https://other/"}, "create"),
        ({}, {"Protocol": "SNMPv2c"}, "create"),
        ({}, {"SubscriptionType": "SSE"}, "create"),
        ({}, {"EventFormatType": "MetricReport"}, "create"),
        ({}, {"EventFormatType": None}, "none"),
        ({}, {"EventFormatType": None, "EventTypes": ["MetricReport"]}, "create"),
    ],
)
def test_what_one_member_makes_of_a_declaration(declared: dict[str, Any], shown: dict[str, Any], action: str):
    """Identity decides whether it is ours, differences decide between PATCH and replacement."""
    assert plan(desired(**declared), [member(**shown)], NOTHING_SAID).action == action


def test_headers_differ_only_when_the_user_says_always():
    """They can't be read back, except on services that show them."""
    always = Desired(URL, properties={"HttpHeaders": [{"A": "b"}]}, headers_always=True)
    assert plan(always, [member(HttpHeaders=None)], NOTHING_SAID).action == "patch"
    assert plan(always, [member(HttpHeaders=[{"a": "b"}])], NOTHING_SAID).action == "none"


def test_an_advertised_filter_that_is_not_shown_is_not_set():
    """Where the EventService lists registries, a subscription without RegistryPrefixes has none."""
    said = capabilities_of({"RegistryPrefixes": ["Base"]}, {})
    assert plan(desired(RegistryPrefixes=["Base"]), [member()], said).action == "replace"
    assert plan(desired(RegistryPrefixes=["Base"]), [member()], NOTHING_SAID).action == "none"


def test_a_hidden_context_is_no_drift():
    """iLO shows an empty Context whatever it is."""
    hidden = capabilities_of({}, {"Vendor": "HPE"})
    assert plan(desired(Context="a"), [member(Context="")], hidden).action == "none"
    assert plan(desired(Context="a"), [member(Context="b")], hidden).action == "patch"


def test_limits_that_the_service_says_itself():
    """Filters are refused before anything is written, comfort is left out of the payload and reported."""
    said = capabilities_of({"RegistryPrefixes": ["Base"], "IncludeOriginOfConditionSupported": False}, {})
    wanted = desired(RegistryPrefixes=["Contoso"], IncludeOriginOfCondition=True)
    decided = plan(wanted, [], said)
    assert len(decided.refused) == 1
    assert "Contoso" in decided.refused[0]
    assert decided.unsupported == ("IncludeOriginOfCondition",)
    assert "IncludeOriginOfCondition" not in decided.payload
    allowed = Desired(URL, properties=wanted.properties, policies={"registry_prefixes": "drop"})
    assert plan(allowed, [], said).refused == ()


def test_old_services_get_event_types_and_new_ones_do_not():
    """EventTypes is sent where the service knows nothing newer."""
    old = capabilities_of({"EventTypesForSubscription": ["StatusChange", "Alert"]}, {})
    new = capabilities_of({"EventTypesForSubscription": ["Alert"], "RegistryPrefixes": ["Base"]}, {})
    assert plan(desired(), [], old).payload["EventTypes"] == ["Alert"]
    assert "EventTypes" not in plan(desired(), [], new).payload


def test_the_diff_masks_secrets_of_ours_and_of_removed_ones():
    """Header values and URL credentials never reach a diff."""
    wanted = Desired("https://user:secret@h/", properties={"HttpHeaders": [{"Authorization": "secret"}]})
    decided = plan(wanted, [], NOTHING_SAID)
    surplus = plan(Desired(URL, present=False), [member(HttpHeaders=[{"Authorization": "secret"}])], NOTHING_SAID)
    assert "secret" not in str(decided.after)
    assert "secret" not in str(surplus.before)
    assert decided.payload["HttpHeaders"] == [{"Authorization": "secret"}]


# -- properties ------------------------------------------------------------------------------------------------

destinations = st.sampled_from([URL, URL.upper().replace("/EVENTS/BMC1", "/events/bmc1"), "https://other/", "", None])
members = st.lists(
    st.fixed_dictionaries(
        {"Destination": destinations},
        optional={
            "Protocol": st.sampled_from(["Redfish", "SNMPv2c"]),
            "SubscriptionType": st.sampled_from(["RedfishEvent", "SSE"]),
            "EventFormatType": st.sampled_from(["Event", "MetricReport"]),
            "Context": st.sampled_from(["a", "b", ""]),
            "RegistryPrefixes": st.lists(st.sampled_from(["A", "B"]), unique=True),
            "DeliveryRetryPolicy": st.sampled_from(["RetryForever", "SuspendRetries"]),
        },
    ),
    max_size=6,
).map(lambda shown: [{"@odata.id": f"/s/{number}", **each} for number, each in enumerate(shown)])
declarations = st.builds(
    Desired,
    destination=st.just(URL),
    properties=st.fixed_dictionaries(
        {},
        optional={
            "Context": st.sampled_from(["a", "b"]),
            "RegistryPrefixes": st.lists(st.sampled_from(["A", "B"]), unique=True),
            "DeliveryRetryPolicy": st.just("RetryForever"),
        },
    ),
    present=st.booleans(),
    adopt=st.booleans(),
    remove_duplicates=st.booleans(),
)


def applied(existing: list[dict[str, Any]], decided: Any) -> list[dict[str, Any]]:
    """What an obedient BMC holds after the plan was walked."""
    gone = {uri_of(each) for each in decided.remove}
    if decided.action == "replace":
        gone.add(uri_of(decided.member))
    left = [dict(each) for each in existing if uri_of(each) not in gone]
    if decided.action == "patch":
        left = [{**each, **decided.changes} if uri_of(each) == uri_of(decided.member) else each for each in left]
    if decided.action in ("create", "replace"):
        left.append({"@odata.id": f"/s/new{len(existing)}", **decided.payload})
    return left


@given(declarations, members)
def test_one_run_converges_and_the_next_changes_nothing(wanted: Desired, existing: list[dict[str, Any]]):
    """Applying the plan leaves nothing to plan."""
    after = applied(existing, plan(wanted, existing, NOTHING_SAID))
    assert not plan(wanted, after, NOTHING_SAID).changed
    held = [each for each in after if ours(wanted, each)]
    assert bool(held) == wanted.present
    if wanted.present and wanted.remove_duplicates:
        assert len(held) == 1


@given(declarations, members)
def test_what_is_not_ours_is_never_touched(wanted: Desired, existing: list[dict[str, Any]]):
    """Members of another identity are in no step of any plan."""
    decided = plan(wanted, existing, NOTHING_SAID)
    foreign = [each for each in existing if not ours(wanted, each)]
    assert all(each in applied(existing, decided) for each in foreign)
    assert decided.member is None or decided.member not in foreign


@given(st.lists(declarations, min_size=1, max_size=5), members)
def test_any_order_of_declarations_converges(order: list[Desired], existing: list[dict[str, Any]]):
    """Present, absent and changed in any order: each step converges from wherever the last one left off."""
    for wanted in order:
        existing = applied(existing, plan(wanted, existing, NOTHING_SAID))
        existing = [{**each, "@odata.id": f"/s/{number}"} for number, each in enumerate(existing)]
        assert not plan(wanted, existing, NOTHING_SAID).changed


@given(st.text(max_size=40))
def test_any_text_has_a_stable_normal_form(text: str):
    """Normalising is total and idempotent."""
    once = normal_destination(text)
    assert normal_destination(once) == once


def test_every_property_has_an_option_of_the_same_name():
    """`delivery_retry_policy` is DeliveryRetryPolicy: users can guess one from the other."""
    for name, known in PROPERTIES.items():
        assert known.option.replace("_", "") == name.lower()
