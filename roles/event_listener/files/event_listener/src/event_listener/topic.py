# SPDX-License-Identifier: GPL-3.0-or-later
"""Routing keys and the patterns that choose them, as CloudStack writes and AMQP matches them. No I/O.

A key has five words, ``source.category.type.resourceType.resourceId``. In a word ``.`` becomes ``-``; a missing word
is ``*`` (CloudStack's RabbitMQEventBus does both). A pattern is dot-separated too: ``*`` stands for exactly one word,
``#`` for any number of them. AMQP 0-9-1 allows 255 bytes; a longer key loses the end of its longest words to a hash,
so that equal keys stay equal and different ones stay different.
"""

from __future__ import annotations

import hashlib

MAX_BYTES = 255
_HASH = 16  # hex digits kept: 64 bits, far more than a fleet has resources


def word(value: str | None) -> str:
    """One word of a key."""
    return value.replace(".", "-") if value else "*"


def key(source: str, category: str, type_: str, resource_type: str | None, resource_id: str | None) -> str:
    """The routing key of an event: always five words and at most 255 bytes of UTF-8."""
    words = [word(part) for part in (source, category, type_, resource_type, resource_id)]
    whole = ".".join(words)
    excess = len(whole.encode()) - MAX_BYTES
    while excess > 0:
        longest = max(range(len(words)), key=lambda index: len(words[index].encode()))
        words[longest] = _shorten(words[longest], excess)
        excess = len(".".join(words).encode()) - MAX_BYTES
    return ".".join(words)


def _shorten(text: str, excess: int) -> str:
    """``text`` without at least one and at most ``excess`` bytes more than its hash needs, never below the hash."""
    raw = text.encode()
    digest = hashlib.sha256(raw).hexdigest()[:_HASH]
    kept = max(len(raw) - excess - _HASH - 1, 24)
    return raw[:kept].decode(errors="ignore") + "~" + digest


def matches(pattern: str, routing_key: str) -> bool:
    """Whether an AMQP topic exchange would send ``routing_key`` to a queue bound with ``pattern``.

    Time is bounded by the words of both, whatever the pattern (no backtracking).
    """
    words = _split(routing_key)
    reached = {0}  # how many words of the key the pattern's words so far can have used up
    for piece in _split(pattern):
        if piece == "#":
            reached = set(range(min(reached), len(words) + 1)) if reached else set()
        else:
            reached = {used + 1 for used in reached if used < len(words) and piece in ("*", words[used])}
    return len(words) in reached


def _split(text: str) -> list[str]:
    """The words. The empty text has none, as in RabbitMQ's ``split_topic_key``."""
    return text.split(".") if text else []
