# SPDX-License-Identifier: GPL-3.0-or-later
"""`event-listener import-osel`: a configuration from osel's YAML."""

from __future__ import annotations

from pathlib import Path

import click

from event_listener import config_file
from event_listener.osel_config import CONFIG, SECRETS, Imported, OselConfigError, imported


@click.command("import-osel", short_help="Make a configuration of one of osel's.")
@click.argument("config", metavar="OSEL.YAML", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("directory", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
def import_osel(config: Path, directory: Path) -> None:
    """Write config.yml, clouds.yaml and files with secrets, readable by you alone, to DIR, from OSEL.YAML.

    Says what differs from osel, and why. DIR must not exist or be empty.
    """
    place = directory.resolve()
    try:
        found = imported(config.read_text(encoding="utf-8"), str(place))
        config_file.convert(found.settings, config)
    except (OSError, UnicodeError) as error:
        raise click.ClickException(f"{config} can't be read: {error}") from error
    except (OselConfigError, config_file.ConfigError) as error:
        raise click.ClickException(f"{config} can't be used: {error}") from error
    _write(place, found)
    click.echo(f"{directory}: {', '.join(sorted(found.files))}.\n\nDifferent from osel:")
    for change in found.changes:
        click.echo(f"- {change}")
    click.echo(f"\nNext: add your own settings to {directory / CONFIG}, and")
    click.echo(f"      event-listener --config {directory / CONFIG} check")


def _write(place: Path, found: Imported) -> None:
    try:
        if place.exists() and any(place.iterdir()):
            raise click.ClickException(f"{place} is not empty; name a folder that does not exist yet")
        place.mkdir(parents=True, exist_ok=True)
        for name, content in found.files.items():
            # Made with its mode, so that a secret is never readable by others, not even for a moment.
            (place / name).touch(mode=0o600 if name in SECRETS else 0o644)
            (place / name).write_text(content, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{place} can't be written: {error}") from error
