# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests put into event logs and sinks."""

from event_listener.event import Origin, Payload, Record
from event_listener.store import Arrival

JOURNAL = "0123456789ab"
CURSOR = f"journal:{JOURNAL}"
NOON = 1_795_349_674_123_456_789  # 2026-11-22T12:14:34.123456789Z


def arrival(seq, *, source="bmc1", records=None, problem="", **fields):
    if records is None:
        records = () if problem else (Record(type="Test.Event", message=f"m{seq}", record={"n": seq}),)
    return Arrival(
        journal_id=JOURNAL,
        journal_seq=seq,
        received_ns=seq * 1000,
        source=source,
        address=f"addr-{source}",
        peer="192.0.2.1",
        content_type="application/json",
        records=records,
        problem=problem,
        **{"credential": "bmcs", "body": b"{%d}" % seq, **fields},
    )


def write(store, *arrivals):
    return store.log.write(arrivals, CURSOR, max(item.journal_seq for item in arrivals))


def payload(seq, address="192.0.2.7", body=None):
    """A POST as a file sink gets it."""
    return Payload(
        seq=seq,
        journal_id=JOURNAL,
        journal_seq=seq,
        received_ns=NOON,
        source="bmc",
        address=address,
        peer=address,
        credential="c",
        content_type="application/json",
        origin=Origin.LIVE,
        body=body if body is not None else b'{"n": %d}' % seq,
    )
