# SPDX-License-Identifier: GPL-3.0-or-later
"""Any order of present, absent and changed declarations, on any state of any simulated BMC, by property.

Without Ansible around it, so that hundreds of steps take seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redfish_simulator.client import BmcHandle, Fleet

from tests.integration.fleet_step import MINE, reconcile

OLD, THEIRS = "https://127.0.0.1:9/retired", "https://192.0.2.9/theirs"
# Every way of writing: POST and PATCH, no PATCH, slots, ETags of all kinds, pages, one subscription per destination.
VENDORS = (
    "openbmc",
    "idrac9",
    "ilo5",
    "xcc2",
    "ami",
    "supermicro",
    "huawei",
    "plain",
    "plain-no-patch",
    "plain-paged",
    "plain-unquoted-etag",
    "plain-conflict",
    "plain-no-location",
    "plain-202",
)

declarations = st.fixed_dictionaries(
    {"state": st.sampled_from(["present", "present", "absent"])},
    optional={
        "context": st.sampled_from(["one", "two"]),
        "delivery_retry_policy": st.sampled_from(["RetryForever", "TerminateAfterRetries"]),
        "registry_prefixes": st.sampled_from([["Base"], ["Base", "TaskEvent"]]),
        "retired_destinations": st.just([OLD]),
        "event_format_type": st.sampled_from(["Event"]),
    },
)
# What a BMC holds before we come: others' subscriptions, ours of an earlier life, surplus ones, retired ones.
members = st.lists(
    st.builds(
        lambda destination, context: {
            "Destination": destination,
            "Context": context,
            "Protocol": "Redfish",
            "SubscriptionType": "RedfishEvent",
            "EventFormatType": "Event",
            "EventTypes": ["Alert"],
        },
        st.sampled_from([MINE, OLD, THEIRS]),
        st.sampled_from(["one", "three"]),
    ),
    max_size=3,
)
bounded = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,  # the same examples on every machine
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def bmcs(fleet: Callable[..., Fleet]) -> Iterator[dict[str, BmcHandle]]:
    with fleet(mix=dict.fromkeys(VENDORS, 1), time_scale=0.01, network="127.63.0.0/16") as running:
        yield {bmc.vendor: bmc for bmc in running.bmcs}


def held(bmc: BmcHandle, destination: str) -> list[dict[str, Any]]:
    return [each for each in bmc.subscriptions() if str(each.get("Destination")).rstrip("/") == destination]


@bounded
@given(vendor=st.sampled_from(VENDORS), before=members, order=st.lists(declarations, min_size=1, max_size=3))
def test_any_order_on_any_state_converges(bmcs: dict[str, BmcHandle], vendor: str, before: list, order: list):
    """Check mode tells the truth, one run converges, the next changes nothing; what is not ours stays as it is."""
    bmc = bmcs[vendor]
    bmc.seed_subscriptions(*before)
    foreign = held(bmc, THEIRS)
    for declared in order:
        announced = reconcile(bmc, check_mode=True, **declared)
        first = reconcile(bmc, **declared)
        # A BMC that ignores what it is told may need a try to show that nothing changes.
        assert announced["changed"] or not first["changed"], (announced, first)
        again = reconcile(bmc, **declared)
        assert (again["changed"], again["action"]) == (False, "none"), again
        assert len(held(bmc, MINE)) == (declared["state"] == "present")
        if declared.get("retired_destinations"):
            assert held(bmc, OLD) == []
        assert held(bmc, THEIRS) == foreign
    assert bmc.sessions() == []


@bounded
@given(
    vendor=st.sampled_from(VENDORS),
    before=members.map(lambda found: [each for each in found if each["Destination"] != MINE]),
    declared=declarations.map(lambda one: {key: item for key, item in one.items() if key != "retired_destinations"}),
)
def test_unsubscribing_leaves_exactly_what_was_there(bmcs: dict, vendor: str, before: list, declared: dict):
    """Subscribed and unsubscribed, a BMC holds what it held before, property for property."""
    bmc = bmcs[vendor]
    bmc.seed_subscriptions(*before)
    found = bmc.subscriptions()
    reconcile(bmc, **{**declared, "state": "present"})
    reconcile(bmc, **{**declared, "state": "absent"})
    assert bmc.subscriptions() == found
