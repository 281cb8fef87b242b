# SPDX-License-Identifier: GPL-3.0-or-later
"""Our patterns and RabbitMQ's topic exchange agree on every key and pattern, and so does the default exchange type."""

from __future__ import annotations

import random

import pika
from event_listener import topic

WORDS = ["a", "b", "", "*", "#", "aa", "a-b", "ü", "A", "a*", "#a", " "]
KEYS, PATTERNS = 220, 120


def texts(count, seed, most):
    """Texts of few words, so that many of them match; every length, empty words and odd ones too."""
    chance = random.Random(seed)
    found = {"", ".", "..", "#", "*", "#.#", "*.#", "#.*", "#.a.#", "a.#.b", "*.*", "#.*.#.*"}
    while len(found) < count:
        found.add(".".join(chance.choice(WORDS) for _ in range(chance.randint(1, most))))
    return sorted(found)


def test_patterns_agree_with_a_real_topic_exchange(rabbitmq):
    """One queue per pattern; each key is published once; a queue has exactly the keys that we say."""
    keys = [*texts(KEYS, 1, 5), topic.key("10.0.0.1", "AlertEvent", "Base.Alert", None, "/redfish/v1/" + "x" * 400)]
    patterns = texts(PATTERNS, 2, 6)
    channel = pika.BlockingConnection(pika.URLParameters(rabbitmq.url())).channel()
    channel.exchange_declare("differential", "topic", auto_delete=True)
    for number, pattern in enumerate(patterns):
        channel.queue_declare(f"pattern-{number}", exclusive=True)
        channel.queue_bind(f"pattern-{number}", "differential", pattern)
    channel.confirm_delivery()
    for key in keys:
        channel.basic_publish("differential", key, b"")
    agreed = 0
    for number, pattern in enumerate(patterns):
        theirs = set()
        while (message := channel.basic_get(f"pattern-{number}", auto_ack=True))[0] is not None:
            theirs.add(message[0].routing_key)
        ours = {key for key in keys if topic.matches(pattern, key)}
        assert ours == theirs, f"pattern {pattern!r}: only ours {ours - theirs}, only RabbitMQ's {theirs - ours}"
        agreed += len(ours)
    channel.connection.close()
    assert agreed > 1000  # a test in which nothing matches would agree on nothing
