# SPDX-License-Identifier: GPL-3.0-or-later
"""`event-listener settings`: the reference of all settings."""

from __future__ import annotations

import click

from event_listener.settings_reference import render


@click.command(name="settings", short_help="Print the reference of all settings (docs/settings.md).")
def settings_reference() -> None:
    """Print every setting with its type, default and help, as Markdown."""
    click.echo(render(), nl=False)
