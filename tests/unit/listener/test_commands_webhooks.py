# SPDX-License-Identifier: GPL-3.0-or-later
"""`event-listener webhooks` as an administrator types it."""

import json

import pytest
from click.testing import CliRunner
from event_listener.cli import main
from event_listener.store import open_store

from tests.unit.listener.webhook_receiver import Receiver, status


@pytest.fixture
def run(tmp_path):
    """Run a command and return its output; `status` is what it has to end with."""
    (tmp_path / "state").mkdir()
    config = tmp_path / "config.yml"
    webhook = {"exempt_networks": ["127.0.0.0/8"], "delivery": {"allow_http": True}}
    config.write_text(json.dumps({"state_dir": str(tmp_path / "state"), "user": "root", "webhook": webhook}))

    def run(*arguments, status=0, text=None):
        done = CliRunner().invoke(main, ["--config", str(config), "webhooks", *arguments], input=text)
        assert done.exit_code == status, done.output
        return done.output

    run.state_dir = tmp_path / "state"
    return run


def test_a_webhook_is_made_changed_and_removed(run, tmp_path):
    made = run("set", "ops", "--url", "https://ops.example/in", "--scope", "Global", "--generate-secret").split()
    assert made[1] == "made"
    assert made[2].startswith("whsec_")
    assert "unchanged" in run("set", "ops", "--scope", "Global")
    wanted = ("--filter", "Include:Prefix:VM.", "--filter", "Exclude:Exact:VM.START", "--level", "ERROR")
    assert "changed" in run("set", "ops", *wanted)
    webhook = made[0].rstrip(":")
    (shown,) = [json.loads(line) for line in run("list", "--json").splitlines()]
    assert [one["value"] for one in shown["filters"]] == ["VM.", "VM.START"]
    assert made[2] not in str(shown)
    assert "ops   Global  /" in run("list")
    assert "changed" in run("set", "ops", "--secret", text="a secret of sixteen\n")
    assert "Invalid value for --filter" in run("set", "ops", "--filter", "VM.", status=2)
    assert "Invalid enum value" in run("set", "ops", "--filter", "Include:Regex:x", status=2)
    assert "already in use" in run("set", "ops2", "--url", "https://ops.example/in", status=1)
    (tmp_path / "ca.pem").write_text("nonsense")
    assert "PEM" in run("set", "ops", "--ca", str(tmp_path / "ca.pem"), status=1)
    assert "No such file" in run("set", "ops", "--ca", str(tmp_path / "none.pem"), status=2)
    run("remove", webhook)
    assert "there is no webhook" in run("remove", webhook, status=1)
    assert "there is no webhook" in run("test", webhook, status=1)
    assert "there is no webhook" in run("deliveries", webhook, status=1)
    for command in ("delivery", "redeliver"):
        assert "there is no delivery" in run(command, "whd_1", status=1)


def test_a_webhook_is_tried(run):
    """What came of it, and a status for scripts; nothing is recorded."""
    with Receiver(status(204), status(500)) as receiver:
        webhook = run("set", "ops", "--url", receiver.url).partition(":")[0]
        assert json.loads(run("test", webhook))["status"] == 204
        assert "answers 500" in run("test", webhook, "--payload", "{}", status=1)
    with open_store(run.state_dir) as store:
        assert store.webhooks.place(webhook).delivered == 0
    assert "STATE" in run("deliveries", webhook)
