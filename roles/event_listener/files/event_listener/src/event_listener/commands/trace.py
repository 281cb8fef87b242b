# SPDX-License-Identifier: GPL-3.0-or-later
"""`event-listener trace`: where is this event?"""

from __future__ import annotations

import json

import click

from event_listener.commands import with_settings
from event_listener.commands.event_log import asked_for
from event_listener.commands.store_access import opened, printable, table
from event_listener.settings import Settings
from event_listener.trace import trace as traced


@click.command(short_help="Show what became of an event: received, stored, confirmed by each sink.")
@with_settings
@click.argument("event_id", metavar="ID")
@click.option("--archived", type=click.Choice(["true", "all"]), help="An archived one, or either; else none.")
@click.option("--json", "as_json", is_flag=True, help="As the API shows it.")
def trace(settings: Settings, event_id: str, archived: str | None, as_json: bool) -> None:
    """Show what became of an event, with times: of the BMC, the acknowledgement, the event log, each sink.

    A sink's time is that of the batch in which it confirmed the event, up to a second late. Routes are those of now.
    """
    with opened(settings) as store:
        event = store.queries.get(event_id, archived=asked_for({"archived": archived}).archived)
        if event is None:
            raise click.ClickException(
                f"there is no event {event_id} in the event log. What arrived just now waits in the journal "
                "(/metrics: journal_depth); what wasn't understood is in `event-listener quarantine list`; "
                "what is archived is shown with --archived all"
            )
        found = traced(settings, store, event)
    if as_json:
        click.echo(json.dumps(found))
        return
    sender = f"{found['peer']} with credential {found['credential']}" if found["peer"] else "the listener itself"
    click.echo(printable(f"{found['id']}  {found['source']}  {found['type']}"))
    for what, moment in (
        ("BMC's clock", found["bmc_time"]),
        ("received", f"{found['received']}  from {sender}"),
        ("acknowledged", found["acknowledged"]),
        ("in the event log", found["indexed"]),
    ):
        click.echo(printable(f"  {what:<17} {moment or 'not known'}"))
    rows = [
        [one["sink"], one["state"], one["confirmed"] or "", str(len(one["again"]) or ""), _why(one)]
        for one in found["sinks"]
    ]
    table(["SINK", "STATE", "CONFIRMED", "AGAIN", "WHY"], rows)


def _why(sink: dict[str, str]) -> str:
    route = f"route {sink['route']}" if sink.get("route") else ""
    return "; ".join(text for text in (route, sink["reason"]) if text)
