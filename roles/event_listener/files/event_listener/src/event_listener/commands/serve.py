# SPDX-License-Identifier: GPL-3.0-or-later
"""`event-listener ingest`, `manage` and `relay`: one process each, as the units start them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import click

from event_listener.commands import become_service_user, config_option, config_path, load_settings
from event_listener.process import die_with_parent, step_back
from event_listener.secrets import SecretError
from event_listener.settings import Settings
from event_listener.sockets import BindError, open_sockets, taken_over

_child_of = click.option("--child-of", type=int, hidden=True, help="End when this process does.")


def _as_child(child_of: int | None) -> None:
    if child_of is not None:
        die_with_parent(child_of)


def _guarded(serve: Callable[[], Any]) -> None:
    """Serve, and end with one sentence where serving can't begin."""
    from event_listener.tls import TlsError  # noqa: PLC0415 - gevent is for those who serve

    try:
        serve()
    except (BindError, SecretError, TlsError, OSError) as error:
        raise click.ClickException(str(error)) from error


@click.command(short_help="Receive events: the socket that BMCs post to.")
@config_option
@_child_of
def ingest(config: str | None, child_of: int | None) -> None:
    """Receive events and acknowledge what is in the journal. SIGHUP reads configuration and credentials again."""
    from event_listener.serve import open_binds, serve_ingest  # noqa: PLC0415 - the others need no gunicorn

    path = config_path(config)
    settings = load_settings(path)

    def serve() -> None:
        binds = open_binds(settings.ingest.bind)
        become_service_user(settings)
        _as_child(child_of)
        serve_ingest(settings, os.path.abspath(path), binds)

    _guarded(serve)


@click.command(short_help="Serve the management API, health and metrics.")
@config_option
@_child_of
def manage(config: str | None, child_of: int | None) -> None:
    """Serve the management API, health and metrics."""
    from event_listener.serve import open_binds, serve_manage  # noqa: PLC0415 - the others need no gunicorn

    settings = load_settings(config_path(config))

    def serve() -> None:
        binds = open_binds([settings.manage.bind])
        become_service_user(settings)
        _as_child(child_of)
        serve_manage(settings, binds)

    _guarded(serve)


@click.command(short_help="Index the journal and feed the logs and sinks.")
@config_option
@_child_of
def relay(config: str | None, child_of: int | None) -> None:
    """Write the event log from the journal, and from there the text log, JSON lines and other sinks."""
    settings: Settings = load_settings(config_path(config))
    step_back()  # in a storm, acknowledging goes first
    become_service_user(settings)
    _as_child(child_of)
    from event_listener.relay import main  # noqa: PLC0415 - ingest must not load SQLAlchemy

    main(settings)


@click.command(short_help="Run an nginx in front of ingest (setting nginx).")
@config_option
@_child_of
def nginx(config: str | None, child_of: int | None) -> None:
    """Run nginx in front of ingest: TLS and the listening addresses are its own. SIGHUP reloads the certificate."""
    from event_listener.nginx import Nginx, NginxError  # noqa: PLC0415 - gevent is for those who serve

    settings: Settings = load_settings(config_path(config))
    if not settings.nginx.enabled:
        raise click.ClickException("nginx.enabled is false; set it to true to run nginx in front of ingest")

    def serve() -> None:
        sockets = taken_over() or open_sockets(settings.nginx.bind)
        become_service_user(settings)
        _as_child(child_of)
        try:
            sys.exit(Nginx(settings, sockets).run())
        except NginxError as error:
            raise click.ClickException(str(error)) from error

    _guarded(serve)
