# SPDX-License-Identifier: GPL-3.0-or-later
"""The accounting of `make estate` finds what is lost and what is there twice; it boots nothing."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.integration.hosts.scenario.accounts import Account, Found, line

NUMBERS = [1, 2, 3]
KEYS = [("bmc1", number) for number in NUMBERS]


def found(**missing: list[int]) -> Found:
    """Three events that are everywhere, but for the numbers that one place lacks."""

    def there(place: str) -> list[tuple[str, int]]:
        return [key for key in KEYS if key[1] not in missing.get(place, [])]

    return Found(
        stored={key: [f"id-{key[1]}"] for key in there("stored")},
        amqp=Counter(f"id-{number}" for _, number in there("amqp")),
        syslog=Counter(f"id-{number}" for _, number in there("syslog")),
        texts=[Counter(there("text_log")), Counter(KEYS)],
    )


def counted(delivered: int, again: int = 0) -> dict[str, int]:
    """What the BMC counted."""
    return {"delivered": delivered, "failed_attempts": again}


def test_all_is_there():
    """Three sent, three everywhere, none lost."""
    one = line("bmc1", NUMBERS, counted(3), found())
    assert (one.sent, one.acknowledged, one.stored, one.amqp, one.syslog, one.text_log) == (3,) * 6
    assert (one.lost, one.twice) == (0, 0)
    assert found().complete(KEYS)


@pytest.mark.parametrize("place", ["stored", "amqp", "syslog", "text_log"])
def test_what_one_place_lacks_is_lost(place: str):
    """An acknowledged event that is missing in a single place counts, and the run isn't good."""
    lacking = found(**{place: [2]})
    one = line("bmc1", NUMBERS, counted(3), lacking)
    assert getattr(one, place) == 2
    assert one.lost == 1
    assert not lacking.complete(KEYS)
    assert not Account(total=one).good


def test_what_was_never_acknowledged_is_not_lost_but_not_good():
    """A BMC that gave up after its retries."""
    one = line("bmc1", NUMBERS, counted(2, again=4), found(stored=[3], amqp=[3], syslog=[3], text_log=[3]))
    assert one.lost == 0
    assert not Account(total=one).good


@pytest.mark.parametrize(("again", "twice"), [(0, 1), (1, 0)])
def test_an_event_stored_twice_needs_an_attempt_that_was_not_answered(again: int, twice: int):
    """A BMC that got no answer sends again; else nothing may be there twice."""
    doubled = found()
    doubled.stored["bmc1", 2].append("id-2-once-more")
    doubled.amqp["id-2-once-more"] = doubled.syslog["id-2-once-more"] = 1
    assert line("bmc1", NUMBERS, counted(3, again), doubled).twice == twice
