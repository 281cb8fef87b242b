# SPDX-License-Identifier: GPL-3.0-or-later
"""`event-listener scans`: what was scanned because of changes, and what came of it."""

from __future__ import annotations

import click
import msgspec

from event_listener.commands import with_settings
from event_listener.commands.accounts import actor
from event_listener.commands.store_access import as_lines, opened, table
from event_listener.event import rfc3339
from event_listener.settings import Settings
from event_listener.settings_scans import ScanSink

_STATES = ("scheduled", "launching", "running", "completed", "failed", "dry_run")


@click.group(short_help="Look at scans, and ask for one again.")
def scans() -> None:
    """Look at the vulnerability scans of what changes affected, and ask for one again."""


@scans.command("list")
@click.option("--sink", default="", metavar="NAME", help="Of this sink alone.")
@click.option("--state", "states", multiple=True, type=click.Choice(_STATES), help="In this state; may be repeated.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 10000), help="Most that are shown.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line, with addresses and causes.")
@with_settings
def list_scans(settings: Settings, sink: str, states: tuple[str, ...], limit: int, as_json: bool) -> None:
    """List scans, newest first, and which scanners want to be left alone."""
    with opened(settings) as store:
        found = store.scans.list(sink, states, limit)
        names = [section.name for section in settings.sinks.bus() if isinstance(section, ScanSink)]
        pauses = {name: store.scans.paused(name) for name in names if sink in ("", name)}
    if as_json:
        as_lines([msgspec.to_builtins(job) for job in found])
        return
    rows = [
        [job.id, rfc3339(job.created_ns), job.sink, job.state, str(len(job.addresses)), job.reference, job.error]
        for job in found
    ]
    table(["SCAN", "SCHEDULED", "SINK", "STATE", "ADDRESSES", "REFERENCE", "ERROR"], rows)
    for name, (seconds, why) in pauses.items():
        if seconds:
            click.echo(f"{name} asks nothing for another {seconds:.0f} s: {why}", err=True)


@scans.command("retry")
@click.argument("scan")
@with_settings
def retry(settings: Settings, scan: str) -> None:
    """Schedule a scan that failed once more."""
    with opened(settings) as store:
        if not store.scans.again(scan, actor()):
            raise click.ClickException(f"{scan} is no scan that failed; `event-listener scans list` shows them")
    click.echo(f"{scan} is scheduled")
