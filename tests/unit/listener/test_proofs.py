# SPDX-License-Identifier: GPL-3.0-or-later
"""Which record is the test event that somebody announced."""

from __future__ import annotations

import pytest
from event_listener.event import Origin, Record
from event_listener.proofs import Announcement, InvalidProofError, announce, announcement_of, settle

SECOND = 1_000_000_000
ALERT = Record(type="TMP.TMP0118", message_id="IDRAC.2.8.TMP0118", message="The inlet is cold.")


def announced(*sources: str, keys: tuple[str, ...] = ("TMP0118", "TestMessage"), at: int = 100 * SECOND):
    return announce(Announcement(sources=list(sources), message_keys=list(keys), seconds=60), at)


def test_each_source_gets_a_marker_of_its_own():
    """Nobody can guess it, and a source named twice is one."""
    proofs = announced("b1", "b2", "b1")
    assert [proof.source for proof in proofs] == ["b1", "b2"]
    assert len({proof.marker for proof in proofs}) == 2
    assert len({proof.batch for proof in proofs}) == 1


@pytest.mark.parametrize("field", ["event_id", "message", "message_args"])
def test_the_marker_is_found_wherever_a_bmc_puts_it(field: str):
    """It makes the record a test event."""
    (proof,) = announced("b1")
    value = (proof.marker,) if field == "message_args" else f"Test: {proof.marker}."
    (record,), (found,) = settle([Record(type="x", **{field: value})], [proof], 101 * SECOND)
    assert (record.origin, found.matched, found.index, found.marker) == (Origin.TEST, "marker", 0, proof.marker)


def test_without_marker_the_first_event_with_the_message_counts_and_only_it():
    """The next alert of the kind is real."""
    (proof,) = announced("b1")
    records, found = settle([Record(type="other", message_id="A.1.0.Other"), ALERT, ALERT], [proof], 101 * SECOND)
    assert [record.origin for record in records] == [Origin.LIVE, Origin.TEST, Origin.LIVE]
    assert [(one.index, one.matched) for one in found] == [(1, "sequence")]


@pytest.mark.parametrize("received", [99 * SECOND, 161 * SECOND])
def test_what_was_received_before_or_after_is_real(received: int):
    """An alert before the announcement can't be its event, one long after it isn't."""
    assert settle([ALERT], announced("b1"), received) == ((ALERT,), [])


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_marker_counts_though_the_clock_was_set(hours: int):
    """Nobody else knows it, so no test event becomes an alarm by a jump between the announcement and its event."""
    (proof,) = announced("b1")
    _, found = settle([Record(type="x", message=proof.marker)], [proof], (101 + hours * 3600) * SECOND)
    assert [one.marker for one in found] == [proof.marker]


def test_the_marker_of_another_run_is_not_taken_by_sequence():
    """Two runs at once: each gets its own."""
    first, second = announced("b1") + announced("b1")
    record = Record(type="x", message_id="ResourceEvent.1.0.TestMessage", message=second.marker)
    _, found = settle([record], [first, second], 101 * SECOND)
    assert [one.marker for one in found] == [second.marker]
    stranger = Record(type="x", message_id="ResourceEvent.1.0.TestMessage", message="redfleet-test-1234")
    assert settle([stranger], [first], 101 * SECOND)[1] == []


@pytest.mark.parametrize(
    "document",
    [[], {}, {"sources": []}, {"sources": ["a/b"]}, {"sources": ["b1"], "seconds": 0}, {"sources": ["b1"], "more": 1}],
)
def test_what_is_no_announcement_is_refused(document):
    """With a sentence."""
    with pytest.raises(InvalidProofError, match=r"^proofs: "):
        announcement_of(document)
