# SPDX-License-Identifier: GPL-3.0-or-later
"""A journal entry that a bus delivered, as what the event log takes. No I/O."""

from __future__ import annotations

import msgspec

from event_listener.event import public_id
from event_listener.normalise.buses import INPUT, event_id, understand
from event_listener.store import Arrival, Given


def from_bus(arrival: Arrival) -> Arrival:
    """The arrival with its records, each with the id that its message gives it; or with the problem."""
    kind = arrival.credential.removeprefix(INPUT).partition(":")[0]
    found = understand(kind, arrival.body, arrival.content_type)
    given = tuple(
        Given(
            id=event_id(arrival.source, found.message_id, index)
            if found.message_id
            else public_id(arrival.journal_id, arrival.journal_seq, index),
            source=arrival.source,
            address=arrival.address,
            received_ns=arrival.received_ns,
            owner=arrival.owner,
        )
        for index in range(len(found.records))
    )
    return msgspec.structs.replace(arrival, records=found.records, given=given, problem=found.problem)


def is_from_bus(credential: str) -> bool:
    """Whether a credential is an input's."""
    return credential.startswith(INPUT)
