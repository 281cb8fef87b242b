# SPDX-License-Identifier: GPL-3.0-or-later
"""`event-listener registries`: the message registries that explain MessageIds."""

from __future__ import annotations

import json
from pathlib import Path

import click

from event_listener.commands import with_settings
from event_listener.commands.accounts import actor
from event_listener.commands.store_access import as_lines, opened, table
from event_listener.message_registry import InvalidRegistryError, MessageRegistry, parse
from event_listener.normalise.decode import NotJSONError, document
from event_listener.settings import Settings
from event_listener.store import IMPORTED, RegistriesFullError

_LARGEST = 64 << 20


@click.group(short_help="List, import and remove message registries.")
def registries() -> None:
    """List, import and remove the message registries that fill in what a BMC's record leaves out."""


@registries.command("list")
@with_settings
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line, as the API shows them.")
def list_registries(settings: Settings, as_json: bool) -> None:
    """List the cached registries, and the makes of BMCs they were read from."""
    with opened(settings) as store:
        found = store.message_registries.list()
    if as_json:
        as_lines([one.shown() for one in found])
        return
    rows = [
        [one.registry, one.version, one.language, str(one.messages), one.digest[:12], one.origin, "; ".join(one.makes)]
        for one in found
    ]
    table(["REGISTRY", "VERSION", "LANGUAGE", "MESSAGES", "DIGEST", "FROM", "MAKES"], rows)


@registries.command("import")
@with_settings
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(exists=True, dir_okay=False))
def import_files(settings: Settings, files: tuple[str, ...]) -> None:
    """Import message registries from FILEs, such as those of DMTF's bundle DSP8010; all of them, or none."""
    found = [_read(Path(name)) for name in files]
    limit = settings.sources.registries_max_bytes
    with opened(settings) as store:
        try:
            stored = store.message_registries.put(found, origin=IMPORTED, limit=limit, actor=actor())
        except RegistriesFullError as error:
            raise click.ClickException(str(error)) from error
    for one in found:
        what = "imported" if one.digest in stored.added else "there already"
        click.echo(f"{one.registry} {one.version}: {what}, {len(one.messages)} messages")


def _read(path: Path) -> MessageRegistry:
    try:
        if path.stat().st_size > _LARGEST:
            raise click.ClickException(f"{path} is larger than {_LARGEST} bytes; that is no message registry")
        return parse(document(path.read_bytes()))
    except (OSError, NotJSONError, InvalidRegistryError) as error:
        raise click.ClickException(f"{path} can't be imported: {error}") from error


@registries.command("show")
@with_settings
@click.argument("digest")
def show(settings: Settings, digest: str) -> None:
    """Print a registry with its messages, as JSON. DIGEST may be its beginning."""
    with opened(settings) as store:
        matches = [one.digest for one in store.message_registries.list() if one.digest.startswith(digest)]
        found = store.message_registries.get(matches[0]) if len(matches) == 1 else None
    if found is None:
        raise click.ClickException(f"{len(matches)} registries have a digest that begins with {digest}")
    click.echo(json.dumps(found.document(), indent=2))


@registries.command("remove")
@with_settings
@click.argument("registry")
@click.argument("version", required=False)
def remove(settings: Settings, registry: str, version: str | None) -> None:
    """Forget a registry, of one version or all; what events already hold stays."""
    with opened(settings) as store:
        count = store.message_registries.remove(registry, version, actor())
    if not count:
        raise click.ClickException(f"there is no message registry {registry} {version or ''}".rstrip())
    click.echo(f"removed {count}")
