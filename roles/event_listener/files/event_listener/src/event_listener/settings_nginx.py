# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the nginx that may stand in front of ingest."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from event_listener.settings_base import Section


class Nginx(Section, frozen=True):
    """An nginx of our own in front of ingest: it does TLS, with the files and limits of `ingest`. See listener.md."""

    enabled: Annotated[
        bool,
        Meta(
            description="Run it. Ingest then listens on one Unix socket alone: `bind: [unix:/path]`, `plain_http: "
            "true`, `trusted_proxies: [unix]`."
        ),
    ] = False
    bind: Annotated[
        list[str],
        Meta(
            min_length=1,
            description="Addresses that BMCs post to: `address:port` or `[address]:port`. Ignored under systemd socket "
            "activation.",
        ),
    ] = field(default_factory=lambda: ["0.0.0.0:443", "[::]:443"])
    program: Annotated[str, Meta(min_length=1, description="nginx 1.18 or newer: a path, or a name on PATH.")] = "nginx"
    workers: Annotated[int, Meta(ge=1, le=64, description="Its worker processes; one per core is enough.")] = 2
