# SPDX-License-Identifier: GPL-3.0-or-later
"""`event-listener sink`: pause and resume a sink, send stored events again, see what it refused."""

from __future__ import annotations

import click

from event_listener import file_replay, sinks
from event_listener.commands import with_settings
from event_listener.commands.accounts import actor
from event_listener.commands.store_access import opened
from event_listener.event import nanoseconds, rfc3339
from event_listener.places import cursor_name
from event_listener.settings import Settings
from event_listener.store import Store


@click.group(short_help="Pause, resume and replay a sink; see what it refused.")
def sink() -> None:
    """Pause, resume and replay a sink; see what it refused. File sinks can't be paused; they replay into new files."""


@sink.command()
@click.argument("name")
@with_settings
def pause(settings: Settings, name: str) -> None:
    """Stop sending to a sink; its events wait. A batch that is on its way may still arrive."""
    _bus_sink(settings, name)
    with opened(settings) as store:
        store.cursors.pause(name, actor())
    click.echo(f"{name} is paused; `event-listener sink resume {name}` lets it go on")


@sink.command()
@click.argument("name")
@with_settings
def resume(settings: Settings, name: str) -> None:
    """Let a paused sink go on where it stood."""
    _bus_sink(settings, name)
    with opened(settings) as store:
        was_paused = store.cursors.resume(name, actor())
    click.echo(f"{name} goes on within seconds" if was_paused else f"{name} wasn't paused")


@sink.command()
@click.argument("name")
@click.option("--from", "start", required=True, metavar="TIME|ID", help="RFC 3339 time of receipt, or an event's id.")
@click.option("--into", metavar="FILE", help="For a file sink: the new file to write, or - for standard output.")
@click.option("--source", default="", help="With --into: only what this source sent.")
@with_settings
def replay(settings: Settings, name: str, start: str, into: str | None, source: str) -> None:
    """Send stored events again, from a time or an event on, with the ids that they always had.

    Routes choose anew, so a route that was added today can be fed with what happened yesterday. What a file sink
    wrote is written once more into a FILE of its own, counted from 1; its own files stay as they are.
    """
    if into is not None:
        _into(settings, name, start, into, source)
        return
    if source:
        raise click.ClickException("--source goes with --into; for other sinks routes choose")
    _bus_sink(settings, name, "give --into FILE to write what it wrote into a new file")
    with opened(settings) as store:
        position, _begins = _position(store, start)
        count = store.log.head() - position
        store.cursors.rewind(cursor_name(name), name, position, actor())
    click.echo(f"{name} goes on after event {position} of the log; {count} events are looked at again")


def _into(settings: Settings, name: str, start: str, path: str, source: str) -> None:
    with opened(settings) as store:
        position, since_ns = _position(store, start)
        try:
            with file_replay.new_file(path) as out:
                count = file_replay.write(settings, store, name, position, since_ns, source, out)
        except FileExistsError as error:
            raise click.ClickException(f"{path} is there already; name a file that isn't") from error
        except file_replay.NotAFileSinkError as error:
            raise click.ClickException(str(error)) from error
    click.echo(f"{path} has {count} entries", err=True)


@sink.command()
@click.argument("name")
@click.option("--limit", default=100, show_default=True, help="At most so many, newest first.")
@with_settings
def rejected(settings: Settings, name: str, limit: int) -> None:
    """List what a sink refused for good, and what it skipped."""
    with opened(settings) as store:
        for item in store.rejections.list(name, limit):
            click.echo(f"{rfc3339(item.rejected_ns)}  {item.unit} {item.unit_seq}: {item.reason}")


def _bus_sink(settings: Settings, name: str, files_hint: str = "its place is in its files") -> None:
    names = [item.name for item in settings.sinks.bus()]
    if name not in names:
        files = [section for section in sinks.SINKS if hasattr(settings.sinks, section)]
        hint = f"is a file sink: {files_hint}" if name in files else "is not configured"
        raise click.ClickException(
            f"{name} {hint}; those that can be paused and replayed: {', '.join(names) or 'none'}"
        )


def _position(store: Store, start: str) -> tuple[int, int]:
    """The event after which to begin, and the time of receipt (ns) before which nothing counts; 0: none."""
    found = store.queries.get(start)
    if found is not None:
        return found.seq - 1, 0
    try:
        since = nanoseconds(start)
    except ValueError as error:
        raise click.ClickException(
            f"{start} is neither the id of a stored event nor a time such as 2026-11-22T03:00:00Z"
        ) from error
    return store.log.before(since), since
