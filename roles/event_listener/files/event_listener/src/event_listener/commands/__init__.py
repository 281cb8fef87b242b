# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of `event-listener`, one file each, and what they share."""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Callable
from typing import Any

import click

from event_listener import config_file
from event_listener.process import PrivilegeError, drop_privileges
from event_listener.settings import Settings

EXIT_CONFIGURATION = 78  # EX_CONFIG of sysexits.h; units don't restart on it


def config_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --config to a command; it may stand before or after the command's name."""
    return click.option("-c", "--config", "config", metavar="FILE", help="Configuration file.")(function)


def config_path(config: str | None) -> str:
    """Return the configuration file: after the command, before it, $EVENT_LISTENER_CONFIG, the default."""
    context = click.get_current_context()
    return config or (context.obj or {}).get("config") or config_file.DEFAULT_PATH


def load_settings(path: str) -> Settings:
    """Return the settings, or end the program with one line per mistake."""
    try:
        settings = config_file.load(path)
    except config_file.ConfigError as error:
        for problem in error.problems:
            click.echo(f"{error.path}: {problem}", err=True)
        sys.exit(EXIT_CONFIGURATION)
    set_up_logging(settings.log_level)
    return settings


def with_settings(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command its settings as first argument, as the service user where root called it."""

    @config_option
    @functools.wraps(function)
    def command(config: str | None = None, **options: Any) -> Any:
        settings = load_settings(config_path(config))
        become_service_user(settings)
        return function(settings, **options)

    return command


def become_service_user(settings: Settings) -> None:
    """Give up root, or end the program saying why that failed."""
    try:
        drop_privileges(settings)
    except PrivilegeError as error:
        raise click.ClickException(str(error)) from error


def set_up_logging(level: str) -> None:
    """Send our own log lines to standard error, where the service manager takes them."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("event_listener")
    logger.handlers[:] = [handler]
    logger.setLevel(level.upper())
    logger.propagate = False
