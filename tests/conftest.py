# SPDX-License-Identifier: GPL-3.0-or-later
"""What all tests share: the collection can be imported, and a run that left something out says so at its end.

`import ansible_collections.redfleet.events` means this checkout, as `make setup` does it for ansible itself. In CI a
run that left something out is a failure.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

TREE = Path(__file__).resolve().parents[1] / ".build" / "dev"

link = TREE / "ansible_collections" / "redfleet" / "events"
link.parent.mkdir(parents=True, exist_ok=True)
if not link.is_symlink():
    link.symlink_to("../../../..", target_is_directory=True)
sys.path.insert(0, str(TREE))


@pytest.fixture(autouse=True)
def umask():
    """Commands of the listener that run in this process set a mask of their own: it ends with the test."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def pytest_terminal_summary(terminalreporter):
    """Name what was not run, last."""
    left_out = {}
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        left_out.setdefault(reason.removeprefix("Skipped: "), []).append(report.nodeid)
    for reason, tests in sorted(left_out.items()):
        terminalreporter.write_line(f"not run: {len(tests)} test(s), {tests[0]} first: {reason}", yellow=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    """In CI everything must run: a machine that lacks a part must not look green."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") == "true" and exitstatus == 0 and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
