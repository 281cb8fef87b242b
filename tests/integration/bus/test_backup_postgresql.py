# SPDX-License-Identifier: GPL-3.0-or-later
"""Backup and restore of two listeners that share a PostgreSQL, by the playbooks, in the mode without systemd."""

from __future__ import annotations

import getpass
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.integration.listener_process import free_port, wait_for
from tests.integration.user_play import play, write

TOKEN = "token-of-the-backup-test"
COMMAND = Path(sys.prefix) / "bin" / "event-listener"


class Host:
    """A listener that shares an event log; `variables` are what the role would have deployed it with."""

    def __init__(self, directory: Path, event_log: dict) -> None:
        self.directory = directory
        self.port, manage = free_port(), free_port()
        self.manage = f"http://127.0.0.1:{manage}"
        self.config = directory / "configuration" / "config.yml"
        self.variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "ansible_become": False,
            "event_listener_service_manager": "process",
            "event_listener_python": sys.executable,
            "event_listener_user": getpass.getuser(),
            "event_listener_install_dir": str(directory / "programs"),
            "event_listener_config_dir": str(directory / "configuration"),
            "event_listener_state_dir": str(directory / "data"),
            "event_listener_log_dir": str(directory / "logs"),
            "event_listener_bind": [f"127.0.0.1:{self.port}"],
            "event_listener_manage_bind": f"127.0.0.1:{manage}",
            "event_listener_tls": "none",
            "event_listener_credentials": [{"name": "bmcs", "username": "bmc", "password": "secret-of-bmcs"}],
            "event_listener_settings": {"event_log": event_log},
            "backup_dir": str(directory / "backups"),
        }
        for name, value in (("password", "secret-of-bmcs"), ("token", TOKEN)):
            (directory / name).write_text(value)
        write(
            self.config,
            {
                "state_dir": str(directory / "data"),
                "ingest": {
                    "bind": [f"127.0.0.1:{self.port}"],
                    "plain_http": True,
                    "workers": 1,
                    "credentials": [
                        {"name": "bmcs", "username": "bmc", "password": {"file": str(directory / "password")}}
                    ],
                },
                "manage": {
                    "bind": self.variables["event_listener_manage_bind"],
                    "tokens": [{"name": "test", "token": {"file": str(directory / "token")}}],
                },
                "sinks": {name: {"directory": str(directory / "logs")} for name in ("text_log", "json_lines")},
                "event_log": event_log,
            },
        )
        (directory / "programs" / "current").mkdir(parents=True)
        (directory / "programs" / "current" / "venv").symlink_to(sys.prefix, target_is_directory=True)

    def run(self, *arguments: str) -> None:
        done = subprocess.run(
            [COMMAND, "--config", self.config, *arguments], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def post(self, marker: str) -> None:
        body = {"Events": [{"EventId": marker, "MessageId": "A.1.0.B"}]}
        url = f"http://127.0.0.1:{self.port}/events/bmc1"
        assert requests.post(url, json=body, auth=("bmc", "secret-of-bmcs"), timeout=30).status_code == 200

    def events(self) -> list[str]:
        answer = requests.get(
            f"{self.manage}/api/v1/events?limit=1000", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30
        )
        if answer.status_code != 200:
            return []
        return sorted(event["event_id"] for event in answer.json()["events"] if event["source"] == "bmc1")


@pytest.fixture
def hosts(postgresql, tmp_path):
    """Two of them, running; ended however the test ends."""
    (tmp_path / "password").write_text(postgresql.password)
    url = postgresql.without_password(postgresql.new_database())
    event_log = {"url": url, "password": {"file": str(tmp_path / "password")}}
    made = []
    for name in ("listener1", "listener2"):
        (tmp_path / name).mkdir()
        made.append(Host(tmp_path / name, event_log))
    inventory = {f"listener{number}": host.variables for number, host in enumerate(made, 1)}
    write(tmp_path / "inventory" / "hosts.yml", {"event_listeners": {"hosts": inventory}})
    try:
        for host in made:
            host.run("run", "--detach")
        yield made
    finally:
        for host in made:
            host.run("stop")


@pytest.mark.slow
def test_a_shared_event_log_is_dumped_once_and_restored_once(hosts, tmp_path):
    """Each host's journal, one dump; after the tables are gone, all of it is there again, once, and new events too."""
    one, two = hosts
    inventory = tmp_path / "inventory"
    one.post("a")
    two.post("b")
    wait_for(lambda: one.events() == two.events() == ["a", "b"], 60)
    made = play("redfleet.events.backup", inventory, "-e", "backup_name=first")
    assert made.status == 0, made.output
    assert (tmp_path / "listener1/backups/first/event-log/events.dump").is_file()
    assert not (tmp_path / "listener2/backups/first/event-log").exists()
    again = play("redfleet.events.backup", inventory, "-e", "backup_name=first")
    assert (again.status, again.changed()) == (0, 0), again.output
    one.post("after")
    wait_for(lambda: one.events() == ["a", "after", "b"], 60)

    previewed = play("redfleet.events.restore", inventory, "-e", "backup_name=first", "--check")
    assert (previewed.status, previewed.changed()) == (0, 0), previewed.output
    done = play("redfleet.events.restore", inventory, "-e", "backup_name=first")
    assert done.status == 0, done.output
    wait_for(lambda: one.events() == two.events() == ["a", "b"], 60)
    two.post("new")
    wait_for(lambda: one.events() == two.events() == ["a", "b", "new"], 60)
    assert "not-a-secret" not in made.output + done.output

    # A spoilt one is found before anything is stopped, on the hosts that it isn't on, too.
    with (tmp_path / "listener1/backups/first/event-log/events.dump").open("ab") as dump:
        dump.write(b"x")
    spoilt = play("redfleet.events.restore", inventory, "-e", "backup_name=first")
    assert spoilt.status != 0
    assert "what was backed up (SHA-256)" in spoilt.output
    assert spoilt.changed() == 0
    assert one.events() == ["a", "b", "new"]
