# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows from an attempt: for its delivery, and for the endpoint. No I/O.

Two clocks. A delivery has ``tries``, further and further apart. An endpoint that fails rests: while it does, nothing
else is sent there, so that what waits for it doesn't use up its tries. It is asked again every few minutes at least.
"""

from __future__ import annotations

import msgspec

from event_listener import backoff, http_answers

GONE = 410
SECOND = 1_000_000_000
REST_BASE, REST_LONGEST = 1.0, 300.0
LEAST_FAILURES = 10  # before an endpoint is given up, however long it takes


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One request and what came of it. ``status`` None: there was no answer, ``error`` says why."""

    started_ns: int
    duration_ms: int
    address: str = ""
    request_headers: dict[str, str] = {}
    status: int | None = None
    error: str = ""
    response_headers: dict[str, str] = {}
    response: str = ""

    @property
    def delivered(self) -> bool:
        """Any 2xx is success, whatever follows it."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def retry_after(self) -> float | None:
        """What the endpoint asks for, seconds."""
        return http_answers.retry_after(self.response_headers.get("retry-after"))

    @property
    def reason(self) -> str:
        """Why it failed, and what to do about it."""
        if self.status is None:
            return self.error
        return f"it answers {self.status}; {http_answers.hint(self.status, 'see the response')}"


class Rules(msgspec.Struct, frozen=True):
    """How stubborn deliveries are: seconds, but ``tries``."""

    tries: int
    base: float
    longest: float
    disable_after: float

    @property
    def longest_ns(self) -> int:
        """What anything waits at most."""
        return int(max(self.longest, http_answers.LONGEST_WAIT, REST_LONGEST) * SECOND)


class Health(msgspec.Struct, frozen=True):
    """How an endpoint is: failures since the last success, since when, and until when it rests."""

    failures: int = 0
    failing_since_ns: int = 0
    rests_until_ns: int = 0


class Next(msgspec.Struct, frozen=True):
    """What becomes of a delivery."""

    state: str
    next_ns: int


PENDING, DELIVERED, FAILED = "Pending", "Delivered", "Failed"


def follow_up(attempt: Attempt, number: int, rules: Rules, now_ns: int, chance: float) -> Next:
    """What becomes of a delivery after its attempt ``number`` (the first is 1)."""
    if attempt.delivered:
        return Next(DELIVERED, 0)
    if attempt.status == GONE or number >= rules.tries:
        return Next(FAILED, 0)
    wait = backoff.delay(number, chance, rules.base, rules.longest)
    return Next(PENDING, now_ns + int(max(wait, attempt.retry_after or 0.0) * SECOND))


def health_after(health: Health, attempt: Attempt, now_ns: int, chance: float) -> Health:
    """How the endpoint is after an attempt."""
    if attempt.delivered:
        return Health()
    failures = health.failures + 1
    rest = backoff.delay(failures, chance, REST_BASE, REST_LONGEST)
    if attempt.retry_after is not None:
        rest = max(rest, attempt.retry_after)
    return Health(failures, health.failing_since_ns or attempt.started_ns, now_ns + int(rest * SECOND))


def verdict(health: Health, attempt: Attempt, rules: Rules, now_ns: int) -> str:
    """Why the webhook is to be disabled; empty where it stays."""
    if attempt.status == GONE:
        return "the endpoint answers 410: it is gone for good"
    failing = (now_ns - health.failing_since_ns) / SECOND
    if not rules.disable_after or health.failures < LEAST_FAILURES or failing < rules.disable_after:
        return ""
    return (
        f"every attempt of the last {failing / 3600:.0f} hours failed ({health.failures}); the last: {attempt.reason}"
    )
