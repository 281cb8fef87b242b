# SPDX-License-Identifier: GPL-3.0-or-later
"""`event-listener run` and `stop`: all three processes without a service manager."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from event_listener import probe
from event_listener.commands import become_service_user, config_option, config_path, load_settings
from event_listener.detach import detach
from event_listener.process import PidFile, PidFileError
from event_listener.settings import Settings
from event_listener.sockets import BindError

if TYPE_CHECKING:
    from event_listener.console import Console
    from event_listener.supervisor import Supervisor

_READY_SECONDS = 60.0
_STOP_SECONDS = 40.0

_pid_file = click.option("--pid-file", metavar="FILE", help="Default: run/event-listener.pid in state_dir.")


def _pid_path(settings: Settings, pid_file: str | None) -> Path:
    return Path(pid_file).absolute() if pid_file else Path(settings.state_dir) / "run" / "event-listener.pid"


@click.command(short_help="Run ingest, manage and relay together.")
@config_option
@_pid_file
@click.option("--detach", "detached", is_flag=True, help="Return when it is ready, and go on in the background.")
@click.option("--log-file", metavar="FILE", help="With --detach; default: run/event-listener.log in state_dir.")
@click.option("-v", "--verbose", is_flag=True, help="Print each event as it arrives.")
def run(config: str | None, pid_file: str | None, detached: bool, log_file: str | None, verbose: bool) -> None:
    """Run ingest, manage and relay in the foreground, starting again what ends, until Ctrl-C or SIGTERM."""
    path = os.path.abspath(config_path(config))
    settings = load_settings(path)
    from event_listener.console import Console  # noqa: PLC0415 - `stop` needs none of these
    from event_listener.serve import prepare_state  # noqa: PLC0415 - same
    from event_listener.supervisor import build  # noqa: PLC0415 - same

    console = Console(sys.stdout) if verbose else None
    try:
        # Before the sockets, whose error would be the lesser explanation.
        PidFile(_pid_path(settings, pid_file)).refuse_second()
        supervisor, kept = build(settings, path, console)
        become_service_user(settings)
        prepare_state(settings)
    except (BindError, PidFileError, OSError) as error:
        raise click.ClickException(str(error)) from error

    def serve(report: Callable[[str], None]) -> str:
        return _serve(settings, supervisor, kept, _pid_path(settings, pid_file), console, report)

    if not detached:
        error_text = serve(click.echo)
        if error_text:
            raise click.ClickException(error_text)
        return
    log = Path(log_file) if log_file else Path(settings.state_dir) / "run" / "event-listener.log"
    try:
        good, message = detach(log, serve, _READY_SECONDS)
    except OSError as error:
        raise click.ClickException(f"can't go to the background: {error}") from error
    if not good:
        raise click.ClickException(f"{message}; its log is {log}")
    click.echo(message)


def _serve(
    settings: Settings,
    supervisor: Supervisor,
    kept: list[socket.socket],
    pid_path: Path,
    console: Console | None,
    report: Callable[[str], None],
) -> str:
    """Supervise until a signal; return an error, or "". Closes the sockets."""
    held = PidFile(pid_path)
    try:
        held.take()
    except PidFileError as error:
        return str(error)
    if console is not None:
        console.start()
    try:
        supervisor.run(_Readiness(settings, report).look)
    finally:
        held.release()
        if console is not None:
            console.close()
        for one in kept:
            one.close()
    return ""


class _Readiness:
    """Reports once, when ingest and manage answer."""

    def __init__(self, settings: Settings, report: Callable[[str], None]) -> None:
        self._settings = settings
        self._report = report
        self._ready = False

    def look(self) -> None:
        """Ask, until the answer was yes."""
        if self._ready or not (probe.ingest_answers(self._settings) and probe.manage_answers(self._settings)):
            return
        self._ready = True
        plain = self._settings.ingest.plain_http and not self._settings.nginx.enabled
        scheme = "http" if plain else "https"
        where = ", ".join(probe.events_binds(self._settings))
        self._report(f"ready: events at {scheme}://{where}, management at http://{self._settings.manage.bind}")


@click.command(short_help="Stop what `run` started.")
@config_option
@_pid_file
def stop(config: str | None, pid_file: str | None) -> None:
    """Stop the listener that `run` started, and wait until it has ended. Nothing running is fine."""
    held = PidFile(Path(pid_file) if pid_file else _pid_path(load_settings(config_path(config)), None))
    try:
        pid = held.holder()
        if pid is None:
            click.echo("no listener is running")
            return
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        while held.holder() is not None:
            if time.monotonic() > deadline:
                raise click.ClickException(f"the listener (pid {pid}) didn't end within {_STOP_SECONDS:g} s; kill it")
            time.sleep(0.1)
    except PidFileError as error:
        raise click.ClickException(str(error)) from error
    except ProcessLookupError:
        click.echo("it has just ended")
        return
    click.echo(f"stopped (pid {pid})")
