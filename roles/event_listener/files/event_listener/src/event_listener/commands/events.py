# SPDX-License-Identifier: GPL-3.0-or-later
"""`event-listener events`: look at the event log, or watch it grow."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import click
import msgspec

from event_listener import topic
from event_listener.commands import become_service_user, config_option, config_path, load_settings
from event_listener.commands.event_log import archive, asked_for, delete, export, filters, show, types
from event_listener.commands.store_access import as_lines, opened, printable
from event_listener.console import details
from event_listener.event import Event, as_json
from event_listener.routes import key_of
from event_listener.store import MAX_LIMIT, Query, Store

_POLL_SECONDS = 0.3


@click.group(short_help="Print received events, or follow them; export, archive, delete.", invoke_without_command=True)
@config_option
@filters
@click.option("--topic", "topics", multiple=True, metavar="PATTERN", help="Only these: *.AlertEvent.#; repeatable.")
@click.option("-n", "--limit", type=click.IntRange(0, MAX_LIMIT), default=20, show_default=True, help="Last events.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what arrives, until Ctrl-C.")
@click.option("--json", "form", flag_value="json", help="One JSON object per line, as the API shows events.")
@click.option("--dmtf", "form", flag_value="dmtf", help="As the DMTF Redfish Event Listener prints them with -v.")
def events(
    config: str | None, limit: int, follow: bool, form: str | None, topics: tuple[str, ...], **given: Any
) -> None:
    """Print the last events that fit, oldest first."""
    context = click.get_current_context()
    if context.invoked_subcommand is not None:
        context.obj = {"config": config_path(config)}  # that command reads it, or another one that it is given
        return
    settings = load_settings(config_path(config))
    become_service_user(settings)
    with opened(settings) as store:
        asked = asked_for(given)
        printer = _Printer(store, form, topics)
        head = store.log.head()
        if limit:
            printer.show(_last(store, msgspec.structs.replace(asked, before=head + 1), limit, printer))
        if follow:
            _follow(store, msgspec.structs.replace(asked, after=head, order="asc", limit=MAX_LIMIT), printer)


def _last(store: Store, asked: Query, limit: int, printer: _Printer) -> list[Event]:
    """The last events that fit, oldest first. Topics aren't columns, so with them pages are looked through."""
    found: list[Event] = []
    asked = msgspec.structs.replace(asked, limit=MAX_LIMIT if printer.topics else limit)
    while len(found) < limit:
        page = store.queries.find(asked)
        found += [event for event in page.events if printer.wants(event)]
        if page.next is None:
            break
        asked = msgspec.structs.replace(asked, before=page.next)
    return found[:limit][::-1]


def _follow(store: Store, asked: Query, printer: _Printer) -> None:
    while True:
        page = store.queries.find(asked)
        printer.show(page.events)
        asked = msgspec.structs.replace(asked, after=page.head if page.next is None else page.next)
        if page.next is None:
            time.sleep(_POLL_SECONDS)


class _Printer:
    """Prints events in one of the forms."""

    def __init__(self, store: Store, form: str | None, topics: Sequence[str] = ()) -> None:
        self._store, self.topics = store, topics
        self._show = {"json": self._json, "dmtf": self._dmtf}.get(form or "", self._lines)
        self._payload_id = 0

    def wants(self, event: Event) -> bool:
        """Whether one of the topics matches; all do where none was given."""
        return not self.topics or any(topic.matches(pattern, key_of(event)) for pattern in self.topics)

    def show(self, found: Sequence[Event]) -> None:
        """Print those that are wanted."""
        self._show([event for event in found if self.wants(event)])

    @staticmethod
    def _json(found: Sequence[Event]) -> None:
        as_lines([as_json(event) for event in found])

    @staticmethod
    def _lines(found: Sequence[Event]) -> None:
        for event in found:
            moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(event.received_ns // 1_000_000_000))
            where = event.resource_id or "-"
            test = " (test)" if event.origin == "test" else ""
            text = event.message or ""
            line = f"{moment} {event.level:5} {event.source}{test} {event.type} {where} {text}"
            click.echo(printable(line.rstrip()))

    def _dmtf(self, found: Sequence[Event]) -> None:
        """Whole payloads, each once, with the count of its host."""
        for event in found:
            if event.payload_id == self._payload_id:
                continue
            self._payload_id = event.payload_id
            payload = self._store.queries.payload(event.payload_id)
            if payload is None:
                continue
            count = self._store.queries.payloads_of(payload.address, payload.seq)
            lines = ["", f"Event received from {payload.address}", *details(payload.body)]
            lines += [f"Event Counter for Host {payload.address} = {count}", ""]
            for line in lines:
                click.echo(printable(line))


for command in (show, export, types, archive, delete):
    events.add_command(command)
