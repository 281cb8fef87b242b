# SPDX-License-Identifier: GPL-3.0-or-later
"""`make demo-openstack`: oslo.messaging, RabbitMQ, the whole listener, rsyslog and a scanner in one chain."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.service import wait_until

ROOT = Path(__file__).resolve().parents[3]
COMMAND = [sys.executable, "-m", "tests.demo.openstack_demo"]
SECONDS = 400  # above the demo's own limit, which says more


@pytest.fixture
def base() -> Iterator[Path]:
    """A directory that all files and command lines of the demo are below; short, for the sockets in it."""
    with tempfile.TemporaryDirectory(prefix="demo-") as directory:
        yield Path(directory)


def start(base: Path) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if name != "KEEP"}
    environment |= {"TMPDIR": str(base), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        COMMAND, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def left(base: Path) -> list[str]:
    """What is still there: files, and processes that name the demo's directory."""
    found = [str(path) for path in base.iterdir()]
    for process in Path("/proc").iterdir():
        try:
            arguments = (process / "cmdline").read_text(errors="replace") if process.name.isdigit() else ""
        except OSError:  # it has just ended
            continue
        if str(base) in arguments:
            found.append(arguments.replace("\0", " "))
    return found


def after(lines: list[str], title: str) -> list[str]:
    """The lines of a section, up to the empty one."""
    begin = next(number for number, line in enumerate(lines) if line.strip().startswith(title)) + 1
    return [line.strip() for line in lines[begin : lines.index("", begin)]]


def test_from_a_rule_to_its_syslog_line_and_a_scan_of_the_affected_addresses(base):
    """Create and delete, by oslo.messaging, both told with the whole rule; one scan of the group's addresses alone."""
    process = start(base)
    try:
        output, _ = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    lines = output.splitlines()
    assert process.returncode == 0, output
    assert lines[-1] == "demo-openstack: 2 changes told, 1 scan of 3 addresses launched"
    told = [json.loads(after(lines, f"syslog, the rule was {done}")[0]) for done in ("made", "removed")]
    assert [line["change_type"] for line in told] == ["sg_rule_add", "sg_rule_del"]
    assert told[0]["security_group_rule"] == told[1]["security_group_rule"]
    assert told[1]["security_group_rule"]["remote_ip_prefix"] == "0.0.0.0/0"
    assert {(line["source_type"], line["user"], line["affected_ip_address"]) for line in told} == {
        ("osel1.1", "alice", "192.0.2.11")
    }
    (scan,) = after(lines, "Qualys was told to scan")
    reference, _, addresses = scan.rpartition(": ")
    assert addresses == "192.0.2.11, 192.0.2.12, 203.0.113.7"
    started = [json.loads(line) for line in after(lines, "syslog, a scan was started")]
    assert {(line["qualys_scan_id"], line["event_id"]) for line in started} == {(reference, told[0]["event_id"])}
    (job,) = after(lines, "the job of the scan")
    assert (json.loads(job)["state"], reference in json.loads(job)["message"]) == ("completed", True)
    wait_until(lambda: not left(base), lambda: f"left: {left(base)}", 60)


def test_ctrl_c_stops_all_that_it_started(base):
    """Also while RabbitMQ still starts."""
    process = start(base)
    try:
        printed = "redfleet-rabbitmq-*/output.txt"
        wait_until(lambda: any(one.stat().st_size for one in base.glob(printed)), "RabbitMQ doesn't start", 120)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 1, output
    assert "stopped by Ctrl-C" in output
    assert output.splitlines()[-1] == "demo-openstack: 0 changes told, 0 scans of 0 addresses launched"
    wait_until(lambda: not left(base), lambda: f"left: {left(base)}", 60)
