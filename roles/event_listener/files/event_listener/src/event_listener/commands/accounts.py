# SPDX-License-Identifier: GPL-3.0-or-later
"""`event-listener domains`, `accounts`, `users` and `tokens`: who may use the management API."""

from __future__ import annotations

import getpass
import os
import sys
from typing import Any

import click
import msgspec

from event_listener.accounts import UserChange
from event_listener.commands import with_settings
from event_listener.commands.store_access import opened, table
from event_listener.event import rfc3339
from event_listener.parameters import ParameterError, moment
from event_listener.policy import ROOT, Action, Role
from event_listener.settings import Settings
from event_listener.store import Actor

ROOT_USER = "root"


def actor() -> Actor:
    """Who is at the command line: the account behind sudo where there is one."""
    return Actor(os.environ.get("SUDO_USER") or getpass.getuser(), "command line")


@click.group(short_help="List, add and remove domains.")
def domains() -> None:
    """The tree of domains that sources, users and events belong to."""


@domains.command("list")
@with_settings
def list_domains(settings: Settings) -> None:
    """Print every domain."""
    with opened(settings) as store:
        for path in store.tree.domains():
            click.echo(path)


@domains.command("add")
@with_settings
@click.argument("path")
def add_domain(settings: Settings, path: str) -> None:
    """Make a domain, and those above it."""
    with opened(settings) as store:
        made = store.tree.add_domain(path, actor())
    click.echo(f"{path}: {'made' if made else 'is there'}")


@domains.command("remove")
@with_settings
@click.argument("path")
def remove_domain(settings: Settings, path: str) -> None:
    """Remove a domain that nothing belongs to but events."""
    with opened(settings) as store:
        if not store.tree.remove_domain(path, actor()):
            raise click.ClickException(f"there is no domain {path}; see `event-listener domains list`")


@click.group(short_help="List, add and remove accounts.")
def accounts() -> None:
    """The accounts that sources and users of a domain belong to."""


@accounts.command("list")
@with_settings
def list_accounts(settings: Settings) -> None:
    """Print every account with its domain."""
    with opened(settings) as store:
        table(["DOMAIN", "ACCOUNT"], [[found.domain, found.account or ""] for found in store.tree.accounts()])


@accounts.command("add")
@with_settings
@click.argument("name")
@click.option("--domain", default=ROOT, show_default=True, help="Path of its domain, such as /dc1/row2/.")
def add_account(settings: Settings, name: str, domain: str) -> None:
    """Make an account, and its domain."""
    with opened(settings) as store:
        made = store.tree.add_account(domain, name, actor())
    click.echo(f"{name}: {'made' if made else 'is there'}")


@accounts.command("remove")
@with_settings
@click.argument("name")
@click.option("--domain", default=ROOT, show_default=True, help="Path of its domain.")
def remove_account(settings: Settings, name: str, domain: str) -> None:
    """Remove an account that nothing belongs to but events."""
    with opened(settings) as store:
        if not store.tree.remove_account(domain, name, actor()):
            raise click.ClickException(f"there is no account {name} in {domain}; see `event-listener accounts list`")


@click.group(short_help="List, add, change and remove users of the API.")
def users() -> None:
    """Who may log in to the management API, and as what."""


@users.command("list")
@with_settings
def list_users(settings: Settings) -> None:
    """Print every user."""
    with opened(settings) as store:
        rows = [
            [user.name, user.role, user.domain, user.account or "-", user.state, "yes" if user.password else "no"]
            for user in store.users.find()
        ]
    table(["NAME", "ROLE", "DOMAIN", "ACCOUNT", "STATE", "PASSWORD"], rows)


