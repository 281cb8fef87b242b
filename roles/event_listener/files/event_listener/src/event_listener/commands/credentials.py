# SPDX-License-Identifier: GPL-3.0-or-later
"""`event-listener credentials`: what BMCs may show, who has which, and whether one may go."""

from __future__ import annotations

from collections import Counter

import click

from event_listener.commands import with_settings
from event_listener.commands.store_access import opened, table
from event_listener.credentials import needs
from event_listener.event import rfc3339
from event_listener.settings import Settings


@click.group(short_help="See who has which credential, and whether one may go.")
def credentials() -> None:
    """See which credential each BMC has, and whether one may go. Names only; secrets are never shown."""


@credentials.command("list")
@with_settings
def list_credentials(settings: Settings) -> None:
    """List the accepted credentials: how many registered sources were given each, and when it was last used."""
    with opened(settings) as store:
        given = Counter(source.credential for source in store.sources.list())
        uses = store.sources.credential_uses().values()
    accepted = [item.name for item in settings.ingest.credentials]
    gone = sorted({name for name in given if name} - set(accepted))
    rows = []
    for name in [*accepted, *gone]:
        moments = [used[name] for used in uses if name in used]
        state = "accepted" if name in accepted else "refused"
        rows.append([name, state, str(given[name]), rfc3339(max(moments)) if moments else "never"])
    table(["NAME", "STATE", "GIVEN TO", "LAST USED"], rows)


@credentials.command()
@with_settings
@click.option("--keep", multiple=True, metavar="NAME", help="A credential that stays. Repeatable.")
@click.option("--heard", is_flag=True, help="A source must also have been heard with what it was given.")
def check(settings: Settings, keep: tuple[str, ...], heard: bool) -> None:
    """Say which sources would be refused if only these stayed; exit status 1 when there are any.

    Nothing is checked where every credential of the configuration stays.
    """
    if {item.name for item in settings.ingest.credentials} <= set(keep):
        return
    with opened(settings) as store:
        found = needs(store.sources.list(), store.sources.credential_uses(), keep, heard=heard)
    for need in found:
        click.echo(f"{need.source}: {need.reason}")
    if found:
        raise click.ClickException(
            f"{len(found)} sources would be refused; give them another credential first (docs/credentials.md)"
        )
