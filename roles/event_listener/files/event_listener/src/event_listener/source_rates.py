# SPDX-License-Identifier: GPL-3.0-or-later
"""Events per minute of each source, over the last minutes; reckoned by the relay, shown by the management server."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

MINUTES = 5.0  # how long an event counts, as load averages do: after as long a third of it is left
_LEAST = 0.005  # events per minute; less is none


class Rates:
    """From counts that only grow, looked at every now and then. No I/O."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._looked: float | None = None
        self.by_source: dict[str, float] = {}

    def step(self, counts: Mapping[str, int], seconds: float) -> None:
        """Take the counts of now; ``seconds`` by a clock that can't be set."""
        before, self._counts = self._counts, dict(counts)
        passed = (seconds - self._looked) / 60 if self._looked is not None else 0.0
        self._looked = seconds
        if passed <= 0:
            return
        kept = math.exp(-passed / MINUTES)
        rates = {}
        for name, count in counts.items():
            # A source that is new since the last look has sent all of it since then.
            now = max(0, count - before.get(name, 0)) / passed
            rate = self.by_source.get(name, 0.0) * kept + now * (1 - kept)
            if rate >= _LEAST:
                rates[name] = rate
        self.by_source = rates


def _path(state_dir: str | Path) -> Path:
    return Path(state_dir) / "run" / "rates.json"


def publish(state_dir: str | Path, rates: Mapping[str, float]) -> None:
    """Replace what was told before. Raises OSError."""
    path = _path(state_dir)
    path.parent.mkdir(mode=0o750, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(msgspec.json.encode({name: round(rate, 3) for name, rate in rates.items()}))
    os.chmod(temporary, 0o640)
    temporary.replace(path)


def published(state_dir: str | Path) -> dict[str, float]:
    """Events per minute by source; a source without any is missing. Nothing where it can't be read."""
    try:
        return msgspec.json.decode(_path(state_dir).read_bytes(), type=dict[str, float])
    except (OSError, msgspec.DecodeError):
        return {}
