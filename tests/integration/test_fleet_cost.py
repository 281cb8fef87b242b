# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run costs a BMC: requests and connections, as docs/modules.md tells them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from redfish_simulator.client import BmcHandle, Fleet

from tests.integration.fleet_step import reconcile


@pytest.fixture(scope="module")
def bmcs(fleet: Callable[..., Fleet]) -> Iterator[dict[str, BmcHandle]]:
    """One BMC per login type, of a service that expands its list of subscriptions."""
    with fleet(mix="plain=2", time_scale=0.01, network="127.64.0.0/16") as running:
        yield {bmc.login_type: bmc for bmc in running.bmcs}


@pytest.mark.parametrize("login_type", ["basic", "session"])
def test_requests_and_handshakes_are_counted(bmcs: dict[str, BmcHandle], login_type: str):
    """Nothing to do: 3 requests with Basic, 5 with a session; create, PATCH, and who it is: two more. One handshake."""
    bmc, more = bmcs[login_type], {"basic": 0, "session": 2}[login_type]
    steps: list[tuple[dict[str, Any], str, int]] = [
        ({"context": "one"}, "create", 5),
        ({"context": "one"}, "none", 3),
        ({"context": "two"}, "patch", 5),
        ({"context": "two"}, "none", 3),
        ({"context": "two", "identify": "always"}, "none", 5),
        ({"state": "absent"}, "delete", 4),
        ({"state": "absent"}, "none", 3),
    ]
    for declared, action, requests in steps:
        before = bmc.counters()
        result = reconcile(bmc, **declared)
        after = bmc.counters()
        assert (result["action"], result["requests"]) == (action, requests + more), declared
        assert after["requests"] - before["requests"] == result["requests"]
        assert after["connections"] - before["connections"] == 1
