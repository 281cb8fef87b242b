# SPDX-License-Identifier: GPL-3.0-or-later
"""`--verbose` prints what the DMTF listener prints."""

from __future__ import annotations

import io
import json

import pytest
from event_listener.console import Console, Printer, console_from_environment
from event_listener.journal import Entry


def shown(*payloads: object) -> str:
    """Return what the console prints."""
    out = io.StringIO()
    printer = Printer(out)
    for payload in payloads:
        printer.show("10.0.0.1", payload if isinstance(payload, bytes) else json.dumps(payload).encode())
    return out.getvalue()


def test_events_and_their_count():
    """Line by line, in its order; the counter goes on."""
    record = {"EventType": "Alert", "MessageId": "Base.1.0.Ok", "EventId": 7, "Severity": "OK", "MessageArgs": ["a"]}
    text = shown({"Context": "rack", "Events": [record]}, {})
    assert text.splitlines() == [
        "", "Event received from 10.0.0.1", "  EventType: Alert", "  MessageId: Base.1.0.Ok", "  EventId: 7",
        "  Severity: OK", "  MessageArgs: ['a']", "  Context: rack", "", "Event Counter for Host 10.0.0.1 = 1", "",
        "", "Event received from 10.0.0.1", "Event Counter for Host 10.0.0.1 = 2", "",
    ]  # fmt: skip


def test_metric_reports():
    """Its other kind of payload."""
    text = shown({"Name": "Power", "MetricValues": [{"MetricId": "W", "MetricValue": "5", "MetricProperty": "/x"}]})
    assert (
        "  Metric Report Name: Power\n  MetricId: W\n  MetricValue: 5\n  Timestamp: None\n  MetricProperty is: /x"
        in text
    )


@pytest.mark.parametrize("body", [b"\xff<", b"[]", b'{"Events": 5}', b'{"Events": [1], "MetricValues": {}}'])
def test_nothing_a_bmc_sends_stops_it(body: bytes):
    """It is shown or it is not; the next one is."""
    assert "Event Counter for Host 10.0.0.1 = 2" in shown(body, {})


def test_workers_tell_the_console(monkeypatch: pytest.MonkeyPatch):
    """Over a socket whose descriptor is in the environment; without it nobody is told."""
    assert console_from_environment() is None
    out = io.StringIO()
    console = Console(out)
    for name, value in console.environment().items():
        monkeypatch.setenv(name, value)
    assert str(console.descriptors()[0]) in console.environment().values()
    tell = console_from_environment()
    console.start()
    tell(Entry(1, None, "10.0.0.2", "c", "t", "ok", "", b"{}"))
    console.close()
    assert "Event Counter for Host 10.0.0.2 = 1" in out.getvalue()
    tell(Entry(2, None, "10.0.0.2", "c", "t", "ok", "", b"{}"))
    tell.__closure__[0].cell_contents.close()
