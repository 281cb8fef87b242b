# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetch secrets from where the configuration says they are."""

from __future__ import annotations

import os
from pathlib import Path

from event_listener.settings_base import Secret


class SecretError(Exception):
    """A secret can't be had; the text names the place, never the secret."""


def read_secret(reference: Secret) -> str:
    """Return the secret. Raises SecretError when it is missing, unreadable or empty."""
    if reference.env is not None:
        value = os.environ.get(reference.env)
        if value is None:
            raise SecretError(f"the environment variable {reference.env} is not set")
        where = f"the environment variable {reference.env}"
    else:
        path = _path(reference)
        where = str(path)
        try:
            value = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            detail = error.strerror if isinstance(error, OSError) else "it isn't UTF-8"
            raise SecretError(f"the secret in {path} can't be read: {detail}") from error
        value = value.removesuffix("\n").removesuffix("\r")
    if not value:
        raise SecretError(f"the secret in {where} is empty")
    return value


def _path(reference: Secret) -> Path:
    if reference.file is not None:
        return Path(reference.file)
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    if not directory:
        raise SecretError(
            f"the credential {reference.credential} needs $CREDENTIALS_DIRECTORY; systemd sets it for LoadCredential="
        )
    name = str(reference.credential)
    if "/" in name:
        raise SecretError(f"the credential name {name} must not hold a slash")
    return Path(directory) / name
