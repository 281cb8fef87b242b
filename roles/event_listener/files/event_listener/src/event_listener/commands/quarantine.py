# SPDX-License-Identifier: GPL-3.0-or-later
"""`event-listener quarantine`: what arrived and wasn't understood."""

from __future__ import annotations

import sys

import click
import msgspec

from event_listener.bus_arrival import from_bus, is_from_bus
from event_listener.commands import with_settings
from event_listener.commands.accounts import actor
from event_listener.commands.store_access import opened, table
from event_listener.event import rfc3339
from event_listener.normalise.redfish import normalise
from event_listener.settings import Settings
from event_listener.store import Arrival, Held, Store

_PAGE = 500


@click.group(short_help="Look at payloads that weren't understood.")
def quarantine() -> None:
    """Look at payloads that arrived authenticated and weren't understood; they are kept whole."""


@quarantine.command("list")
@with_settings
def list_held(settings: Settings) -> None:
    """List them, oldest first."""
    with opened(settings) as store:
        held = _all(store)
    rows = [[str(item.seq), rfc3339(item.received_ns), item.source, str(item.size), item.reason] for item in held]
    table(["SEQ", "RECEIVED", "SOURCE", "BYTES", "REASON"], rows)


@quarantine.command("show")
@with_settings
@click.argument("seq", type=int)
def show(settings: Settings, seq: int) -> None:
    """Write the body of one, byte for byte, to standard output."""
    with opened(settings) as store:
        body = store.quarantine.body(seq)
    if body is None:
        raise click.ClickException(f"there is no quarantined payload {seq}")
    sys.stdout.buffer.write(body)
    sys.stdout.buffer.flush()


@quarantine.command("retry")
@with_settings
@click.argument("seqs", nargs=-1, type=int)
@click.option("--all", "everything", is_flag=True, help="All of them.")
def retry(settings: Settings, seqs: tuple[int, ...], everything: bool) -> None:
    """Try to understand them again, after an upgrade. Those that succeed move to the event log."""
    if bool(seqs) == everything:
        raise click.UsageError("give sequence numbers, or --all")
    with opened(settings) as store:
        chosen = [item.seq for item in _all(store)] if everything else list(seqs)
        outcome = store.quarantine.retry(chosen, _understood, actor())
    moved = sum(outcome.values())
    click.echo(f"{moved} of {len(outcome)} moved to the event log")
    if moved < len(outcome) and not everything:
        sys.exit(1)


def _understood(arrival: Arrival) -> Arrival:
    if is_from_bus(arrival.credential):
        return from_bus(arrival)
    return msgspec.structs.replace(arrival, records=normalise(arrival.body).records)


def _all(store: Store) -> list[Held]:
    found: list[Held] = []
    while page := store.quarantine.list(found[-1].seq if found else 0, _PAGE):
        found += page
    return found
