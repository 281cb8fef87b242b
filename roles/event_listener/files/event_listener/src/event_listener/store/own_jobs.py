# SPDX-License-Identifier: GPL-3.0-or-later
"""The listener's own long operations as jobs: events that tell of their begin and end, linked by a start id.

One that is broken off has told no end. It is taken up again, hangs until then, and an alert says so; or it ended with
its process, and the relay tells that it failed (lifeline.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from event_listener.event import Category, Level, State
from event_listener.store.log import Arrival, now_ns
from event_listener.store.own import own_arrival

_KEYS = {State.STARTED: "JobStarted", State.COMPLETED: "JobCompleted"}


def job_event(
    start_id: str, state: State, text: str, arguments: Sequence[str] = (), *, sign: int = 0, failed: bool = False
) -> Arrival:
    """Tell that an operation of ours started or completed; who says so again adds nothing.

    ``sign`` numbers what only says that it still runs. ``failed``: it ended, and not well.
    """
    return own_arrival(
        "JobFailed" if failed else "JobProgress" if sign else _KEYS[state],
        text,
        unique=f"job:{start_id}:{state}:{sign}" if sign else f"job:{start_id}:{state}",
        now_ns=now_ns(),
        level=Level.ERROR if failed else Level.INFO,
        category=Category.ASYNC_JOB,
        arguments=[start_id, *arguments],
        resource=("Job", start_id),
        state=state,
        start_id=start_id,
    )
