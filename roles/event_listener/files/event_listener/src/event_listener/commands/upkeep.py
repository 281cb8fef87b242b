# SPDX-License-Identifier: GPL-3.0-or-later
"""`event-listener upkeep` and `coverage`: what playbooks did for the fleet, and what they found."""

from __future__ import annotations

import time
from typing import IO

import click
import msgspec

from event_listener import upkeep_view
from event_listener.commands import with_settings
from event_listener.commands.store_access import as_lines, document, opened, table
from event_listener.event import rfc3339
from event_listener.settings import Settings
from event_listener.upkeep import changes, coverage_of


@click.group(short_help="See outages, and what was done for each source.")
def upkeep() -> None:
    """Outages of the last 90 days, and what playbooks did for each registered source (docs/upkeep.md)."""


@upkeep.command("show")
@with_settings
@click.option("--json", "in_json", is_flag=True, help="One JSON object, as the API shows it.")
def show_upkeep(settings: Settings, in_json: bool) -> None:
    """Print each source's care, and when nothing was received."""
    with opened(settings) as store:
        found = upkeep_view.shown(store)
    if in_json:
        as_lines([found])
        return
    columns = ("complete", "checked", "verdict", "repaired", "last_proven")
    rows = [[name, *(one[column] or "-" for column in columns)] for name, one in found["sources"].items()]
    table(["SOURCE", "COMPLETE UNTIL", "CHECKED", "VERDICT", "REPAIRED", "PROVEN"], rows)
    for one in found["outages"]:
        where = f" at {one['listener']}" if one["listener"] else ""
        click.echo(f"nothing was received{where} from {one['began']} to {one['ended']} ({one['seconds']:.0f} s)")


@upkeep.command("tell")
@with_settings
@click.argument("file", type=click.File("rb"))
def tell_upkeep(settings: Settings, file: IO[bytes]) -> None:
    """Tell what was done for sources: FILE (- is standard input) holds what the API takes."""
    told = document(file, {"sources"})["sources"]
    with opened(settings) as store:
        done = changes(told, time.time_ns())
        store.upkeep.take_care(done)
    click.echo(f"told of {len(done)} sources")


@click.group(short_help="See what the last look at the whole fleet found.")
def coverage() -> None:
    """What the last look at the whole fleet found (docs/reports.md)."""


@coverage.command("show")
@with_settings
@click.option("--json", "in_json", is_flag=True, help="One JSON object, as the API shows it.")
def show_coverage(settings: Settings, in_json: bool) -> None:
    """Print what was found, and when."""
    with opened(settings) as store:
        found = store.upkeep.coverage()
    if found is None:
        raise click.ClickException("nobody looked at the whole fleet yet; run the playbook redfleet.events.coverage")
    content, at_ns = found
    if in_json:
        as_lines([{**content, "at": rfc3339(at_ns)}])
        return
    click.echo(f"{content['asked']} BMCs were asked at {rfc3339(at_ns)}; {content['free_slots']} slots are free")
    rows = [[finding, str(len(names)), " ".join(names)] for finding, names in content["findings"].items() if names]
    table(["FINDING", "COUNT", "NAMES"], rows)


@coverage.command("tell")
@with_settings
@click.argument("file", type=click.File("rb"))
def tell_coverage(settings: Settings, file: IO[bytes]) -> None:
    """Replace what was found: FILE (- is standard input) holds what the API takes."""
    told = document(file)
    with opened(settings) as store:
        found = coverage_of(told)
        store.upkeep.report_coverage(msgspec.to_builtins(found), time.time_ns())
    click.echo(f"{sum(map(len, found.findings.values()))} findings")
