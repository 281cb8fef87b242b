# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of a central listener: the listeners of sites that forward their events to it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from event_listener.settings_base import Secret, Section, check_login


class Site(Section, frozen=True):
    """A site's listener, by what its `http` sink shows: a token (Bearer), or `username` and `password` (Basic)."""

    name: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$",
            description="Names the site; every event from there has it as `site`.",
        ),
    ]
    username: Annotated[str | None, Meta(description="User name of HTTP Basic authentication.")] = None
    password: Annotated[Secret | None, Meta(description="Password of HTTP Basic authentication.")] = None
    token: Annotated[Secret | None, Meta(description="Token of `Authorization: Bearer`.")] = None

    def __post_init__(self) -> None:
        check_login(self.username, self.password, self.token)


class CloudStackWebhook(Section, frozen=True, kw_only=True):
    """A webhook of CloudStack that delivers to `POST /webhooks/cloudstack`, known by the secret that signs it."""

    name: Annotated[
        str,
        Meta(
            pattern=r"^[a-z][a-z0-9_-]{0,62}$",
            description="The source of its events. A bus that publishes the same makes them once more.",
        ),
    ]
    secret: Annotated[Secret, Meta(description="Its `secretkey`, which CloudStack signs each delivery with.")]

    def __post_init__(self) -> None:
        if self.name == "own":
            msg = "name: own is the listener's; give another"
            raise ValueError(msg)
