# SPDX-License-Identifier: GPL-3.0-or-later
"""When to try again. No I/O."""

from __future__ import annotations

BASE_SECONDS = 0.5
MAX_SECONDS = 60.0


def delay(attempt: int, chance: float, base: float = BASE_SECONDS, longest: float = MAX_SECONDS) -> float:
    """Seconds before try ``attempt`` + 1 (the first is 1), ``chance`` a random number in [0, 1).

    Doubles up to ``longest``; half of it is jitter, so that many lanes that lost one peer don't return as one.
    """
    full: float = min(longest, base * 2.0 ** min(attempt - 1, 30))
    return full * (0.5 + chance / 2)
