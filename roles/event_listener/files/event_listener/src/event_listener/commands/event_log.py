# SPDX-License-Identifier: GPL-3.0-or-later
"""`event-listener events show`, `export`, `types`, `archive` and `delete`: one event, and many at once."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import click

from event_listener.commands import with_settings
from event_listener.commands.accounts import actor
from event_listener.commands.store_access import as_lines, opened, table
from event_listener.event import as_json
from event_listener.event_export import Form, parts
from event_listener.parameters import query
from event_listener.policy import Owner
from event_listener.settings import Settings
from event_listener.store import Deed, NotThereError, Query, TooMuchError

_SETS = {
    "id": "Only this id",
    "source": "Only of this source",
    "type": "Only this type, or a pattern such as 'ResourceEvent.*'",
    "category": "Only this category",
    "level": "Only this level",
    "state": "Only in this state",
    "origin": "Only of this origin",
    "site": "Only what this site forwarded",
    "resource-type": "Only about resources of this type",
    "resource-id": "Only about this resource",
    "start-id": "Only of this job",
    "domain": "Only of this domain",
    "account": "Only of this account",
}


def filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the conditions of a query to a command."""
    single = (
        click.option("--below", metavar="DOMAIN", help="Only of this domain and all below it."),
        click.option("--keyword", metavar="WORDS", help="Only with all of these words; fail* is any that begins so."),
        click.option(
            "--archived", type=click.Choice(["true", "all"]), help="Only archived events, or these too; else none."
        ),
        click.option("--since", metavar="TIME", help="Received then or later: 2026-11-22T02:54:34Z, or an age as 7d."),
        click.option("--until", metavar="TIME", help="Received before; the same forms."),
    )
    for option in reversed(single):
        command = option(command)
    for name, text in reversed(_SETS.items()):
        command = click.option(f"--{name}", multiple=True, metavar="TEXT", help=f"{text}; repeatable.")(command)
    return command


def asked_for(given: Mapping[str, Any]) -> Query:
    """The query that options mean. Raises ParameterError."""
    texts = {name: [value] if isinstance(value, str) else list(value) for name, value in given.items() if value}
    return query(texts, time.time_ns())


@click.command(short_help="Write all events that fit as JSON.")
@with_settings
@filters
@click.option("--format", "form", type=click.Choice(["ndjson", "json"]), default="ndjson", show_default=True)
@click.option("--payload", is_flag=True, help="Add to each the POST that it came in, as base64.")
@click.option("-o", "--output", type=click.File("wb"), default="-", help="File to write; standard output otherwise.")
def export(settings: Settings, form: Form, payload: bool, output: Any, **given: Any) -> None:
    """Write all events that fit, newest first, however many."""
    with opened(settings) as store:
        for part in parts(store, asked_for(given), form, payloads=payload):
            output.write(part)


@click.command(short_help="Print one event, or the POST it came in.")
@with_settings
@click.argument("event_id", metavar="ID")
@click.option("--raw", is_flag=True, help="The whole POST that it came in, byte for byte.")
@click.option("--archived", type=click.Choice(["true", "all"]), help="An archived one, or either; else none.")
def show(settings: Settings, event_id: str, raw: bool, archived: str | None) -> None:
    """Print one event as JSON, as the API shows it."""
    with opened(settings) as store:
        found = store.queries.get(event_id, archived=asked_for({"archived": archived}).archived)
        payload = store.queries.payload(found.payload_id) if found is not None and raw else None
    if found is None or (raw and payload is None):
        raise click.ClickException(f"there is no event {event_id}; --archived all looks at archived ones, too")
    if payload is None:
        as_lines([as_json(found)])
        return
    sys.stdout.buffer.write(payload.body)
    sys.stdout.buffer.flush()


@click.command(short_help="List the types of events, and how many there are.")
@with_settings
@filters
def types(settings: Settings, **given: Any) -> None:
    """List the types of the events that fit, and how many there are of each."""
    with opened(settings) as store:
        found = store.queries.types(asked_for(given))
    table(["COUNT", "TYPE"], [[str(count), name] for name, count in found])


@click.command(short_help="Hide events, and keep them.")
@with_settings
@filters
@click.option("--dry-run", is_flag=True, help="Say how many, and change nothing.")
def archive(settings: Settings, dry_run: bool, **given: Any) -> None:
    """Archive all events that fit: they are hidden unless asked for, and aren't purged."""
    _do(settings, Deed.ARCHIVE, dry_run, given)


@click.command(short_help="Delete events.")
@with_settings
@filters
@click.option("--dry-run", is_flag=True, help="Say how many, and change nothing.")
def delete(settings: Settings, dry_run: bool, **given: Any) -> None:
    """Delete all events that fit: they are gone at once, and the relay removes them for good."""
    _do(settings, Deed.DELETE, dry_run, given)


def _do(settings: Settings, deed: Deed, dry_run: bool, given: Mapping[str, Any]) -> None:
    with opened(settings) as store:
        try:
            count = store.deeds.do(deed, asked_for(given), actor(), Owner(), dry_run=dry_run)
        except (NotThereError, TooMuchError) as error:
            raise click.ClickException(str(error)) from error
    click.echo(f"{count} events {'would be ' if dry_run else ''}{deed}d")
