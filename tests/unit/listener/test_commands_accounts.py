# SPDX-License-Identifier: GPL-3.0-or-later
"""`event-listener domains|accounts|users|tokens` as an administrator types them."""

import pytest
from click.testing import CliRunner
from event_listener.cli import main
from event_listener.store import Query, open_store

PASSWORD = "correct horse battery"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a command and return its output; `status` is what it has to end with."""
    (tmp_path / "state").mkdir()
    config = tmp_path / "config.yml"
    config.write_text(f"state_dir: {tmp_path / 'state'}\nuser: root\n")
    monkeypatch.setenv("SUDO_USER", "ada")

    def run(*arguments, status=0, text=None):
        done = CliRunner().invoke(main, ["--config", str(config), *arguments], input=text)
        assert done.exit_code == status, done.output
        return done.output

    run.state_dir = tmp_path / "state"
    return run


def test_the_first_token_is_made_once(run):
    secret = run("tokens", "first").strip()
    with open_store(run.state_dir) as store:
        user, token = store.users.by_token(secret)
    assert (user.name, user.role, token.actions) == ("root", "root-admin", None)
    assert "there are users already" in run("tokens", "first", status=1)


def test_users_are_made_changed_and_removed(run):
    assert "belongs to an account" in run("users", "set", "bob", "--role", "user", status=1)
    assert run("users", "set", "bob", "--role", "user", "--domain", "dc1", "--account", "ops") == "bob: made\n"
    assert run("users", "set", "bob", "--role", "user") == "bob: unchanged\n"
    assert "12 to 1024" in run("users", "set", "bob", "--password", text="short\n", status=1)
    assert run("users", "set", "bob", "--password", text=PASSWORD + "\n") == "bob: changed\n"
    assert run("users", "set", "bob", "--password", text=PASSWORD + "\n") == "bob: unchanged\n"
    assert "bob   user  /dc1/   ops      enabled  yes" in run("users", "list")
    assert "/dc1/   ops" in run("accounts", "list")
    assert "has users" in run("accounts", "remove", "ops", "--domain", "/dc1/", status=1)
    assert "holds accounts" in run("domains", "remove", "/dc1/", status=1)
    run("users", "remove", "bob")
    assert "there is no user bob" in run("users", "remove", "bob", status=1)
    run("accounts", "remove", "ops", "--domain", "/dc1/")
    run("domains", "remove", "/dc1/")
    assert run("domains", "list") == "/\n"


def test_tokens_are_made_and_revoked(run):
    assert "no enabled user bob" in run("tokens", "add", "bob", "x", status=1)
    run("users", "set", "bob", "--role", "domain-admin", "--domain", "dc1")
    secret = run("tokens", "add", "bob", "grafana", "--action", "events.read", "--expires-in", "90d").strip()
    listed = run("tokens", "list", "bob")
    assert "grafana" in listed
    assert secret not in listed
    token_id = listed.splitlines()[1].split()[0]
    run("tokens", "revoke", "bob", token_id)
    with open_store(run.state_dir) as store:
        assert store.users.by_token(secret) is None
    assert "has no token" in run("tokens", "revoke", "bob", token_id, status=1)
    assert "--expires-in" in run("tokens", "add", "bob", "x", "--expires-in", "soon", status=2)


def test_each_deed_is_an_event_that_says_who(run):
    run("domains", "add", "dc1/row2")
    run("domains", "add", "dc1/row2")
    with open_store(run.state_dir) as store:
        told = store.queries.find(Query(category=("ActionEvent",), order="asc")).events
    assert [(event.type, event.resource_id) for event in told] == [
        ("DOMAIN.CREATE", "/dc1/"),
        ("DOMAIN.CREATE", "/dc1/row2/"),
    ]
    assert told[0].record["Oem"]["redfleet"] == {"actor": "ada", "from": "command line"}