@users.command("set")
@with_settings
@click.argument("name")
@click.option("--role", type=click.Choice([str(role) for role in Role]), help="A new user needs one.")
@click.option("--domain", help="Path of the domain; a root-admin's is /.")
@click.option("--account", help="A user of the role user needs one; an empty text takes it away.")
@click.option("--state", type=click.Choice(["enabled", "disabled"]), help="Disabling revokes all tokens.")
@click.option("--password", "ask", is_flag=True, help="Ask for a password; from a pipe, read it from standard input.")
def set_user(settings: Settings, name: str, ask: bool, **given: str | None) -> None:
    """Make a user, or change what is given of one."""
    fields: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    if fields.get("account") == "":
        fields["account"] = None
    if ask:
        fields["password"] = _password()
    change = msgspec.convert({"name": name, **fields}, UserChange)
    with opened(settings) as store:
        before, after = store.users.set(change, actor())
    click.echo(f"{name}: {'made' if before is None else 'unchanged' if before == after else 'changed'}")


def _password() -> str:
    """Never an argument: it would stand in the process list and in the shell's history."""
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")


@users.command("remove")
@with_settings
@click.argument("name")
def remove_user(settings: Settings, name: str) -> None:
    """Remove a user and all its tokens."""
    with opened(settings) as store:
        if not store.users.remove(name, actor()):
            raise click.ClickException(f"there is no user {name}; see `event-listener users list`")


@click.group(short_help="List, make and revoke tokens of users.")
def tokens() -> None:
    """What programs show to the management API."""


@tokens.command("list")
@with_settings
@click.argument("user")
def list_tokens(settings: Settings, user: str) -> None:
    """Print the tokens and sessions of a user (never their secrets: those aren't kept)."""
    with opened(settings) as store:
        rows = [
            [
                token.id,
                token.name,
                token.kind,
                rfc3339(token.expires_ns) if token.expires_ns else "never",
                rfc3339(token.used_ns) if token.used_ns else "never",
                "all" if token.actions is None else " ".join(token.actions),
            ]
            for token in store.users.tokens(user)
        ]
    table(["ID", "NAME", "KIND", "EXPIRES", "USED", "ACTIONS"], rows)


@tokens.command("add")
@with_settings
@click.argument("user")
@click.argument("name")
@click.option("--action", "actions", multiple=True, type=click.Choice([str(action) for action in Action]))
@click.option("--expires-in", default="366d", show_default=True, metavar="AGE", help="90d, 12h; `never`.")
def add_token(settings: Settings, user: str, name: str, actions: tuple[str, ...], expires_in: str) -> None:
    """Make a token and print it: once, since only a digest is kept. Without --action it may what its user may."""
    limit = tuple(Action(action) for action in actions) or None
    lifetime = None if expires_in == "never" else _seconds(expires_in)
    with opened(settings) as store:
        _token, secret = store.users.add_token(user, name, actor(), actions=limit, lifetime=lifetime, kind="token")
    click.echo(secret)


def _seconds(age: str) -> int:
    try:
        return -moment(age, 0, "age") // 1_000_000_000
    except ParameterError as error:
        raise click.BadParameter(str(error), param_hint="--expires-in") from error


@tokens.command("revoke")
@with_settings
@click.argument("user")
@click.argument("token_id", metavar="ID")
def revoke_token(settings: Settings, user: str, token_id: str) -> None:
    """Revoke a token, or end a session."""
    with opened(settings) as store:
        if not store.users.remove_token(user, token_id, actor()):
            raise click.ClickException(f"{user} has no token {token_id}; see `event-listener tokens list {user}`")


@tokens.command("first")
@with_settings
def first_token(settings: Settings) -> None:
    """Make the user `root` and print a token of it: the first one of a new listener, where nobody has one yet."""
    with opened(settings) as store:
        if store.users.find():
            raise click.ClickException("there are users already; root makes more with `event-listener users set`")
        store.users.set(UserChange(name=ROOT_USER, role=Role.ROOT_ADMIN), actor())
        _token, secret = store.users.add_token(ROOT_USER, "first", actor(), actions=None, lifetime=None, kind="token")
    click.echo(secret)
