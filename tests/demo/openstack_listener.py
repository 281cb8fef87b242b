# SPDX-License-Identifier: GPL-3.0-or-later
"""The listener of the OpenStack demo: `event-listener run` with a bus, a cloud, a syslog server and a scanner."""

from __future__ import annotations

import os
import pwd
import secrets
import shlex
import sys
from pathlib import Path
from typing import Any

import requests
import yaml

from tests.services.qualys import PASSWORD, PROFILE, USER, Qualys
from tests.services.rabbitmq import RabbitMQ
from tests.services.rsyslog import Rsyslog
from tests.services.service import Service, free_address

NETWORKS = ["192.0.2.0/24", "203.0.113.0/24"]
SERVICES = ("neutron", "nova")


def sections(rabbitmq: RabbitMQ, rsyslog: Rsyslog, scanner: Qualys, clouds: Path, directory: Path) -> dict[str, Any]:
    """What an operator writes: the source with its cloud, the two sinks and what goes to which."""
    return {
        "openstack": {
            "hosts": [str(rabbitmq.address)],
            "username": rabbitmq.username,
            "password": {"file": str(directory / "rabbitmq-password")},
            "exchanges": list(SERVICES),
            "security_groups": {"clouds_file": str(clouds), "cloud": "tests"},
        },
        "sinks": {
            "text_log": {"enabled": False},
            "json_lines": {"enabled": False},
            "syslog": [
                {"name": "soc", "host": str(rsyslog.tcp_address), "transport": "tcp", "app_name": "osel",
                 "body": "osel"},
            ],
            "qualys": [
                {
                    "name": "qualys", "url": scanner.url, "username": USER,
                    "password": {"file": str(directory / "qualys-password")}, "option_profile": PROFILE,
                    "networks": NETWORKS, "batch_interval": 1.0, "poll_interval": 0.5,
                },
            ],
        },
        "routes": [
            {"name": "to the SOC", "topics": ["#"], "sinks": ["soc"]},
            # A rule that is gone opened nothing: its addresses need no scan.
            {"name": "what was opened", "where": "record.Oem.redfleet.change_type == 'sg_rule_add'",
             "sinks": ["qualys"]},
        ],
    }  # fmt: skip


class Listener(Service):
    """A context manager. ``config`` is its file, ``ask()`` its management API."""

    name = "listener"
    grace = 30.0

    def __init__(self, rabbitmq: RabbitMQ, rsyslog: Rsyslog, scanner: Qualys, cloud: Any) -> None:
        super().__init__()
        self._peers, self._cloud = (rabbitmq, rsyslog, scanner), cloud
        self._events, self._manage = free_address(), free_address()
        self._token = secrets.token_hex(16)

    @property
    def config(self) -> Path:
        """Its configuration file."""
        return self.directory / "config.yml"

    def prepare(self) -> None:
        rabbitmq, rsyslog, scanner = self._peers
        clouds = self._cloud.clouds_yaml(self.directory)
        held = {"rabbitmq-password": rabbitmq.password, "qualys-password": PASSWORD, "api-token": self._token}
        for name, text in held.items():
            (self.directory / name).write_text(text + "\n")
        token = {"name": "demo", "token": {"file": str(self.directory / "api-token")}}
        settings = {
            "state_dir": str(self.directory / "state"),
            "user": pwd.getpwuid(os.geteuid()).pw_name,
            "ingest": {
                "bind": [str(self._events)],
                "plain_http": True,
                "credentials": [{"name": "demo", "token": token["token"]}],
            },
            "manage": {"bind": str(self._manage), "tokens": [token]},
            **sections(rabbitmq, rsyslog, scanner, clouds, self.directory),
        }
        self.config.write_text(yaml.safe_dump(settings, sort_keys=False))
        for path in (clouds, *(self.directory / name for name in held)):
            path.chmod(0o600)

    def command(self) -> list[str]:
        return [sys.executable, "-m", "event_listener", "run", "--config", str(self.config)]

    def ready(self) -> bool:
        return "ready: " in self.printed()

    def typed(self, *arguments: str) -> str:
        """A command of its operator, as it is typed in the checkout."""
        return shlex.join([".venv/bin/event-listener", *arguments, "--config", str(self.config)])

    def ask(self, path: str, **parameters: str) -> requests.Response:
        """GET from its management API. Raises requests.RequestException, for an answer that is an error too."""
        headers = {"Authorization": f"Bearer {self._token}"}
        answer = requests.get(f"http://{self._manage}{path}", params=parameters, headers=headers, timeout=30)
        answer.raise_for_status()
        return answer
