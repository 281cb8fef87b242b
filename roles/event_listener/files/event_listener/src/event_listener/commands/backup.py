# SPDX-License-Identifier: GPL-3.0-or-later
"""`event-listener backup` and `restore`."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from event_listener.commands import with_settings
from event_listener.doctor import users
from event_listener.event import rfc3339
from event_listener.journal import JournalBrokenError, JournalUnavailableError
from event_listener.relay import lock_path
from event_listener.settings import Settings
from event_listener.store import StoreUnavailableError
from event_listener.store.migrations import NewerSchemaError

_folder = click.argument("folder", type=click.Path(file_okay=False, path_type=Path))


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    from event_listener.backup import BackupError  # noqa: PLC0415 - SQL, for these commands alone

    try:
        yield
    except (
        BackupError,
        StoreUnavailableError,
        NewerSchemaError,
        JournalUnavailableError,
        JournalBrokenError,
        OSError,
    ) as error:
        raise click.ClickException(str(error)) from error


@click.command(short_help="Copy journal and event log, while they are used.")
@_folder
@click.option("--part", type=click.Choice(["journal", "event-log"]), help="Only this; of hosts that share a database.")
@with_settings
def backup(settings: Settings, folder: Path, part: Any) -> None:
    """Copy the journal and the event log as of now into FOLDER, which is new or empty. Nothing has to be stopped.

    With PostgreSQL the event log is dumped by pg_dump. Where hosts share it, back up the journal of each first
    (`--part journal`), then the event log on one of them (`--part event-log`): then nothing that was acknowledged
    before is missing. Text logs aren't part of it; they can be written again from the event log (`sink replay`).
    """
    from event_listener.backup import PARTS, make  # noqa: PLC0415 - as above

    with _explained():
        manifest = make(settings, folder, PARTS if part is None else (part,))
    click.echo(f"{folder}: {', '.join(sorted(manifest.files))}, of journal {manifest.journal_id}")


@click.command(short_help="Put a backup back. Relay and management have to be stopped.")
@_folder
@click.option("--check", "check_only", is_flag=True, help="Only look whether it is whole and fits; changes nothing.")
@with_settings
def restore(settings: Settings, folder: Path, check_only: bool) -> None:
    """Replace the event log by that of a backup. What is there now is set aside (SQLite) or replaced (PostgreSQL).

    The journal stays, and ingest may go on acknowledging. What the backup's journal had and its event log hadn't is
    appended to it, and indexed with what came since. Sinks go on where they stood at the time of the backup.
    """
    from event_listener.backup import read  # noqa: PLC0415 - as above
    from event_listener.backup import restore as put_back  # noqa: PLC0415 - as above

    with _explained():
        manifest = read(settings, folder)
    if check_only:
        click.echo(f"{folder}: whole, made {rfc3339(manifest.made_ns)}: {', '.join(sorted(manifest.files))}")
        return
    with _explained(), _stopped(settings):
        done = put_back(settings, folder)
    until = f"holds what came until {rfc3339(done.newest_ns)}" if done.newest_ns else "is empty"
    click.echo(f"the event log {until}; {done.again} payloads of the backup's journal wait to be indexed")
    if done.aside:
        click.echo(f"the old event log is in {done.aside}: remove it when all is well")


@contextlib.contextmanager
def _stopped(settings: Settings) -> Iterator[None]:
    """Hold the relay's lock, and refuse who has the event log open."""
    path = lock_path(settings.state_dir)
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise click.ClickException(f"stop the relay first; it holds {path}") from error
        if found := users(Path(settings.state_dir) / "log"):
            who = ", ".join(f"{name} ({pid})" for pid, name in sorted(found.items())[:5])
            raise click.ClickException(f"stop management first; the event log is open in {who}")
        yield
