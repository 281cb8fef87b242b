# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests write into an event log."""

from event_listener.event import Record
from event_listener.store import Arrival

JOURNAL = "0123456789ab"
CURSOR = f"journal:{JOURNAL}"


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
        body=b"{%d}" % seq,
        records=records,
        problem=problem,
        **{"credential": "bmcs", **fields},
    )


def write(store, *arrivals):
    return store.log.write(arrivals, CURSOR, max(item.journal_seq for item in arrivals))
