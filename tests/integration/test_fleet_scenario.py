# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet as it is in life: all vendors, some BMCs broken in every way that is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from redfish_simulator.client import Fleet

from tests.integration.fleet_scenario import Scenario, mix, play_out


def test_the_healthy_converge_and_each_faulty_one_has_its_reason(fleet: Callable[..., Fleet], tmp_path: Path):
    """Every fault has its true reason in the summary, what heals is repaired, foreign subscriptions stay untouched."""
    with fleet(mix=mix(100), time_scale=0.01, network="127.62.0.0/16") as running:
        assert play_out(Scenario(running, tmp_path)) == []
