# SPDX-License-Identifier: GPL-3.0-or-later
"""`event-listener import-config`: an inventory from the config.ini of the DMTF tool, for those who move for good."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path

import click

from event_listener.dmtf_config import PUBLISHED_KEY_SHA256, DmtfConfig, DmtfConfigError, parse
from event_listener.dmtf_folder import SECRETS, changes, folder


@click.command("import-config", short_help="Make an Ansible inventory of a DMTF config.ini.")
@click.argument("config", metavar="CONFIG.INI", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("directory", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
def import_config(config: Path, directory: Path) -> None:
    """Write an Ansible inventory to DIR from the CONFIG.INI of the DMTF Redfish Event Listener.

    Secrets are in one file of their own, readable by you alone and ready for ansible-vault. Says what differs from the
    DMTF tool, and why. DIR must not exist or be empty.
    """
    found = _read(config)
    base = config.resolve().parent
    _write(directory, folder(found, lambda name: str(base / name), lambda: secrets.token_urlsafe(24)))
    click.echo(f"{directory}: {len(found.servers)} BMCs and a listener.\n\nDifferent from the DMTF tool:")
    for change in [*changes(found), *_published_key(found, base)]:
        click.echo(f"- {change.replace('DIR/', f'{directory}/')}")
    click.echo(f"\nNext: ansible-playbook redfleet.events.pin -i {directory}")
    click.echo(f"      ansible-playbook redfleet.events.site -i {directory}")


def _read(path: Path) -> DmtfConfig:
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeError) as error:
        raise click.ClickException(f"{path} can't be read: {error}") from error
    except DmtfConfigError as error:
        raise click.ClickException("\n  ".join([f"{path} can't be used:", *error.problems])) from error


def _write(directory: Path, files: dict[str, str]) -> None:
    try:
        if directory.exists() and any(directory.iterdir()):
            raise click.ClickException(f"{directory} is not empty; name a folder that does not exist yet")
        for name, content in files.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            # Made with its mode, so that a secret is never readable by others, not even for a moment.
            path.touch(mode=0o600 if name == SECRETS else 0o644)
            path.write_text(content, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{directory} can't be written: {error}") from error


def _published_key(config: DmtfConfig, base: Path) -> list[str]:
    key = base / config.key
    try:
        published = bool(config.key) and hashlib.sha256(key.read_bytes()).hexdigest() == PUBLISHED_KEY_SHA256
    except OSError:
        return [f"{key} can't be read now; the role needs it to deploy the listener."]
    return [f"{key} is the DMTF tool's example, known to everybody: use event_listener_tls: ca."] if published else []
