# SPDX-License-Identifier: GPL-3.0-or-later
"""The report's page in a real browser: a thousand hosts, filtered, hostile texts, both colour schemes."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from ansible_collections.redfleet.events.plugins.plugin_utils import _fleet, _report, _report_page

pytestmark = pytest.mark.slow

HOSTS = 1000
HOSTILE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    """A fleet of a thousand, every fiftieth with a reason that tries to run."""
    rows = [
        {"host": f"bmc{number:04d}", "verdict": "failed", "detail": HOSTILE}
        if number % 50 == 0
        else {"host": f"bmc{number:04d}", "verdict": "delivered", "detail": "event e", "latency_s": 0.1}
        for number in range(1, HOSTS + 1)
    ]
    path = tmp_path_factory.mktemp("page") / "report.html"
    document = _report.document(_fleet.report(rows), "verify", "2026-11-22 07:00:00 UTC")
    path.write_text(_report_page.page(document))
    return path


def chromium(profile: Path, *arguments: str) -> str:
    """What a browser prints."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no chromium on this machine; tests/tools/install-debian-packages installs it")
    command = [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    command += ["--hide-scrollbars", "--no-first-run", f"--user-data-dir={profile}", "--window-size=1280,1600"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_hosts_are_found_and_nothing_else_runs(page, tmp_path):
    """The search hides the other rows and dims the other tiles; a script in a reason is only text."""
    shown = chromium(tmp_path / "profile", "--dump-dom", f"{page.as_uri()}#find=bmc0050")
    assert '<span id="shown">1</span>' in shown
    rows = re.findall(r'<tr id="h-bmc\d+"[^>]*>', shown)
    assert len(rows) == HOSTS
    assert [row for row in rows if "hidden" not in row] == [row for row in rows if '"bmc0050"' in row]
    assert shown.count('class="dim"') == HOSTS - 1
    assert "<title>Proof: which BMCs" in shown


def test_a_picture_can_be_taken(page, tmp_path):
    """It draws a fleet of a thousand: a page that stayed empty would be a few kilobytes."""
    picture = tmp_path / "page.png"
    chromium(tmp_path / "profile", f"--screenshot={picture}", page.as_uri())
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert picture.stat().st_size > 20_000
