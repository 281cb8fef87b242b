# SPDX-License-Identifier: GPL-3.0-or-later
"""Routing keys as CloudStack writes them, patterns as AMQP matches them."""

import pytest
from event_listener import topic
from hypothesis import given
from hypothesis import strategies as st


def test_key_of_cloudstack():
    """The example of CloudStack's design page."""
    assert topic.key("management-server", "ActionEvent", "VM.START", "VirtualMachine", "172dd6f8") == (
        "management-server.ActionEvent.VM-START.VirtualMachine.172dd6f8"
    )
    assert topic.key("management-server", "AlertEvent", "x", None, "") == "management-server.AlertEvent.x.*.*"


@pytest.mark.parametrize(
    ("pattern", "key", "expected"),
    [
        ("#", "a.b.c", True),
        ("#", "", True),
        ("", "", True),
        ("", "a", False),
        ("*", "", False),
        ("*", "a", True),
        ("*.*", "a", False),
        ("a.#", "a", True),
        ("a.#", "a.b.c", True),
        ("#.c", "a.b.c", True),
        ("a.*.c", "a.b.c", True),
        ("a.*.c", "a.c", False),
        ("a.#.c", "a.c", True),
        ("#.#", "", True),
        ("*.#", "", False),
        ("a", "A", False),
        ("*.AlertEvent.#", "10-0-0-1.AlertEvent.x.*.*", True),
        ("a..b", "a..b", True),
        ("a.*.b", "a..b", True),
        ("a#", "a#", True),
        ("a#", "ab", False),
        ("*", "#", True),
        ("x", "*", False),
    ],
)
def test_matches(pattern, key, expected):
    assert topic.matches(pattern, key) is expected


def oracle(pattern: list[str], words: list[str]) -> bool:
    """The definition, by brute force."""
    if not pattern:
        return not words
    if pattern[0] == "#":
        return any(oracle(pattern[1:], words[used:]) for used in range(len(words) + 1))
    return bool(words) and pattern[0] in ("*", words[0]) and oracle(pattern[1:], words[1:])


WORD = st.sampled_from(["a", "b", ""])


@given(st.lists(WORD | st.sampled_from(["*", "#"]), min_size=1, max_size=7), st.lists(WORD, min_size=1, max_size=6))
def test_matches_as_defined(pattern, words):
    if pattern == [""] or words == [""]:
        return  # the empty text has no words, so it can't say one empty word
    assert topic.matches(".".join(pattern), ".".join(words)) is oracle(pattern, words)


def test_hostile_pattern_is_cheap():
    """No backtracking: forty # against sixty words answer at once."""
    assert not topic.matches("#.a." * 40 + "z", ".".join(["a"] * 60))


PART = st.text(max_size=400) | st.none()


@given(PART, PART, PART, PART, PART)
def test_key_is_five_words_of_at_most_255_bytes(source, category, type_, resource_type, resource_id):
    key = topic.key(source or "s", category or "c", type_ or "t", resource_type, resource_id)
    assert len(key.encode()) <= 255
    assert len(key.split(".")) == 5
    assert key == topic.key(source or "s", category or "c", type_ or "t", resource_type, resource_id)


@given(st.text(min_size=300, max_size=400), st.text(min_size=300, max_size=400))
def test_long_keys_stay_different(one, other):
    keys = {topic.key("s", "c", "t", "r", text.replace(".", "-")) for text in (one, other)}
    assert len(keys) == len({one.replace(".", "-"), other.replace(".", "-")})
