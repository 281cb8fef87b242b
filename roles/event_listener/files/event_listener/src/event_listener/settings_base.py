# SPDX-License-Identifier: GPL-3.0-or-later
"""What the settings' classes are made of."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A part of the configuration file. Unknown keys are an error, because a misspelt setting would be none."""


Required = Annotated[
    bool, Meta(description="Events that it hasn't got yet aren't purged, for as long as `retain_for` says.")
]


class Secret(Section, frozen=True):
    """Where a secret is found; the configuration file itself never holds one. Exactly one of the three."""

    file: Annotated[str | None, Meta(description="Path of a file that holds it; one trailing newline is cut.")] = None
    env: Annotated[str | None, Meta(description="Name of an environment variable that holds it.")] = None
    credential: Annotated[
        str | None,
        Meta(description="Name of a systemd credential (`LoadCredential=`, read below $CREDENTIALS_DIRECTORY)."),
    ] = None

    def __post_init__(self) -> None:
        if sum(reference is not None for reference in (self.file, self.env, self.credential)) != 1:
            msg = "give exactly one of file, env, credential"
            raise ValueError(msg)


def check_login(username: str | None, password: Secret | None, token: Secret | None) -> None:
    """What an Authorization header can hold: Basic or Bearer, one and whole. Raises ValueError."""
    basic = username is not None and password is not None
    half = (username is None) != (password is None)
    if half or basic == (token is not None):
        msg = "give username and password (Basic), or token (Bearer)"
        raise ValueError(msg)
    if username is not None and ":" in username:
        msg = "a Basic username can't hold a colon (RFC 7617)"
        raise ValueError(msg)
