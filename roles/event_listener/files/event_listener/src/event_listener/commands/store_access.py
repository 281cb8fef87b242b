# SPDX-License-Identifier: GPL-3.0-or-later
"""What the commands that read the event log share."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from event_listener.parameters import ParameterError
from event_listener.policy import PolicyError
from event_listener.registry import InvalidSourceError
from event_listener.settings import Settings
from event_listener.store import Store, StoreUnavailableError, open_store
from event_listener.store.migrations import NewerSchemaError


@contextlib.contextmanager
def opened(settings: Settings) -> Iterator[Store]:
    """The event log; its errors become one sentence and exit status 1."""
    if not Path(settings.state_dir).is_dir():
        raise click.ClickException(f"there is no listener here: {settings.state_dir} doesn't exist; see --config")
    try:
        with open_store(settings.state_dir, settings.event_log) as store:
            yield store
    except (StoreUnavailableError, NewerSchemaError, ParameterError, PolicyError, InvalidSourceError, OSError) as error:
        raise click.ClickException(str(error)) from error


def printable(text: str) -> str:
    """Text without what a terminal would obey: it came from somebody else."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns; the last one as it is, the others as wide as their widest cell."""
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(row[index]) for row in (head, *cells)) for index in range(len(head) - 1)]
    for row in (head, *cells):
        line = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        click.echo("  ".join([*line, row[-1]]).rstrip())


def as_lines(items: Sequence[Mapping[str, Any]]) -> None:
    """Print one JSON object per line."""
    for item in items:
        click.echo(json.dumps(item))
