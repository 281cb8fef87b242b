# SPDX-License-Identifier: GPL-3.0-or-later
"""`event-listener proofs`: test events that are about to come, and which of them came."""

from __future__ import annotations

import time
from typing import Any

import click

from event_listener import proof_view
from event_listener.commands import with_settings
from event_listener.commands.store_access import as_lines, opened, table
from event_listener.proofs import announce, announcement_of
from event_listener.settings import Settings


@click.group(short_help="Announce test events, and see which came.")
def proofs() -> None:
    """Announce test events, and see which came; the playbook `verify` does so for a fleet (docs/reports.md)."""


@proofs.command("announce")
@with_settings
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("--message-key", "keys", multiple=True, metavar="KEY", help="A message that counts, too; repeatable.")
@click.option("--seconds", default=600.0, show_default=True, help="How long they are waited for.")
@click.option("--json", "in_json", is_flag=True, help="One JSON object, as the API shows it.")
def announce_proofs(
    settings: Settings, sources: tuple[str, ...], keys: tuple[str, ...], seconds: float, in_json: bool
) -> None:
    """Announce a test event of each SOURCE, and print the marker to put into it."""
    with opened(settings) as store:
        wanted = announcement_of({"sources": list(sources), "message_keys": list(keys), "seconds": seconds})
        now = time.time_ns()
        announced = announce(wanted, now)
        store.proofs.announce(announced, now)
    _print(proof_view.shown(announced[0].batch, announced), in_json)


@proofs.command("show")
@with_settings
@click.argument("batch")
@click.option("--json", "in_json", is_flag=True, help="One JSON object, as the API shows it.")
def show_proofs(settings: Settings, batch: str, in_json: bool) -> None:
    """Print which of the test events that were announced together arrived."""
    with opened(settings) as store:
        found = store.proofs.batch(batch)
    if not found:
        raise click.ClickException(f"there are no proofs {batch}; they are kept for a day after they were announced")
    _print(proof_view.shown(batch, found), in_json)


def _print(shown: dict[str, Any], in_json: bool) -> None:
    if in_json:
        as_lines([shown])
        return
    click.echo(f"batch {shown['batch']}")
    rows = [
        [one["source"], one["marker"], one["received"] or "-", one["matched"] or "-", one["event_id"] or "-"]
        for one in shown["proofs"]
    ]
    table(["SOURCE", "MARKER", "RECEIVED", "MATCHED", "EVENT"], rows)
