# SPDX-License-Identifier: GPL-3.0-or-later
"""`--verbose`: show received events on the terminal as the DMTF listener prints them.

The ingest workers send a copy of what they stored to the supervisor, which counts and prints: workers that printed
themselves would count each for itself. Best effort: a terminal that is slow loses lines, never events.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from event_listener.journal import Entry
from event_listener.payload import MalformedError, decode

_VARIABLE = "EVENT_LISTENER_CONSOLE"
_LARGEST = 131072
_RECORD_LINES = ("EventType", "MessageId")
_OPTIONAL_LINES = (
    "EventId", "EventGroupId", "EventTimestamp", "Severity", "MessageSeverity", "Message", "MessageArgs",
)  # fmt: skip


def console_from_environment() -> Callable[[Entry], None] | None:
    """Return what tells the supervisor's console of a stored entry; None when nobody looks."""
    number = os.environ.get(_VARIABLE)
    if not number:
        return None
    channel = socket.socket(fileno=os.dup(int(number)))
    channel.setblocking(False)

    def tell(entry: Entry) -> None:
        # A full channel is a terminal that doesn't keep up, a closed one a supervisor that has ended.
        with contextlib.suppress(OSError):
            channel.send(entry.peer.encode() + b"\0" + entry.body[:_LARGEST])

    return tell


class Printer:
    """Prints payloads, and counts them per host as the DMTF listener does."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._counts: dict[str, int] = {}

    def show(self, peer: str, body: bytes) -> None:
        """Print one payload."""
        self._counts[peer] = self._counts.get(peer, 0) + 1
        lines = ["", f"Event received from {peer}", *details(body)]
        lines += [f"Event Counter for Host {peer} = {self._counts[peer]}", ""]
        self._out.write("\n".join(lines) + "\n")
        self._out.flush()


class Console:
    """The supervisor's end of the workers' channel; prints in a thread of its own until closed."""

    def __init__(self, out: TextIO) -> None:
        self._printer = Printer(out)
        self._ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._thread = threading.Thread(target=self._print_forever, name="console", daemon=True)

    def environment(self) -> dict[str, str]:
        """Return what the ingest process needs in its environment, with `descriptors` passed on."""
        return {_VARIABLE: str(self._theirs.fileno())}

    def descriptors(self) -> tuple[int, ...]:
        """Return the descriptors that the ingest process inherits."""
        return (self._theirs.fileno(),)

    def start(self) -> None:
        """Begin to print."""
        self._thread.start()

    def close(self) -> None:
        """Print what is there, and end."""
        self._theirs.send(b"")
        self._thread.join()
        self._ours.close()
        self._theirs.close()

    def _print_forever(self) -> None:
        while datagram := self._ours.recv(_LARGEST + 64):
            peer, _nul, body = datagram.partition(b"\0")
            self._printer.show(peer.decode(), body)


def details(body: bytes) -> Iterator[str]:
    """Yield the lines that the DMTF listener prints for a payload with its option -v."""
    try:
        payload = decode(body)
    except MalformedError as error:
        yield f"  (not shown: {error})"
        return
    if not isinstance(payload, dict):
        return
    for record in _dicts(payload.get("Events")):
        yield from (f"  {name}: {record.get(name)}" for name in _RECORD_LINES)
        yield from (f"  {name}: {record[name]}" for name in _OPTIONAL_LINES if name in record)
        if "Context" in payload:
            yield f"  Context: {payload['Context']}"
        yield ""
    if "MetricValues" in payload:
        yield f"  Metric Report Name: {payload.get('Name')}"
        for metric in _dicts(payload["MetricValues"]):
            yield from (f"  {name}: {metric.get(name)}" for name in ("MetricId", "MetricValue", "Timestamp"))
            if "MetricProperty" in metric:
                yield f"  MetricProperty is: {metric['MetricProperty']}"
            yield ""


def _dicts(value: Any) -> Iterator[dict[str, Any]]:
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())
