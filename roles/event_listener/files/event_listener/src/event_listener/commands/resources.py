# SPDX-License-Identifier: GPL-3.0-or-later
"""`event-listener resources`: how the fleet's resources are, as their events said last."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from event_listener import resource_view
from event_listener.commands import with_settings
from event_listener.commands.store_access import as_lines, opened, table
from event_listener.event import rfc3339
from event_listener.settings import Settings
from event_listener.store import MAX_LIMIT


@click.command(short_help="Print the state of resources, as events said last.")
@with_settings
@click.option("--source", multiple=True, metavar="NAME", help="Only of this source; repeatable.")
@click.option("--resource-type", multiple=True, metavar="TEXT", help="Only of this type; repeatable.")
@click.option("--resource-id", multiple=True, metavar="TEXT", help="Only this resource; repeatable.")
@click.option("--aspect", multiple=True, type=click.Choice(["health", "power", "state"]), help="Repeatable.")
@click.option("--state", multiple=True, metavar="TEXT", help="Only in this state, such as Critical; repeatable.")
@click.option("--after", metavar="TEXT", help="Where the page before said that the next one begins.")
@click.option("-n", "--limit", type=click.IntRange(1, MAX_LIMIT), default=100, show_default=True)
@click.option("--json", "in_json", is_flag=True, help="One JSON object per line, as the API shows states.")
def resources(settings: Settings, in_json: bool, limit: int, **given: Any) -> None:
    """Print how resources are (health, power, state), by source and resource."""
    texts = {name: [value] if isinstance(value, str) else list(value) for name, value in given.items() if value}
    with opened(settings) as store:
        asked = resource_view.query({**texts, "limit": [str(limit)]})
        found = store.states.find(msgspec.structs.replace(asked, limit=limit + 1))
    page = found[:limit]
    if in_json:
        as_lines([resource_view.shown(state) for state in page])
    else:
        rows = [
            [state.source, state.aspect, state.state, rfc3339(state.since_ns)[:19] + "Z", state.resource_id]
            for state in page
        ]
        table(["SOURCE", "ASPECT", "STATE", "SINCE", "RESOURCE"], rows)
    if len(found) > limit:
        click.echo(f"there are more: --after '{resource_view.token(page[-1])}'", err=True)
