# SPDX-License-Identifier: GPL-3.0-or-later
"""`event-listener import-text-log`: what the DMTF tool wrote becomes part of the event log."""

from __future__ import annotations

import os
import sys
import zoneinfo
from pathlib import Path

import click

from event_listener.commands import with_settings
from event_listener.commands.store_access import opened
from event_listener.dmtf_text_log import entries
from event_listener.settings import Settings
from event_listener.text_log_import import TextLogImport, batches


@click.command("import-text-log", short_help="Import Events_*.txt files into the event log.")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--timezone", metavar="NAME", help="Zone of the host that wrote them, as Europe/Berlin; default: ours.")
@with_settings
def import_text_log(settings: Settings, files: tuple[Path, ...], timezone: str | None) -> None:
    """Import text logs (Events_<Service IP>.txt) into the event log, with the origin `import`.

    Every entry is imported once, however often it is given. What can't be read is named, and kept in quarantine; the
    exit status is 1 then. The listener may run meanwhile; imported events go to no sink.
    """
    damaged = 0
    with opened(settings) as store:
        importer = TextLogImport(store, _zone(timezone))
        for path in files:
            damaged += _import(importer, path)
    done = importer.done
    click.echo(f"{done.added} entries with {done.events} events imported, {done.known} known, {damaged} damaged")
    sys.exit(1 if damaged else 0)


def _zone(name: str | None) -> zoneinfo.ZoneInfo | None:
    try:
        return zoneinfo.ZoneInfo(name) if name else None
    except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
        raise click.ClickException(f"{name} is no time zone; give a name such as Europe/Berlin") from error


def _import(importer: TextLogImport, path: Path) -> int:
    """Import one file with its progress on standard error; returns how many parts of it can't be read."""
    damaged = 0
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        with click.progressbar(length=size, label=path.name, file=sys.stderr) as progress:
            done = 0
            for batch in batches(entries(file)):
                for entry in importer.add(batch):
                    damaged += 1
                    click.echo(f"{path}:{entry.line}: {entry.problem or 'its details are no event'}", err=True)
                progress.update(batch[-1].end - done)
                done = batch[-1].end
    return damaged
