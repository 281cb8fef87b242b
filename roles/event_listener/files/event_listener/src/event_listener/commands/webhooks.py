# SPDX-License-Identifier: GPL-3.0-or-later
"""`event-listener webhooks`: who is told of events by HTTP, and what was sent."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from event_listener.commands import with_settings
from event_listener.commands.accounts import actor
from event_listener.commands.store_access import as_lines, opened, table
from event_listener.commands.webhook_deliveries import deliveries, delivery, drop, redeliver
from event_listener.event import Category, Level
from event_listener.policy import Principal, Role
from event_listener.settings import Settings
from event_listener.store import Store
from event_listener.webhooks import signing
from event_listener.webhooks.delivery_view import shown_attempt
from event_listener.webhooks.model import Scope, Webhook, WebhookChange
from event_listener.webhooks.surroundings import Surroundings
from event_listener.webhooks.trials import Trials
from event_listener.webhooks.webhook_view import watched


def _asks() -> Principal:
    """Who is at the command line may everything."""
    who = actor()
    return Principal(name=who.name, role=Role.ROOT_ADMIN)


@click.group(short_help="List, make, change, test and remove webhooks.")
def webhooks() -> None:
    """Events posted to endpoints, as users of the API have them; see docs/webhooks.md."""


@webhooks.command("list")
@with_settings
@click.option("--json", "in_json", is_flag=True, help="One JSON object per line, as the API shows webhooks.")
def list_webhooks(settings: Settings, in_json: bool) -> None:
    """Print every webhook and how its endpoint is."""
    with opened(settings) as store:
        found, places = store.webhooks.find(), store.webhooks.places()
    if in_json:
        as_lines([watched(item, places.get(item.id)) for item in found])
        return
    rows = [
        [
            item.id,
            item.name,
            item.scope,
            item.domain + (item.account or ""),
            (item.disabled_because and "Disabled itself") or item.state,
            str(places[item.id].health.failures),
            str(places[item.id].delivered),
            item.url,
        ]
        for item in found
        if item.id in places  # not removed meanwhile
    ]
    table(["ID", "NAME", "SCOPE", "OWNER", "STATE", "FAILURES", "DELIVERED", "URL"], rows)


@webhooks.command("show")
@with_settings
@click.argument("webhook_id", metavar="ID")
def show_webhook(settings: Settings, webhook_id: str) -> None:
    """Print a webhook as JSON, as the API shows it."""
    with opened(settings) as store:
        found = _webhook(store, webhook_id)
        as_lines([watched(found, store.webhooks.place(webhook_id))])


@webhooks.command("set")
@with_settings
@click.argument("name")
@click.option("--url", help="Where to post; a new webhook needs one.")
@click.option("--domain", default="/", show_default=True, help="Path of the domain it belongs to.")
@click.option("--account", help="Account in that domain; for the scope Local.")
@click.option("--scope", type=click.Choice([str(scope) for scope in Scope]), help="Local where nothing is said.")
@click.option("--state", type=click.Choice(["Enabled", "Disabled"]))
@click.option("--description")
@click.option("--format", type=click.Choice(["standard", "cloudevents", "cloudstack"]), help="Of the payload.")
@click.option("--ca", "ca_file", metavar="FILE", help="PEM file of the endpoint's CA; an empty text takes it away.")
@click.option("--tls-verify/--no-tls-verify", default=None, help="Whether to verify the endpoint's certificate.")
@click.option("--category", "categories", multiple=True, type=click.Choice([str(item) for item in Category]))
@click.option("--level", "levels", multiple=True, type=click.Choice([str(item) for item in Level]))
@click.option("--filter", "filters", multiple=True, metavar="MODE:MATCH:VALUE", help="Include:Prefix:VM. for one.")
@click.option("--generate-secret", is_flag=True, help="Make a secret and print it, once; the old one signs for a day.")
@click.option("--secret", "ask", is_flag=True, help="Read a secret from standard input.")
def set_webhook(
    settings: Settings, name: str, domain: str, account: str | None, ask: bool, generate_secret: bool, **given: Any
) -> None:
    """Make a webhook, or change what is given of the owner's webhook of that name."""
    fields = {"name": name, **_fields(given)}
    if ask and generate_secret:
        raise click.UsageError("give --secret or --generate-secret, not both")
    if generate_secret:
        fields["secret"] = signing.new_secret()
    elif ask:
        fields["secret"] = sys.stdin.readline().rstrip("\r\n")
    with opened(settings) as store:
        known = [one for one in store.webhooks.find() if (one.name, one.domain, one.account) == (name, domain, account)]
        if not known:
            fields |= {"domain": domain, "account": account}
        try:
            change = msgspec.convert(fields, WebhookChange)
        except msgspec.ValidationError as error:
            raise click.UsageError(str(error)) from error
        if str(fields.get("url", "")).startswith("http:") and not settings.webhook.delivery.allow_http:
            raise click.ClickException("url: only https; webhook.delivery.allow_http is off")
        limit, which = settings.webhook.limit, known[0].id if known else None
        done = store.webhooks.set(which, change, _asks(), actor(), limit=limit)
    if done is None:
        raise click.ClickException(f"webhook {name} was removed meanwhile")
    before, after = done
    click.echo(f"{after.id}: {'made' if before is None else 'unchanged' if before == after else 'changed'}")
    if generate_secret:
        click.echo(fields["secret"])


