# SPDX-License-Identifier: GPL-3.0-or-later
"""`event-listener webhooks` as an administrator types it."""

import json
import time

import pytest
from click.testing import CliRunner
from event_listener.cli import main
from event_listener.store import open_store
from event_listener.store.deliveries import Delivery, new_id

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


def test_deliveries_are_found_and_dropped(run):
    """Those that fit, as the API: of one webhook, never of others; and one by its id."""
    ids = [run("set", name, "--url", f"https://{name}.example/in").partition(":")[0] for name in ("ops", "dev")]
    assert json.loads(run("show", ids[0]))["failures"] == 0
    assert "there is no webhook" in run("show", "wh_1", status=1)
    with open_store(run.state_dir) as store:
        lease = store.cursors.acquire("webhooks", "test", 60)
        places = {webhook: store.webhooks.place(webhook).position for webhook in ids}
        for webhook, place in places.items():
            made = [waiting(webhook, number) for number in range(3)]
            store.deliveries.expand(lease, {webhook: place}, place + 1, made)
    found = [json.loads(line) for line in run("deliveries", ids[0], "--event-type", "A.1", "--json").splitlines()]
    assert [one["event_id"] for one in found] == ["e1"]
    assert run("deliveries", ids[0], "--state", "Failed").count("\n") == 1
    assert run("deliveries", ids[0], "--since", "1h", "--keyword", "a.", "-n", "2").count("\n") == 3
    assert "is no time" in run("deliveries", ids[0], "--since", "soon", status=1)
    assert run("drop", ids[0], "--event-type", "A.1") == "removed 1\n"
    assert run("drop", found[0]["id"], status=1).startswith("Error: there is no delivery")
    assert "there is no webhook" in run("drop", "wh_1", "--state", "Failed", status=1)
    one = json.loads(run("deliveries", ids[0], "--json").splitlines()[0])
    assert run("drop", one["id"]) == "removed 1\n"
    assert run("drop", ids[0]) == "removed 1\n"
    assert run("deliveries", ids[1]).count("\n") == 4


def waiting(webhook, number):
    """A delivery that waits, of event ``e<number>``."""
    return Delivery(
        id=new_id(),
        webhook=webhook,
        message_id=f"m{number}",
        event_id=f"e{number}",
        event_type=f"A.{number}",
        event_owner="/",
        content_type="application/json",
        payload=b"{}",
        created_ns=time.time_ns(),
    )
