# SPDX-License-Identifier: GPL-3.0-or-later
"""A text log is read completely: what is an entry, and what is none."""

from __future__ import annotations

import zoneinfo
from datetime import UTC

import pytest
from event_listener.dmtf_text_log import TextEntry, entries
from hypothesis import given
from hypothesis import strategies as st

TIME = "2025-06-01 12:00:00.123456"


def text(number: int = 1, body: str = '{"Events": []}', time: str = TIME) -> bytes:
    return f"Time:{time} Count:{number}\nHost IP:192.0.2.1\nEvent Details:{body}\n".encode()


def read(data: bytes) -> list[TextEntry]:
    return list(entries(data.splitlines(keepends=True)))


def test_an_entry_has_three_lines():
    """As the DMTF tool writes them."""
    first, second = read(text(1) + text(2, '{"a": 1}'))
    assert (first.time, first.host, first.body, first.problem) == (TIME, "192.0.2.1", b'{"Events": []}', "")
    assert (second.line, second.body, second.end) == (4, b'{"a": 1}', len(text(1) + text(2, '{"a": 1}')))
    assert first.received_ns(UTC) == 1748779200123456000
    assert first.received_ns(zoneinfo.ZoneInfo("Europe/Berlin")) == (1748779200 - 7200) * 10**9 + 123456000


@pytest.mark.parametrize(
    ("damaged", "problem"),
    [
        (b"hello\n", "does not begin with"),
        (b"Time:yesterday Count:3\nHost IP:192.0.2.1\nEvent Details:{}\n", "has a time that can't be read"),
        (b"Time:2025-06-01 12:00:00 Count:3\n", "has no line Host IP"),
        (b"Time:2025-06-01 12:00:00 Count:3\nHost IP:192.0.2.1\n", "has no line Event Details"),
        (text()[:-5], "has no end of line"),
    ],
)
def test_what_is_none_is_told_and_the_rest_is_read(damaged: bytes, problem: str):
    """Whatever stands where."""
    found = read(text(1) + damaged)
    assert [entry.problem.startswith(problem) for entry in found] == [False, True]
    assert found[1].raw == damaged
    between = read(damaged + text(7))
    assert between[-1].problem == ""
    assert between[0].problem


def test_what_follows_an_entry_that_was_cut_off_is_read():
    """The tool was killed while it wrote, and appended to the same line when it was started again."""
    cut, whole = read(text(1)[:-5] + text(1, '{"b": 2}'))
    assert cut.problem.startswith("has no end of line")
    assert (whole.problem, whole.body, whole.line) == ("", b'{"b": 2}', 3)


@given(st.lists(st.sampled_from([text(1), text(2, "{}"), b"x\n", b"\n", text(3)[:-4], b"Host IP:1\n"]), max_size=8))
def test_nothing_of_a_file_is_left_out(parts: list[bytes]):
    """Every byte is in some part, but empty lines between them."""
    data = b"".join(parts)
    found = read(data)
    assert b"".join(entry.raw for entry in found).replace(b"\n", b"") == data.replace(b"\n", b"")


def test_an_identity_is_of_the_content():
    """Not of the file's name or the place in it."""
    first, second, other = read(text(1) + text(1) + text(1, "{}"))
    assert first.identity() == second.identity() != other.identity()