def _fields(given: dict[str, Any]) -> dict[str, Any]:
    fields = {key: value for key, value in given.items() if value is not None and value != ()}
    if (path := fields.pop("ca_file", None)) is not None:
        try:
            fields["ca"] = Path(path).read_text(encoding="ascii") if path else ""
        except (OSError, UnicodeDecodeError) as error:
            raise click.BadParameter(str(error), param_hint="--ca") from error
    fields["filters"] = [_filter(text) for text in fields.get("filters", ())]
    return fields if fields["filters"] else {key: value for key, value in fields.items() if key != "filters"}


def _filter(text: str) -> dict[str, str]:
    parts = text.split(":", 2)
    if len(parts) != 3 or parts[0] not in ("Include", "Exclude"):
        raise click.BadParameter("write Include or Exclude, Exact, Prefix, Suffix or Contains, and the value: "
                                 "Include:Prefix:VM.", param_hint="--filter")  # fmt: skip
    return dict(zip(("mode", "match", "value"), parts, strict=True))


@webhooks.command("remove")
@with_settings
@click.argument("webhook_id", metavar="ID")
def remove_webhook(settings: Settings, webhook_id: str) -> None:
    """Remove a webhook and its deliveries."""
    with opened(settings) as store:
        if not store.webhooks.remove(webhook_id, actor()):
            raise click.ClickException(_missing(webhook_id))


@webhooks.command("test")
@with_settings
@click.argument("webhook_id", metavar="ID")
@click.option("--payload", default="", help='Default: {"CloudStack": "works!"}.')
def test_webhook(settings: Settings, webhook_id: str, payload: str) -> None:
    """Send a test delivery, which isn't recorded, and print what came of it."""
    with opened(settings) as store:
        webhook = _webhook(store, webhook_id)
        attempt = Trials(settings.webhook.delivery, Surroundings(settings, store)).send(webhook, payload)
    as_lines([shown_attempt(attempt)])
    if not attempt.delivered:
        raise click.ClickException(f"webhook {webhook.name} at {webhook.url}: {attempt.reason}")


def _webhook(store: Store, webhook_id: str) -> Webhook:
    found = store.webhooks.get(webhook_id)
    if found is None:
        raise click.ClickException(_missing(webhook_id))
    return found


def _missing(webhook_id: str) -> str:
    return f"there is no webhook {webhook_id}; see `event-listener webhooks list`"


for command in (deliveries, delivery, redeliver, drop):
    webhooks.add_command(command)
