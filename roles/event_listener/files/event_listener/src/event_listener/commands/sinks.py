# SPDX-License-Identifier: GPL-3.0-or-later
"""`event-listener sinks`: does everything arrive where it should?"""

from __future__ import annotations

import time

import click

from event_listener import status
from event_listener.commands import with_settings
from event_listener.commands.store_access import opened, table
from event_listener.event import rfc3339
from event_listener.settings import Settings


@click.command(short_help="Show where events go, and how far each sink is behind.")
@click.option(
    "--seconds",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0, 60),
    help="How long to watch the rate; 0: not.",
)
@with_settings
def sinks(settings: Settings, seconds: float) -> None:
    """Show where events go, how far each sink is behind, how fast it is, and why."""
    with opened(settings) as store:
        before = {sink.name: sink.position for sink in status.sinks(store)} if seconds else {}
        time.sleep(seconds)
        found = status.sinks(store)
        age = status.relay_age(store)
        counts = store.cursors.counts()
    rows = [
        [
            sink.name,
            sink.state,
            rfc3339(sink.since_ns),
            f"{sink.lag} {sink.unit}s, {sink.behind:.1f} s" if sink.lag else f"0 {sink.unit}s",
            f"{(sink.position - before[sink.name]) / seconds:.0f}/s" if sink.name in before else "",
            str(counts.get((sink.name, "sent"), "")),
            str(sink.rejected),
            sink.reason,
        ]
        for sink in found
    ]
    table(["SINK", "STATE", "SINCE", "BEHIND", "RATE", "SENT", "REJECTED", "REASON"], rows)
    if age is None or age > status.STALE_SECONDS:
        raise click.ClickException("the relay doesn't run, so nothing moves")
