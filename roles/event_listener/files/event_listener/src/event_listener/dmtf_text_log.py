# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads `Events_<Service IP>.txt` as the DMTF Redfish Event Listener 1.1.7, and our sink text_log, write it. Pure.

An entry is three lines: ``Time:<local time> Count:<n>``, ``Host IP:<address>``, ``Event Details:<JSON in one line>``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from datetime import datetime, tzinfo

import msgspec

_HEAD = re.compile(rb"Time:(\S.*?) Count:(\d+)$")
_GLUED = re.compile(rb"Time:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? Count:\d+\r?\n$")
_HOST, _DETAILS = b"Host IP:", b"Event Details:"
_LONGEST = 64 << 20  # bytes of one damaged part that are kept


class TextEntry(msgspec.Struct, frozen=True):
    """A part of a file: an entry, or with a ``problem`` what is none. ``line`` is its first, ``end`` its last byte."""

    line: int
    end: int
    raw: bytes
    time: str = ""
    host: str = ""
    body: bytes = b""
    problem: str = ""

    def identity(self) -> str:
        """The same wherever the file is called or moved, and different for every other entry: 32 hex digits."""
        parts = (self.time.encode(), self.host.encode(), self.body) if not self.problem else (self.raw,)
        return hashlib.sha256(b"\0".join(parts)).hexdigest()[:32]

    def received_ns(self, zone: tzinfo | None) -> int:
        """When it was received; ``zone`` is the one of the host that wrote it, None for that of this host."""
        moment = datetime.fromisoformat(self.time).replace(tzinfo=zone)
        return int(moment.replace(microsecond=0).timestamp()) * 1_000_000_000 + moment.microsecond * 1000


def entries(lines: Iterable[bytes]) -> Iterator[TextEntry]:
    """All parts of a file, in order; nothing of it is left out."""
    part: list[bytes] = []
    first, offset = 1, 0
    for number, line in _lines(lines):
        if part and (len(part) == 3 or _HEAD.match(line.rstrip(b"\r\n"))) and b"".join(part).strip():
            yield _entry(part, first, offset)
            part = []
        if not part:
            first = number
        part.append(line)
        offset += len(line)
    if b"".join(part).strip():
        yield _entry(part, first, offset)


def _lines(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Numbered lines; what was appended behind an entry that was cut off begins one of its own."""
    for number, line in enumerate(lines, 1):
        found = _GLUED.search(line)
        if found and found.start():
            yield number, line[: found.start()]
            yield number, line[found.start() :]
        else:
            yield number, line


def _entry(part: list[bytes], line: int, end: int) -> TextEntry:
    raw = b"".join(part)[:_LONGEST]
    texts = [text.rstrip(b"\r\n") for text in part]
    head = _HEAD.match(texts[0])
    problem = _problem(head, texts, complete=part[-1].endswith(b"\n"))
    if head is None or problem:
        return TextEntry(line, end, raw, problem=problem)
    host = texts[1][len(_HOST) :].decode("utf-8", "replace").strip()
    return TextEntry(line, end, raw, head[1].decode("utf-8", "replace"), host, texts[2][len(_DETAILS) :])


def _problem(head: re.Match[bytes] | None, texts: list[bytes], *, complete: bool) -> str:
    if head is None:
        return "does not begin with Time: and Count:"
    try:
        datetime.fromisoformat(head[1].decode("utf-8", "replace"))
    except ValueError:
        return "has a time that can't be read"
    if len(texts) < 2 or not texts[1].startswith(_HOST) or not texts[1][len(_HOST) :].strip():
        return "has no line Host IP:"
    if len(texts) < 3 or not texts[2].startswith(_DETAILS):
        return "has no line Event Details:"
    return "" if complete else "has no end of line: it was cut off, or is still being written"
