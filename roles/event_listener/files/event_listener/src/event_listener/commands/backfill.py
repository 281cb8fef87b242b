# SPDX-License-Identifier: GPL-3.0-or-later
"""`event-listener backfill`: entries of BMCs' logs, of which those are added that the event log lacks."""

from __future__ import annotations

from typing import IO

import click
import msgspec

from event_listener.backfill import Backfill, request_of
from event_listener.commands import with_settings
from event_listener.commands.accounts import actor
from event_listener.commands.store_access import document, opened, table
from event_listener.settings import Settings


@click.command(short_help="Add entries of BMCs' logs that the event log lacks.")
@with_settings
@click.argument("file", type=click.File("rb"))
@click.option("--check", is_flag=True, help="Only say how many are missing.")
def backfill(settings: Settings, file: IO[bytes], check: bool) -> None:
    """Add the entries of BMCs' logs that the event log lacks: FILE (- is standard input) holds what the API takes.

    The playbook `backfill` reads them from the BMCs (docs/backfill.md).
    """
    given = document(file)
    with opened(settings) as store:
        wanted = request_of(given)
        wanted = msgspec.structs.replace(wanted, check=check or wanted.check)
        outcomes = Backfill(settings.state_dir).run(store, wanted, actor())
    rows = [[one.source, *map(str, (one.entries, one.known, one.added, one.undated))] for one in outcomes]
    table(["SOURCE", "ENTRIES", "KNOWN", "MISSING" if wanted.check else "ADDED", "UNDATED"], rows)
