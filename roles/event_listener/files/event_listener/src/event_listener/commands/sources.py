# SPDX-License-Identifier: GPL-3.0-or-later
"""`event-listener sources`: the registry of BMCs."""

from __future__ import annotations

import time
from typing import IO, Any, get_args

import click

from event_listener import path_secret, registry
from event_listener.commands import with_settings
from event_listener.commands.accounts import actor
from event_listener.commands.store_access import as_lines, document, opened, table
from event_listener.event import nanoseconds
from event_listener.settings import Settings
from event_listener.source_view import STATUSES, here, view
from event_listener.store import Store

_TEXTS = (
    "address", "uuid", "serial", "model", "firmware", "manufacturer", "service", "domain", "account", "credential",
)  # fmt: skip


@click.group(short_help="List, register and remove sources (BMCs).")
def sources() -> None:
    """List, register and remove sources (BMCs)."""


@sources.command("list")
@with_settings
@click.option("--health", type=click.Choice(STATUSES), help="Only sources of this health.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line, as the API shows sources.")
def list_sources(settings: Settings, health: str | None, as_json: bool) -> None:
    """List registered sources, and senders that nobody registered."""
    with opened(settings) as store:
        every = view(store, here=here(settings.state_dir))
    found = [one for one in every if health in (None, one["health"]["status"])]
    if as_json:
        as_lines(found)
        return
    rows = [
        [
            source["name"],
            source["address"] or "-",
            source["state"] if source["registered"] else "unregistered",
            _age(source["last_seen"]),
            source["health"]["status"].replace("unjudged", "-"),
            str(source["events"]),
            source["credential"] or "-",
            " ".join(source[name] for name in ("manufacturer", "model", "serial") if source[name]),
        ]
        for source in found
    ]
    table(["NAME", "ADDRESS", "STATE", "LAST SEEN", "HEALTH", "EVENTS", "CREDENTIAL", "HARDWARE"], rows)


@sources.command("show")
@with_settings
@click.argument("name")
def show_source(settings: Settings, name: str) -> None:
    """Print one source as JSON, as the API shows it."""
    with opened(settings) as store:
        found = [one for one in view(store, here=here(settings.state_dir)) if one["name"] == name]
    if not found:
        raise click.ClickException(f"source {name} is neither registered nor was it ever heard")
    as_lines(found)


def _age(moment: str | None) -> str:
    if moment is None:
        return "never"
    seconds = max(0, (time.time_ns() - nanoseconds(moment)) // 1_000_000_000)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit} ago"
    return f"{seconds}s ago"


@sources.command("set")
@with_settings
@click.argument("name")
@click.option("--address", help="IP address or host name. An empty text forgets it, as with all texts.")
@click.option("--uuid")
@click.option("--serial")
@click.option("--model")
@click.option("--firmware")
@click.option("--manufacturer")
@click.option("--service", help="What its ServiceRoot says of itself: vendor, product and Redfish version.")
@click.option("--domain", help="Path of its domain, such as /dc1/row2/.")
@click.option("--account", help="Account in that domain whose users may see its events.")
@click.option("--credential", help="Name of the credential that its subscription was given, never the secret.")
@click.option("--label", multiple=True, metavar="NAME=VALUE", help="Repeatable; together they replace the labels.")
@click.option("--state", type=click.Choice(get_args(registry.SourceState)))
@click.option("--response-status", type=click.Choice([str(item) for item in get_args(registry.ResponseStatus)]))
@click.option("--heartbeat-minutes", type=click.IntRange(0, 65535), help="Between its heartbeats; 0: it sends none.")
def set_source(
    settings: Settings, name: str, label: tuple[str, ...], response_status: str | None, **given: str | int | None
) -> None:
    """Register a source, or change what is given of it."""
    change: dict[str, Any] = {"name": name, **{key: value for key, value in given.items() if value is not None}}
    change.update({key: None for key in _TEXTS if change.get(key) == ""})
    if label:
        change["labels"] = dict(_label(text) for text in label)
    if response_status is not None:
        change["response_status"] = int(response_status)
    with opened(settings) as store:
        plan = store.sources.upsert(registry.changes([change]), actor=actor())
    click.echo(f"{name}: {'registered' if plan.created else 'changed' if plan.updated else 'unchanged'}")


def _label(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise click.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--label")
    return name, value


@sources.command("load")
@with_settings
@click.argument("file", type=click.File("rb"))
@click.option("--check", is_flag=True, help="Only say what would change.")
def load_sources(settings: Settings, file: IO[bytes], check: bool) -> None:
    """Register or change many sources, all or none: FILE (- is standard input) holds {"sources": [...]} as the API."""
    wanted = document(file, {"sources"})["sources"]
    with opened(settings) as store:
        plan = store.sources.upsert(registry.changes(wanted), check=check, actor=actor())
    would = "would be " if check else ""
    for what, names in (("registered", plan.created), ("changed", plan.updated)):
        for name in names:
            click.echo(f"{name}: {would}{what}")
    click.echo(f"{len(plan.unchanged)} unchanged")


@sources.command("remove")
@with_settings
@click.argument("names", nargs=-1, required=True)
def remove(settings: Settings, names: tuple[str, ...]) -> None:
    """Forget registrations; events of these sources stay."""
    with opened(settings) as store:
        unknown = [name for name in names if not store.sources.delete(name, actor())]
    if unknown:
        raise click.ClickException(f"not registered: {', '.join(unknown)}")


@sources.command("secrets")
@with_settings
@click.argument("name")
def list_secrets(settings: Settings, name: str) -> None:
    """List the secret paths of a source (never the secrets: those aren't kept)."""
    with opened(settings) as store:
        known = _known(store, name)
    table(["ID", "NETWORKS"], [[one["id"], " ".join(one["networks"])] for one in known])


@sources.command("secret")
@with_settings
@click.argument("name")
@click.argument("secret_id", metavar="ID")
@click.option("--network", multiple=True, required=True, metavar="CIDR", help="Where it is valid from. Repeatable.")
def make_secret(settings: Settings, name: str, secret_id: str, network: tuple[str, ...]) -> None:
    """Make a secret path for a BMC that can send no header, and print it: once, since only a digest is kept."""
    secret = path_secret.generate()
    with opened(settings) as store:
        known = [one for one in _known(store, name) if one["id"] != secret_id]
        added = {"id": secret_id, "networks": list(network), "secret": secret}
        store.sources.upsert(registry.changes([{"name": name, "path_secrets": [*known, added]}]), actor=actor())
    click.echo(f"/events/{name}/{secret}")


@sources.command("revoke")
@with_settings
@click.argument("name")
@click.argument("secret_id", metavar="ID")
def revoke(settings: Settings, name: str, secret_id: str) -> None:
    """Revoke one secret path of a source; the others stay valid."""
    with opened(settings) as store:
        known = _known(store, name)
        kept = [one for one in known if one["id"] != secret_id]
        if kept == known:
            raise click.ClickException(f"{name} has no path secret {secret_id}; see `event-listener sources secrets`")
        store.sources.upsert(registry.changes([{"name": name, "path_secrets": kept}]), actor=actor())


def _known(store: Store, name: str) -> list[dict[str, Any]]:
    source = store.sources.get(name)
    return [{"id": one.id, "networks": one.networks} for one in source.path_secrets] if source else []
