# SPDX-License-Identifier: GPL-3.0-or-later
"""`event-listener source`: a message bus as a source of events, one process per kind."""

from __future__ import annotations

import click

from event_listener.commands import become_service_user, config_option, config_path, load_settings
from event_listener.inputs import INPUTS, MissingLibraryError, configured
from event_listener.process import die_with_parent


@click.command(short_help="Take events from a message bus.")
@click.argument("kind", type=click.Choice(sorted(INPUTS)))
@config_option
@click.option("--child-of", type=int, hidden=True, help="End when this process does.")
def source(kind: str, config: str | None, child_of: int | None) -> None:
    """Take messages from the bus of KIND and confirm to it what is in the journal, until SIGTERM."""
    settings = load_settings(config_path(config))
    if kind not in configured(settings):
        raise click.ClickException(f"the section {kind} isn't in the configuration; see docs/{kind}.md")
    become_service_user(settings)
    if child_of is not None:
        die_with_parent(child_of)
    from event_listener.inputs.process import main  # noqa: PLC0415 - --help needs no SQLAlchemy

    try:
        main(kind, settings)
    except MissingLibraryError as error:
        raise click.ClickException(str(error)) from error
