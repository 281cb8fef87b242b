# SPDX-License-Identifier: GPL-3.0-or-later
"""Events per minute, from counts that are looked at every now and then."""

from __future__ import annotations

import pytest
from event_listener.source_rates import Rates, publish, published


def test_a_steady_source_has_its_rate_and_a_quiet_one_none():
    """After a while it is what is sent; after silence it goes to nothing and is left out."""
    rates, count = Rates(), 1_000_000
    for look in range(200):
        rates.step({"steady": count, "never": 7}, look * 15.0)
        count += 5
    assert rates.by_source == {"steady": pytest.approx(20.0, rel=0.01)}
    for look in range(200, 500):
        rates.step({"steady": count, "never": 7}, look * 15.0)
    assert rates.by_source == {}


def test_a_new_source_counts_at_once_and_a_smaller_count_is_no_debt():
    """A source that was forgotten and heard again begins anew."""
    rates = Rates()
    rates.step({}, 0.0)
    rates.step({"new": 60}, 60.0)
    assert rates.by_source["new"] == pytest.approx(60 * (1 - 2.718281828**-0.2), rel=0.01)
    before = rates.by_source["new"]
    rates.step({"new": 3}, 120.0)
    assert 0 < rates.by_source["new"] < before


def test_what_is_told_is_read(tmp_path):
    """And nothing where nobody told."""
    assert published(tmp_path) == {}
    publish(tmp_path, {"a": 1.23456})
    assert published(tmp_path) == {"a": 1.235}
