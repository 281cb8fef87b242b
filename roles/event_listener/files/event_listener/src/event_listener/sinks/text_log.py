# SPDX-License-Identifier: GPL-3.0-or-later
"""``Events_<Service IP>.txt``: byte for byte what the DMTF Redfish Event Listener 1.1.7 writes for the same POST.

Times apart: ``Time`` is when the POST was received, not when the line was written. The count goes on over restarts,
also from a file that the DMTF listener left.
"""

from __future__ import annotations

import json
import os
import re
from datetime import datetime
from typing import Any, ClassVar

from event_listener.event import Payload
from event_listener.normalise.decode import NotJSONError, document, text
from event_listener.sinks.base import UnitName
from event_listener.sinks.file_sink import FileSink

_HEAD = re.compile(rb"^Time:[^\n]* Count:(\d+)$", re.MULTILINE)
_CHUNK = 1 << 20
_LONGEST_ENTRY = 64 << 20


class TextLog(FileSink[Payload]):
    """One entry of three lines per POST."""

    name: ClassVar[str] = "text_log"
    unit: ClassVar[UnitName] = "payload"
    suffix: ClassVar[str] = ".txt"

    def render(self, unit: Payload, count: int) -> bytes:
        """The entry. ``json.dumps`` with its defaults is part of the format (ASCII, ``, `` and ``: ``)."""
        seconds, rest = divmod(unit.received_ns, 1_000_000_000)
        moment = datetime.fromtimestamp(seconds).replace(microsecond=rest // 1000)
        details = json.dumps(_document(unit.body))
        return f"Time:{moment} Count:{count}\nHost IP:{unit.address}\nEvent Details:{details}\n".encode()

    def count_in(self, descriptor: int, size: int) -> int:
        """The last count in a file; JSON holds no line breaks, so a line that begins with Time: is an entry's head."""
        tail, start = b"", size
        while start > 0 and size - start < _LONGEST_ENTRY:
            length = min(_CHUNK, start)
            start -= length
            tail = os.pread(descriptor, length, start) + tail
            if found := _HEAD.findall(tail):
                return int(found[-1])
        return 0


def _document(body: bytes) -> Any:
    """The payload; what was stored without being JSON (an import) shows as one JSON string."""
    try:
        return document(body)
    except NotJSONError:
        return text(body)
