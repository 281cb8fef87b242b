# SPDX-License-Identifier: GPL-3.0-or-later
"""`event-listener check`: is this configuration good to start with?"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from event_listener import config_file, inputs, sinks
from event_listener.commands import EXIT_CONFIGURATION, config_option, config_path
from event_listener.filesystems import NetworkFilesystemError, refuse_network_filesystem
from event_listener.process import PrivilegeError, may_write, service_account
from event_listener.secrets import SecretError, read_secret
from event_listener.settings import Settings
from event_listener.settings_base import Secret
from event_listener.sockets import BindError, split_bind


@click.command(short_help="Check the configuration; changes nothing.")
@config_option
@click.option("--syntax-only", is_flag=True, help="Look at the file alone: not at secrets, certificates, directories.")
def check(config: str | None, syntax_only: bool) -> None:
    """Check the configuration file and what it refers to. One line per mistake, exit status 78; changes nothing."""
    path = config_path(config)
    try:
        settings = config_file.load(path)
    except config_file.ConfigError as error:
        _fail(error.path, error.problems)
    problems = [*_binds(settings), *([] if syntax_only else _references(settings))]
    if problems:
        _fail(path, problems)
    if settings.event_log.url and not syntax_only:
        _event_log(path, settings)
    click.echo(f"{path}: good")


def _event_log(path: str, settings: Settings) -> None:
    """Refuse a server that may lose what it confirmed. One that is down now is no mistake: events wait for it."""
    from event_listener.store import StoreUnavailableError, shared_database  # noqa: PLC0415 - SQL, for this alone

    try:
        backend = shared_database(settings.event_log)
    except StoreUnavailableError as error:
        _fail(path, [str(error)])
        return
    try:
        if unsafe := backend.unsafe():
            _fail(path, [f"event_log: {problem}" for problem in unsafe])
    except StoreUnavailableError as error:
        click.echo(f"{path}: not checked: {error}. Events wait in the journal until it can be", err=True)
    finally:
        backend.close()


def _fail(path: str, problems: list[str]) -> None:
    for problem in problems:
        click.echo(f"{path}: {problem}", err=True)
    sys.exit(EXIT_CONFIGURATION)


def _binds(settings: Settings) -> Iterator[str]:
    named = [("ingest.bind", settings.ingest.bind), ("manage.bind", [settings.manage.bind])]
    if settings.nginx.enabled:
        named.append(("nginx.bind", settings.nginx.bind))
    for name, binds in named:
        if name != "manage.bind" and settings.manage.bind in binds:
            yield f"manage.bind: {settings.manage.bind} is in {name}, too; give management an address of its own"
        for bind in binds:
            if bind.startswith("unix:/") and name != "nginx.bind":
                continue
            try:
                split_bind(bind)
            except BindError as error:
                yield f"{name}: {error}"


def _references(settings: Settings) -> Iterator[str]:
    for name, secret in secrets_in(settings):
        try:
            read_secret(secret)
        except SecretError as error:
            # systemd gives credentials to the service only; here they can't be looked at.
            if secret.credential is None:
                yield f"{name}: {error}"
    if settings.nginx.enabled or not settings.ingest.plain_http:
        yield from _tls(settings)
    yield from sinks.problems(settings)
    yield from inputs.problems(settings)
    yield from _state(settings)


def secrets_in(settings: msgspec.Struct, prefix: str = "") -> Iterator[tuple[str, Secret]]:
    """Yield each secret that the settings refer to, with its key."""
    for item in msgspec.structs.fields(type(settings)):
        value = getattr(settings, item.name)
        name = prefix + item.encode_name
        named = [(name, value)]
        if isinstance(value, list):
            named = [(f"{name}[{index}]", element) for index, element in enumerate(value)]
        elif isinstance(value, dict):
            named = [(f"{name}.{key}", element) for key, element in value.items()]
        for inner, element in named:
            if isinstance(element, Secret):
                yield inner, element
            elif isinstance(element, msgspec.Struct):
                yield from secrets_in(element, f"{inner}.")


def _tls(settings: Settings) -> Iterator[str]:
    from event_listener.tls import TlsError, server_context  # noqa: PLC0415 - gevent, not needed for the rest

    try:
        server_context(settings.ingest.tls)
    except TlsError as error:
        yield str(error)


def _state(settings: Settings) -> Iterator[str]:
    for name, directory in (
        ("state_dir", settings.state_dir),
        ("sinks.text_log.directory", settings.sinks.text_log.directory),
        ("sinks.json_lines.directory", settings.sinks.json_lines.directory),
    ):
        if problem := directory_problem(settings, Path(directory)):
            yield f"{name}: {problem}"
        elif name == "state_dir":
            yield from _local(nearest(Path(directory)))


def nearest(path: Path) -> Path:
    """The path, or its nearest ancestor that exists: what isn't there is made by the first start."""
    while not os.path.lexists(path):
        path = path.parent
    return path


def directory_problem(settings: Settings, directory: Path) -> str:
    """Why the listener can't keep files in a directory; "" where it can."""
    if not directory.is_absolute():
        return f"{directory} is relative, so a place of its own for each working directory; give an absolute path"
    existing = nearest(directory)
    if not existing.is_dir():
        return f"{existing} is not a directory; move it away or give another one"
    try:
        account = service_account(settings) if os.geteuid() == 0 else None
    except PrivilegeError as error:
        return str(error)
    if not may_write(existing, account):
        who = account.pw_name if account else f"uid {os.geteuid()}"
        return f"{who} can't write into {existing}; give it to {who}, or mount its disk read-write"
    return ""


def _local(directory: Path) -> Iterator[str]:
    try:
        refuse_network_filesystem(directory)
    except NetworkFilesystemError as error:
        yield f"state_dir: {error}"
