# SPDX-License-Identifier: GPL-3.0-or-later
"""What the commands that read the event log share."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import click

from event_listener.backfill import BackfillError
from event_listener.journal import JournalBrokenError, JournalUnavailableError
from event_listener.parameters import ParameterError
from event_listener.policy import PolicyError
from event_listener.proofs import InvalidProofError
from event_listener.registry import InvalidSourceError
from event_listener.settings import Settings
from event_listener.store import Store, StoreUnavailableError, open_store
from event_listener.store.migrations import NewerSchemaError
from event_listener.upkeep import InvalidUpkeepError

_REFUSED = (ParameterError, PolicyError, InvalidSourceError, InvalidProofError, InvalidUpkeepError, BackfillError)
_UNUSABLE = (StoreUnavailableError, NewerSchemaError, JournalUnavailableError, JournalBrokenError, OSError)


@contextlib.contextmanager
def opened(settings: Settings) -> Iterator[Store]:
    """The event log; its errors become one sentence and exit status 1."""
    if not Path(settings.state_dir).is_dir():
        raise click.ClickException(f"there is no listener here: {settings.state_dir} doesn't exist; see --config")
    try:
        with open_store(settings.state_dir, settings.event_log) as store:
            yield store
    except (*_REFUSED, *_UNUSABLE) as error:
        raise click.ClickException(str(error)) from error


def document(file: IO[bytes], names: set[str] | None = None) -> dict[str, Any]:
    """The JSON object in a file, as a body of the API; with ``names`` of these members and no other."""
    name = getattr(file, "name", "the input")
    try:
        found = json.loads(file.read())
    except (ValueError, RecursionError) as error:
        raise click.ClickException(f"{name} isn't JSON: {error}") from error
    if not isinstance(found, dict) or (names is not None and found.keys() != names):
        members = f" with {', '.join(sorted(names))} and nothing else" if names else ""
        raise click.ClickException(f"{name} holds no JSON object{members}; docs/api.md shows what it takes")
    return found


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
