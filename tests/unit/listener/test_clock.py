# SPDX-License-Identifier: GPL-3.0-or-later
"""A clock that is set makes nothing older than it is."""

from __future__ import annotations

import time

import pytest
from event_listener import accounts, clock, status
from event_listener.clock import CautiousClock
from event_listener.policy import Owner, Role
from event_listener.relay import HEARTBEAT
from event_listener.scans.plan import Wanted
from event_listener.store import PAUSED_HOLDER
from event_listener.store.actions import Actor
from event_listener.webhooks.lanes import Lane
from event_listener.webhooks.schedule import Health, Rules

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
ACTOR = Actor("root", "127.0.0.1")


@pytest.fixture
def wall(monkeypatch):
    """The hosts' clock, to be set."""

    class Wall:
        ns = time.time_ns()

    monkeypatch.setattr(time, "time_ns", lambda: Wall.ns)
    return Wall


def test_the_cautious_clock_never_goes_faster_than_time():
    """It follows a clock that is set back, and ignores one that is set forward."""
    now = {"wall": 100 * HOUR, "passed": 7 * HOUR}
    cautious = CautiousClock(lambda: now["wall"], lambda: now["passed"])
    assert cautious.ns() == 100 * HOUR
    now.update(wall=150 * HOUR, passed=8 * HOUR)
    assert cautious.ns() == 101 * HOUR
    now.update(wall=90 * HOUR, passed=9 * HOUR)
    assert cautious.ns() == 90 * HOUR
    now.update(wall=103 * HOUR, passed=10 * HOUR)
    assert cautious.ns() == 103 * HOUR
    assert abs(clock.cautious_ns() - time.time_ns()) < 60 * SECOND


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_lease_of_a_later_clock_stalls_nobody(store, wall):
    """Its holder died before the clock was set back; it isn't waited for. A pause is for ever all the same."""
    assert store.cursors.acquire("amqp", "dead", 30) is not None
    assert store.cursors.acquire("amqp", "new", 30) is None
    wall.ns -= 5 * HOUR
    assert store.cursors.acquire("amqp", "new", 30) is not None
    assert store.cursors.acquire("amqp", "other", 30) is None
    store.cursors.pause("amqp")
    wall.ns -= 5 * HOUR
    assert store.cursors.acquire("amqp", "new", 30) is None
    assert store.cursors.holder("amqp") == PAUSED_HOLDER


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_dead_relay_is_not_called_alive(store, wall):
    """Its last sign of life is from before the clock was set back."""
    store.cursors.beat(HEARTBEAT)
    wall.ns -= 5 * HOUR
    assert status.relay_age(store) == pytest.approx(5 * 3600)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_lock_of_a_later_clock_locks_nobody_out(store, wall):
    """Nor does a clock that is set forward end a session; nor remove it, when it was ahead already at the start."""
    store.users.set(accounts.UserChange(name="ann", role=Role.ROOT_ADMIN, password="correct horse battery"), ACTOR)
    _token, secret = store.users.log_in("ann", "correct horse battery", ACTOR, 3600)
    for _ in range(accounts.FREE_FAILURES + 1):
        waiting = store.users.log_in("ann", "wrong", ACTOR, 3600)
    assert waiting > 0
    assert isinstance(store.users.log_in("ann", "correct horse battery", ACTOR, 3600), int)
    wall.ns -= 5 * HOUR
    assert not isinstance(store.users.log_in("ann", "correct horse battery", ACTOR, 3600), int)
    wall.ns += 500 * HOUR
    assert store.users.by_token(secret) is not None
    assert not isinstance(store.users.log_in("ann", "correct horse battery", ACTOR, 3600), int)
    wall.ns -= 495 * HOUR
    assert store.users.by_token(secret) is not None


@pytest.mark.parametrize(
    ("now", "cautious", "over"),
    [
        (50, 50, False),
        (100, 100, True),  # its time has passed
        (500, 60, False),  # only the wall clock says so, and it was set forward
        (500, 20, True),  # our clock was wrong when we started, before it was given
        (10, 10, False),  # the clock was set back since
    ],
)
def test_what_was_given_for_a_time_is_over(now, cautious, over):
    assert clock.is_over(40, 100, now, cautious) is over


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_scan_that_waits_for_a_later_clock_is_looked_at(store, wall):
    """Its next look, the scanner's pause and the cap of a day were noted by a clock that was days ahead."""
    wall.ns += 400 * HOUR
    wanted = [Wanted(name, ("192.0.2.1",), (), Owner()) for name in ("one", "two")]
    store.scans.schedule("nmap", 0, 1, wanted, dry_run=False)
    job = store.scans.claim("nmap", 1, 60)
    store.scans.pause("nmap", 7200, "it said so")
    assert store.scans.launched(job, "ref", "", 30)
    assert store.scans.claim("nmap", 1, 60) is None
    assert store.scans.paused("nmap")[0] > 7000
    assert store.scans.due("nmap", "running", 30) is None
    wall.ns -= 400 * HOUR
    assert store.scans.paused("nmap") == (0.0, "")
    assert store.scans.is_due("nmap", 60)
    assert store.scans.due("nmap", "running", 30) is not None
    assert store.scans.due("nmap", "running", 30) is None
    assert store.scans.claim("nmap", 1, 60) is not None


def test_a_webhook_that_waits_for_a_later_clock_has_its_turn():
    """Its endpoint failed while the clock was days ahead: it rests no longer than it ever does."""
    lane = Lane(None, Health(failures=3, rests_until_ns=400 * HOUR))
    lane.tell()
    rules = Rules(tries=3, base=1, longest=6 * 3600, disable_after=0)

    def is_due(now):
        return lane.is_due(now, clock.too_far(now, rules.longest_ns))

    assert is_due(400 * HOUR)
    assert not is_due(394 * HOUR)
    assert is_due(392 * HOUR)
