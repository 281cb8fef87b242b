# SPDX-License-Identifier: GPL-3.0-or-later
"""Announced test events as the API and the command line show them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from event_listener.event import rfc3339
from event_listener.proofs import Proof


def shown(batch: str, proofs: Sequence[Proof]) -> dict[str, Any]:
    """Those that were announced together, and the listener's clock."""
    return {"batch": batch, "now": rfc3339(time.time_ns()), "proofs": [_shown(proof) for proof in proofs]}


def _shown(proof: Proof) -> dict[str, Any]:
    return {
        "source": proof.source,
        "marker": proof.marker,
        "asked": rfc3339(proof.asked_ns),
        "received": None if proof.received_ns is None else rfc3339(proof.received_ns),
        "event_id": proof.event_id,
        "matched": proof.matched,
    }
