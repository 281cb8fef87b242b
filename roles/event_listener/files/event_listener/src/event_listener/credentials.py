# SPDX-License-Identifier: GPL-3.0-or-later
"""Which BMCs would be locked out if the listener accepted fewer credentials. Names and times only. No I/O.

Two things are known of a source: which credential it was *given* (who wrote its subscription said so), and which ones
it *showed* lately. A BMC that shows another one than it was given has a second subscription, or was changed by hand.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import msgspec

from event_listener.event import rfc3339
from event_listener.registry import Source

PATH = "path:"  # begins the name of what a secret path showed, which no credential of the settings is


class Need(msgspec.Struct, frozen=True):
    """A source that needs a credential which is to go, and why it is thought to."""

    source: str
    reason: str


def needs(
    sources: Iterable[Source], uses: Mapping[str, Mapping[str, int]], keep: Collection[str], *, heard: bool = False
) -> list[Need]:
    """The registered sources that would be refused if only ``keep`` stayed; with ``heard`` also those not yet proven.

    ``uses`` says when each source last showed which credential (ns). Retired sources don't count.
    """
    found = []
    for source in sources:
        if source.state != "retired":
            reason = _reason(source, uses.get(source.name, {}), keep, heard)
            if reason:
                found.append(Need(source.name, reason))
    return found


def _reason(source: Source, uses: Mapping[str, int], keep: Collection[str], heard: bool) -> str:
    """Why this source needs another credential than those in ``keep``; "" when it doesn't."""
    shown = {name: moment for name, moment in uses.items() if not name.startswith(PATH)}
    last = max(shown, key=lambda name: shown[name], default=None)
    given, given_ns = source.credential, source.credential_given_ns or 0
    if last is not None and shown[last] > given_ns:
        # What it did after it was given one says more than the record.
        if last in keep:
            return ""
        record = f", although it was given {given} at {rfc3339(given_ns)}" if given in keep else ""
        return f"it last sent with {last}, at {rfc3339(shown[last])}{record}"
    if given in keep:
        return "" if not heard or given in shown else f"it has {given}, but was not heard with it yet"
    if given is not None:
        return f"it has {given}, since {rfc3339(given_ns)}"
    if source.path_secrets:
        return ""
    return "nobody recorded which credential it has, and it was never heard"
