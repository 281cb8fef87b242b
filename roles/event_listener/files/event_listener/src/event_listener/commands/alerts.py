# SPDX-License-Identifier: GPL-3.0-or-later
"""`event-listener alerts`: what somebody should do something about."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import click

from event_listener import alert_view
from event_listener.alerts import Alert
from event_listener.asked import MAX_LIMIT
from event_listener.commands import with_settings
from event_listener.commands.accounts import actor
from event_listener.commands.store_access import as_lines, opened, table
from event_listener.event import Level, rfc3339
from event_listener.settings import Settings
from event_listener.store import AlertsRefusedError
from event_listener.store.alerts import Deed


@click.group(short_help="List alerts; acknowledge, resolve, archive, delete them.")
def alerts() -> None:
    """What an administrator should know of and do something about."""


def _filters(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--archived", is_flag=True, help="Archived ones, instead of the others."),
        click.option("--acknowledged", type=click.Choice(["true", "false"]), help="Whether somebody did."),
        click.option("--until", metavar="TIME", help="With no event since then; the same forms."),
        click.option("--since", metavar="TIME", help="With an event since 2026-11-22T02:54:34Z, or an age as 2h."),
        click.option("--below", metavar="DOMAIN", help="Only of this domain and everything below it."),
        click.option("--account", multiple=True, metavar="NAME", help="Only of this account; repeatable."),
        click.option("--domain", multiple=True, metavar="PATH", help="Only of this domain; repeatable."),
        click.option("--site", multiple=True, metavar="NAME", help="Only of what this site forwarded; repeatable."),
        click.option("--resource-id", multiple=True, metavar="TEXT", help="Only about this resource; repeatable."),
        click.option("--state", multiple=True, type=click.Choice(["open", "resolved"]), help="Repeatable."),
        click.option("--level", multiple=True, type=click.Choice([str(level) for level in Level]), help="Repeatable."),
        click.option("--type", "type", multiple=True, metavar="TEXT", help="Only of events of this type; repeatable."),
        click.option("--source", multiple=True, metavar="NAME", help="Only of this source; repeatable."),
        click.option("--rule", multiple=True, metavar="NAME", help="Only of this rule; repeatable."),
    ):
        command = option(command)
    return command


@alerts.command("list")
@with_settings
@_filters
@click.option("-n", "--limit", type=click.IntRange(1, MAX_LIMIT), default=20, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line, as the API shows alerts.")
def list_alerts(settings: Settings, as_json: bool, limit: int, **given: Any) -> None:
    """Print the newest alerts that fit, newest first."""
    texts = {**_texts(given), "limit": [str(limit)]}
    with opened(settings) as store:
        found, _next = store.alerts.find(alert_view.query(texts, time.time_ns()))
    if as_json:
        as_lines([alert_view.shown(alert) for alert in found])
        return
    table(["ID", "LEVEL", "STATE", "RULE", "SOURCE", "COUNT", "LAST SEEN", "MESSAGE"], [_row(one) for one in found])


@alerts.command("show")
@with_settings
@click.argument("alert_id", metavar="ID")
def show_alert(settings: Settings, alert_id: str) -> None:
    """Print an alert as JSON, as the API shows it, archived or not."""
    with opened(settings) as store:
        found = store.alerts.get(alert_id)
    if found is None:
        raise click.ClickException(f"there is no alert {alert_id}; see `event-listener alerts list`")
    as_lines([alert_view.shown(found)])


def _texts(given: dict[str, Any]) -> dict[str, list[str]]:
    texts = {name: "true" if value is True else value for name, value in given.items() if value}
    return {name: [value] if isinstance(value, str) else list(value) for name, value in texts.items()}


def _row(alert: Alert) -> list[str]:
    known = alert.state == "open" and alert.acknowledged_ns is not None
    what = " ".join(text for text in (alert.resource_id, alert.message or alert.type) if text)
    last = rfc3339(alert.last_ns)[:19] + "Z"
    return [
        alert.id,
        alert.level,
        "acknowledged" if known else alert.state,
        alert.rule,
        alert.source,
        str(alert.count),
        last,
        what,
    ]


def _deed(deed: Deed, text: str) -> None:
    @alerts.command(deed, short_help=text)
    @with_settings
    @click.argument("ids", nargs=-1, metavar="[ID]...")
    @_filters
    @click.option("--check", is_flag=True, help="Only say how many it would be.")
    def act(settings: Settings, ids: tuple[str, ...], check: bool, **given: Any) -> None:
        texts = _texts(given)
        if bool(ids) == bool(texts):
            raise click.UsageError("give either ids, as `event-listener alerts list` shows them, or filters")
        with opened(settings) as store:
            asked = alert_view.query({"id": list(ids)} if ids else texts, time.time_ns())
            try:
                affected = store.alerts.act(deed, asked, actor(), check=check)
            except AlertsRefusedError as error:
                raise click.ClickException(str(error)) from error
        click.echo(f"{affected} alerts {'would be ' if check else ''}{deed}d")

    act.help = f"{text} All of them, or none where one isn't there."


_deed("acknowledge", "Say that somebody takes care of alerts.")
_deed("resolve", "Say that alerts are over; the next event opens another.")
_deed("archive", "Hide alerts and keep them; open ones are resolved.")
_deed("delete", "Remove alerts for good; open ones are resolved.")
