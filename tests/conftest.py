# SPDX-License-Identifier: GPL-3.0-or-later
"""What all tests share: a run that left something out says so at its end, and in CI that is a failure."""

from __future__ import annotations

import os

import pytest


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
