# SPDX-License-Identifier: GPL-3.0-or-later
"""Which addresses a change affects stands in one place, and only what this listener said itself is believed."""

import msgspec
import pytest
from event_listener.event import Category, State
from event_listener.scans.addresses import KEY, affected, details, stated
from event_listener.store import open_store
from event_listener.store.own import own_arrival

from tests.unit.listener.lane_harness import fill


@pytest.fixture
def event(tmp_path):
    told = {KEY: stated(["2001:DB8::7", "192.0.2.10", "192.0.2.9", "192.0.2.10"]), "rule": {"id": "r1"}}
    one = own_arrival(
        "SecurityGroupChange", "changed", unique="u", now_ns=1, details=told, category=Category.ASYNC_JOB,
        state=State.STARTED, start_id="job-1",
    )  # fmt: skip
    with open_store(tmp_path) as store:
        store.log.add([one])
        return store.log.read_events_after(0, 10)[0]


def test_what_is_stated_is_read_again_each_address_once_and_in_order(event):
    assert affected(event) == ("192.0.2.9", "192.0.2.10", "2001:db8::7")
    assert details(event)["rule"] == {"id": "r1"}


def test_an_event_of_our_own_can_belong_to_a_job(event):
    assert (event.state, event.start_id) == (State.STARTED, "job-1")


def test_what_is_no_address_is_not_stated():
    with pytest.raises(ValueError, match="host1"):
        stated(["192.0.2.1", "host1"])


def test_a_record_of_the_same_shape_from_a_bmc_or_a_site_is_not_believed(event, tmp_path):
    """Else whoever may post events chooses what is scanned."""
    assert not affected(msgspec.structs.replace(event, site="dc2"))
    assert not affected(msgspec.structs.replace(event, address="own-cloud"))
    assert not affected(msgspec.structs.replace(event, id="own-cloud-1-0"))
    with open_store(tmp_path / "bmc") as store:
        fill(store, 1)
        sent = store.log.read_events_after(0, 1)[0]
    assert not affected(msgspec.structs.replace(sent, record=event.record))


@pytest.mark.parametrize(
    "record",
    [
        None,
        [],
        "x",
        {},
        {"Oem": 1},
        {"Oem": {"redfleet": []}},
        {"Oem": {"redfleet": {}}},
        {"Oem": {"redfleet": {KEY: "192.0.2.1"}}},
        {"Oem": {"redfleet": {KEY: [7, None]}}},
    ],
)
def test_any_other_record_affects_nothing(event, record):
    assert affected(msgspec.structs.replace(event, record=record)) == ()
