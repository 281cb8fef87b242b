# SPDX-License-Identifier: GPL-3.0-or-later
"""What an address may ask of a worker before it shows credentials, and that those who do are never limited."""

from __future__ import annotations

import pytest
from event_listener import admission
from event_listener.admission import Admission, Visit


class Clock:
    """Time as a test says it."""

    now = 6000.0

    def __call__(self) -> float:
        return self.now


def make(clock: Clock, registered: set[str] = frozenset()) -> Admission:
    return Admission(strangers=3, known_strangers=6, refusals=2, registered=registered.__contains__, clock=clock)


def test_strangers_are_counted_per_address_until_they_leave():
    """One address full doesn't keep another out; leaving twice counts once."""
    made = make(Clock())
    visits = [made.enter("192.0.2.1") for _ in range(3)]
    assert made.enter("192.0.2.1") == "connections"
    assert isinstance(made.enter("192.0.2.2"), Visit)
    visits[0].leave()
    visits[0].leave()
    assert isinstance(made.enter("192.0.2.1"), Visit)
    assert made.enter("192.0.2.1") == "connections"


def test_what_authenticated_counts_no_more():
    """Any number of BMCs behind one NAT; once one of them was welcome, more may shake hands at once."""
    made = make(Clock())
    for _ in range(50):
        visit = made.enter("192.0.2.1")
        visit.welcome()
        visit.leave()
    assert [isinstance(made.enter("192.0.2.1"), Visit) for _ in range(7)] == [True] * 6 + [False]


def test_a_registered_address_is_known():
    made = make(Clock(), {"2001:db8::7"})
    assert [isinstance(made.enter("2001:db8::7"), Visit) for _ in range(7)] == [True] * 6 + [False]


def test_unknown_ipv6_addresses_count_per_64():
    made = make(Clock(), {"2001:db8::7"})
    assert all(isinstance(made.enter(f"2001:db8::{last}"), Visit) for last in (1, 2, 3))
    assert made.enter("2001:db8::4") == "connections"
    assert isinstance(made.enter("2001:db8:0:1::4"), Visit)
    assert isinstance(made.enter("2001:db8::7"), Visit)


def test_refusals_turn_a_stranger_away_until_the_minute_is_over():
    """But never an address that is known: the others behind it go on."""
    clock = Clock()
    made = make(clock)
    for address in ("192.0.2.1", "192.0.2.2"):
        made.refused(address)
        assert not made.is_flooding(address)
        made.refused(address)
        assert made.is_flooding(address)
    made.remember("192.0.2.2")
    assert made.enter("192.0.2.1") == "refusals"
    assert isinstance(made.enter("192.0.2.2"), Visit)
    assert 1 <= made.wait_seconds() <= 60
    clock.now += 60
    assert isinstance(made.enter("192.0.2.1"), Visit)
    made.refused("192.0.2.1")
    assert not made.is_flooding("192.0.2.1")


def test_an_address_is_known_for_an_hour():
    clock = Clock()
    made = make(clock)
    made.remember("192.0.2.1")
    clock.now += admission.KNOWN_SECONDS - 1
    assert made.is_known("192.0.2.1")
    clock.now += 1
    assert not made.is_known("192.0.2.1")


def test_a_proxy_is_not_limited():
    """The empty address stands for many."""
    made = make(Clock())
    for _ in range(100):
        made.refused("")
        assert isinstance(made.enter(""), Visit)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch):
    """The longest forgotten address goes first."""
    monkeypatch.setattr(admission, "_TABLE", 10)
    made = make(Clock())
    for last in range(20):
        made.remember(f"192.0.2.{last}")
    assert [made.is_known(f"192.0.2.{last}") for last in (9, 10, 19)] == [False, True, True]
