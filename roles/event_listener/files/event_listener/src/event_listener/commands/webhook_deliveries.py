# SPDX-License-Identifier: GPL-3.0-or-later
"""`event-listener webhooks deliveries` and its neighbours: what was sent to webhooks, and sending it again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import click

from event_listener.commands import with_settings
from event_listener.commands.accounts import actor
from event_listener.commands.store_access import as_lines, opened, table
from event_listener.event import rfc3339
from event_listener.settings import Settings
from event_listener.store import DeliveryQuery
from event_listener.store.deliveries import MAX_LIMIT
from event_listener.webhooks.delivery_view import delivery_query, shown_attempt, shown_delivery
from event_listener.webhooks.schedule import DELIVERED, FAILED, PENDING


def _filters(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--until", metavar="TIME", help="Made before; the same forms."),
        click.option("--since", metavar="TIME", help="Made at 2026-11-22T02:54:34Z or later, or an age as 2h."),
        click.option("--keyword", metavar="TEXT", help="Only with this text in the event's type."),
        click.option("--state", type=click.Choice([PENDING, DELIVERED, FAILED])),
        click.option("--event-type", metavar="TEXT", help="Only of events of this type."),
        click.option("--event-id", metavar="ID", help="Only of this event."),
    ):
        command = option(command)
    return command


def _asked(webhook_id: str, given: dict[str, str | None], **more: str) -> DeliveryQuery:
    texts = {name: value for name, value in {"webhook": webhook_id, **given, **more}.items() if value}
    return delivery_query(texts, time.time_ns())


@click.command("deliveries", short_help="Print the newest deliveries of a webhook.")
@with_settings
@click.argument("webhook_id", metavar="ID")
@_filters
@click.option("-n", "--limit", default=20, show_default=True, type=click.IntRange(1, MAX_LIMIT))
@click.option("--json", "in_json", is_flag=True, help="One JSON object per line, as the API shows deliveries.")
def deliveries(settings: Settings, webhook_id: str, limit: int, in_json: bool, **given: str | None) -> None:
    """Print the newest deliveries of a webhook that fit, newest first."""
    with opened(settings) as store:
        if store.webhooks.get(webhook_id) is None:
            raise click.ClickException(_no_webhook(webhook_id))
        found, _next = store.deliveries.find(_asked(webhook_id, given, limit=str(limit)))
    if in_json:
        as_lines([shown_delivery(one) for one in found])
        return
    rows = [[one.id, rfc3339(one.created_ns), one.state, str(one.attempts), one.event_type] for one in found]
    table(["ID", "CREATED", "STATE", "ATTEMPTS", "TYPE"], rows)


@click.command("delivery", short_help="Print a delivery and its attempts.")
@with_settings
@click.argument("delivery_id", metavar="ID")
def delivery(settings: Settings, delivery_id: str) -> None:
    """Print a delivery and its attempts, one JSON object per line."""
    with opened(settings) as store:
        found = store.deliveries.get(delivery_id)
    if found is None:
        raise click.ClickException(_no_delivery(delivery_id))
    as_lines([shown_delivery(found[0]), *(shown_attempt(item) for item in found[1])])


@click.command("redeliver", short_help="Deliver the same payload once more.")
@with_settings
@click.argument("delivery_id", metavar="ID")
def redeliver(settings: Settings, delivery_id: str) -> None:
    """Have the relay deliver the same payload once more, and print the new delivery's id."""
    with opened(settings) as store:
        made = store.deliveries.redeliver(delivery_id, actor())
    if made is None:
        raise click.ClickException(_no_delivery(delivery_id))
    click.echo(made.id)


@click.command("drop", short_help="Remove deliveries of a webhook, or one.")
@with_settings
@click.argument("wanted", metavar="ID")
@_filters
def drop(settings: Settings, wanted: str, **given: str | None) -> None:
    """Remove the delivery ID, or of the webhook ID the deliveries that fit. What still waits isn't sent."""
    filtered = any(given.values())
    with opened(settings) as store:
        if store.webhooks.get(wanted) is not None:
            removed = store.deliveries.remove(_asked(wanted, given), actor())
        elif filtered:
            raise click.ClickException(_no_webhook(wanted))
        else:
            removed = store.deliveries.remove(DeliveryQuery(id=wanted), actor())
            if not removed:
                raise click.ClickException(_no_delivery(wanted))
    click.echo(f"removed {removed}")


def _no_delivery(delivery_id: str) -> str:
    return f"there is no delivery {delivery_id}; see `event-listener webhooks deliveries`"


def _no_webhook(webhook_id: str) -> str:
    return f"there is no webhook {webhook_id}; see `event-listener webhooks list`"
