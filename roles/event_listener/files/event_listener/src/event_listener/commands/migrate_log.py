# SPDX-License-Identifier: GPL-3.0-or-later
"""`event-listener migrate-log`: from SQLite to the database that the configuration names."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import click

from event_listener.commands import with_settings
from event_listener.journal import JournalBrokenError, JournalReader, JournalUnavailableError
from event_listener.relay import lock_path
from event_listener.settings import Settings
from event_listener.store import Store, StoreUnavailableError, shared_database, sqlite_path
from event_listener.store.backend import SQLiteBackend
from event_listener.store.migrations import NewerSchemaError
from event_listener.store.move import Move, MoveRefusedError


@click.command("migrate-log", short_help="Move the event log from SQLite to PostgreSQL.")
@with_settings
def migrate_log(settings: Settings) -> None:
    """Copy the event log in state_dir into the empty database of `event_log.url`, with ids and cursors.

    First write `event_log` into the configuration, then run this; events may keep coming. When it asks for it, restart
    the listener: the relay then goes on in the new database. Broken off, it goes on where it was.
    """
    path = sqlite_path(settings.state_dir)
    if not settings.event_log.url:
        raise click.ClickException("event_log.url is empty: say in the configuration where the event log shall be")
    if not path.is_file():
        raise click.ClickException(f"there is no event log to move: {path} doesn't exist")
    try:
        with _both(settings, path) as move:
            move.begin()
            click.echo(f"{move.copy()} rows copied")
            with _relay_stopped(lock_path(settings.state_dir)):
                rest = move.finish()
    except (MoveRefusedError, StoreUnavailableError, NewerSchemaError, OSError) as error:
        raise click.ClickException(str(error)) from error
    except (JournalUnavailableError, JournalBrokenError) as error:
        raise click.ClickException(f"which host this is isn't known: {error}") from error
    click.echo(f"{rest} more; done. {path} isn't used any more: keep it as a backup, or delete it")


@contextlib.contextmanager
def _both(settings: Settings, path: Path) -> Iterator[Move]:
    with contextlib.ExitStack() as stack:
        source = SQLiteBackend(path)
        stack.callback(source.close)
        target = shared_database(settings.event_log)
        stack.callback(target.close)
        with JournalReader(settings.state_dir) as reader:
            journal_id = reader.journal_id
        for backend in (source, target):
            Store(backend)  # brings the tables to this version's state
        # A sink that keeps its cursor with its files is this host's own.
        local = [mark.stem for mark in (Path(settings.state_dir) / "sinks").glob("*.db")]
        yield Move(source, target, journal_id, local)


@contextlib.contextmanager
def _relay_stopped(path: Path) -> Iterator[None]:
    """Hold the relay's lock. It waits in the kernel's queue, so a relay that is restarted comes after us."""
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            click.echo("waiting for the relay: restart the listener now (systemctl restart event-listener.target)")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
