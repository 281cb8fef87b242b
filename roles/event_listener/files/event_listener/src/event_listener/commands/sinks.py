# SPDX-License-Identifier: GPL-3.0-or-later
"""`event-listener sinks`: does everything arrive where it should?"""

from __future__ import annotations

import click

from event_listener import status
from event_listener.commands import with_settings
from event_listener.commands.store_access import opened, table
from event_listener.event import rfc3339
from event_listener.settings import Settings


@click.command(short_help="Show where events go, and how far each sink is behind.")
@with_settings
def sinks(settings: Settings) -> None:
    """Show where events go, how far each sink is behind, and why."""
    with opened(settings) as store:
        found = status.sinks(store)
        age = status.relay_age(store)
        counts = store.cursors.counts()
    rows = [
        [
            sink.name,
            sink.state,
            rfc3339(sink.since_ns),
            f"{sink.lag} {sink.unit}s",
            str(counts.get((sink.name, "sent"), "")),
            str(sink.rejected),
            sink.reason,
        ]
        for sink in found
    ]
    table(["SINK", "STATE", "SINCE", "BEHIND", "SENT", "REJECTED", "REASON"], rows)
    if age is None or age > status.STALE_SECONDS:
        raise click.ClickException("the relay doesn't run, so nothing moves")
