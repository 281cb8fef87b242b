# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sources have been silent for too long? And which board is another one than before? No I/O.

How long a source may be silent is known in two ways: its subscription sends heartbeats (registered when it was
subscribed), or test events are due by a timer (``verify.yml``). Where neither is so, silence proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from event_listener.registry import Source, SourcePlan

JUMP_SECONDS = 5.0  # by which the clock may differ from what has passed; NTP slews by far less


class Expectation(msgspec.Struct, frozen=True):
    """How many of what may be missed, and what is added to be fair, in seconds."""

    missed_heartbeats: int = 3
    proof_minutes: float = 0
    missed_proofs: int = 2
    grace: float = 60.0

    def longest(self, source: Source) -> float | None:
        """Seconds that a source may be silent; None where nothing is expected of it."""
        if source.state != "active":
            return None
        if source.heartbeat_minutes:
            return source.heartbeat_minutes * 60 * self.missed_heartbeats + self.grace
        if self.proof_minutes:
            return self.proof_minutes * 60 * self.missed_proofs + self.grace
        return None


class Health(msgspec.Struct, frozen=True):
    """What was judged of a source: since when it is (not) silent, how long it may be (s), how often that changed."""

    source: str
    silent: bool
    since_ns: int
    longest: float
    changes: int = 0


def judge(
    sources: Iterable[Source],
    heard: Mapping[str, int],
    known: Mapping[str, Health],
    expectation: Expectation,
    *,
    now_ns: int,
    fair_ns: int,
) -> list[Health]:
    """What is news of the sources of which something is expected.

    ``heard``: when each was heard last. ``fair_ns``: from when on all of them could have been heard; what was before
    (a restart, an outage, another clock) isn't held against anybody. A silent one is back when it was heard again.
    """
    found = []
    for source in sources:
        longest = expectation.longest(source)
        if longest is None:
            continue
        before = known.get(source.name, Health(source.name, False, now_ns, longest))
        last = heard.get(source.name, 0)
        if last > now_ns + longest * 1e9:
            last = 0  # by a clock that was set back since: it counts as heard when that was
        quiet = now_ns - max(last, fair_ns) > longest * 1e9
        silent = last <= before.since_ns if before.silent else quiet
        after = msgspec.structs.replace(before, longest=longest)
        if silent != before.silent:
            after = Health(source.name, silent, now_ns, longest, before.changes + 1)
        if after != known.get(source.name):
            found.append(after)
    return found


class FairStart:
    """From when on every source could have been heard. Begins anew when the clock jumps, or nobody listened."""

    def __init__(self, wall_ns: int, monotonic: float) -> None:
        self.ns = wall_ns
        self._last = wall_ns, monotonic

    def step(self, wall_ns: int, monotonic: float, *, listening: bool) -> bool:
        """Look at the clocks once more; returns whether all goes on as before."""
        passed, (wall, before) = monotonic - self._last[1], self._last
        self._last = wall_ns, monotonic
        steady = listening and abs((wall_ns - wall) / 1e9 - passed) <= JUMP_SECONDS and before <= monotonic
        if not steady:
            self.ns = wall_ns
        return steady


class Replacement(msgspec.Struct, frozen=True):
    """A source that is another one now: ``what`` (uuid, serial, address) was ``before`` and is ``after``."""

    source: Source
    what: str
    before: str
    after: str


def replacements(existing: Mapping[str, Source], plan: SourcePlan) -> list[Replacement]:
    """Boards that were changed, and addresses that another source has now. A field that becomes known is no change."""
    found = []
    for after in plan.write:
        before = existing.get(after.name)
        for what in ("uuid", "serial"):
            old, new = getattr(before, what, None), getattr(after, what)
            if old and new and old != new:
                found.append(Replacement(after, what, old, new))
        if after.address and (before is None or before.address != after.address):
            found += [
                Replacement(other, "address", other.name, after.name)
                for other in existing.values()
                if other.address == after.address and other.name != after.name and other.state != "retired"
            ]
    return found
