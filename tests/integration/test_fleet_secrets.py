# SPDX-License-Identifier: GPL-3.0-or-later
"""No secret in any output, at -vvv, in a diff, in ANSIBLE_LOG_PATH, in check mode or after a failure."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redfish_simulator.client import Fleet

from tests.integration.fleet_play import ADAPTERS, Runner

HEADERS = {"Authorization": "Bearer c0ffee-secret-token", "X-Key": "another-secret-value"}
PATH_SECRET = "secret-" + "pAth_" * 9
FOREIGN = {
    "Destination": "https://user:foreign-password@192.0.2.9/events/x/secret-foreignforeignforeignforeignforeign",
    "Protocol": "Redfish",
    "Context": "theirs",
    "HttpHeaders": [{"Authorization": "Basic foreign-secret"}],
}


@pytest.fixture(scope="module")
def bmcs(fleet: Callable[..., Fleet]) -> Iterator[Fleet]:
    with fleet(mix="plain=1,openbmc=1") as running:
        yield running


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_no_secret_is_shown(bmcs: Fleet, tmp_path: Path, adapter: str):
    """Create, rotate, list, fail and remove at -vvv with a diff and a log file: only masks are seen."""
    for bmc in bmcs.bmcs:
        bmc.seed_subscriptions(FOREIGN)
    log = tmp_path / "ansible.log"
    run = Runner(bmcs, tmp_path)
    common = {
        "_flags": ("-vvv", "--diff"),
        "_environ": {"ANSIBLE_LOG_PATH": str(log), "ANSIBLE_INJECT_INVOCATION": "true"},
    }
    declared = {"destination": f"https://127.0.0.1:9/events/bmc/{PATH_SECRET}", "http_headers": HEADERS}
    outputs = [
        run.task("event_destination", adapter, _check=True, **common, **declared),
        run.task("event_destination", adapter, **common, **declared),
        run.task("event_destination", adapter, update_http_headers="always", **common, **declared),
        run.task("event_destination_info", adapter, **common),
        run.task("event_destination", adapter, severities=["Fatal"], **common, **declared),
        run.task("event_service", adapter, on_unsupported="drop", smtp={"password": "mail-secret"}, **common),
        run.task("event_destination", adapter, state="absent", **common, **declared),
    ]
    seen = "".join(each.output + str(each.results) for each in outputs) + log.read_text()
    assert "********" in seen
    assert "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER" in seen
    secrets = [
        *HEADERS.values(),
        "c0ffee",
        "foreign-password",
        "foreign-secret",
        "mail-secret",
        PATH_SECRET,
        "foreignforeign",
    ]
    for bmc in bmcs.bmcs:
        pair = f"{bmc.username}:{bmc.password}".encode()
        secrets += [bmc.password, base64.b64encode(pair).decode()]
    assert [secret for secret in secrets if secret in seen] == []
    assert "X-Auth-Token" not in seen


def test_no_secret_is_in_the_process_list_or_on_disk(bmcs: Fleet, tmp_path: Path):
    """In the worker nothing is copied to a temporary file and no process is started."""
    result = Runner(bmcs, tmp_path).task("event_destination_info", _flags=("-vvv",))
    assert "EXEC" not in result.output
    assert "AnsiballZ" not in result.output
