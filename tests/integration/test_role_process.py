# SPDX-License-Identifier: GPL-3.0-or-later
"""The role, run into directories of a test, in the mode for hosts without systemd."""

from __future__ import annotations

import getpass
import json
import os
import re
import socket
import ssl
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml

from tests.integration.listener_process import free_port
from tests.integration.user_play import Done, play, write

PASSWORD, TOKEN, PASSPHRASE = "s3cret-of-the-bmcs", "s3cret-of-the-api", "s3cret of the fleet's authority"


class Host:
    """This machine as a listener's host: an inventory whose folders are all below one directory."""

    def __init__(self, directory: Path):
        self.base = directory / "host"
        self.inventory = directory / "inventory"
        self.port, self.manage_port = free_port(), free_port()
        self.variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "ansible_become": False,
            "event_listener_service_manager": "process",
            "event_listener_python": sys.executable,
            "event_listener_user": getpass.getuser(),
            "event_listener_install_dir": str(self.base / "programs"),
            "event_listener_config_dir": str(self.base / "configuration"),
            "event_listener_state_dir": str(self.base / "data"),
            "event_listener_log_dir": str(self.base / "logs"),
            "event_listener_bind": [f"127.0.0.1:{self.port}"],
            "event_listener_manage_bind": f"127.0.0.1:{self.manage_port}",
            "event_listener_tls_names": ["127.0.0.1"],
            "event_listener_ca_dir": str(directory / "fleet-ca"),
            "event_listener_ca_passphrase": PASSPHRASE,
            "event_listener_credentials": [{"name": "bmcs", "username": "bmc", "password": PASSWORD}],
            "event_listener_tokens": [{"name": "playbooks", "token": TOKEN}],
        }
        self.ca_path = directory / "fleet-ca" / "ca.pem"

    def run(self, *arguments: str, **variables: object) -> Done:
        """Run the playbook that is the role."""
        hosts = {"listener1": {**self.variables, **variables}}
        write(self.inventory / "hosts.yml", {"event_listeners": {"hosts": hosts}})
        return play("redfleet.events.listener", self.inventory, *arguments)

    def post(self) -> int:
        """POST without credentials as a BMC that trusts the fleet's authority; return the status."""
        context = ssl.create_default_context(cafile=str(self.ca_path))
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        try:
            return opener.open(f"https://127.0.0.1:{self.port}/", data=b"{}", timeout=60).status
        except urllib.error.HTTPError as error:
            return error.code

    def register(self, **source: str) -> None:
        """Tell the listener of a source."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.manage_port}/api/v1/sources",
            json.dumps({"sources": [source]}).encode(),
            {"Authorization": f"Bearer {TOKEN}"},
            method="PATCH",
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        assert opener.open(request, timeout=60).status == 200

    def processes(self) -> int | None:
        """The pid of the parent of the three, None when it doesn't run."""
        path = self.base / "data" / "run" / "event-listener.pid"
        return int(path.read_text()) if path.exists() else None


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """A host that the role has never seen; what it starts there is stopped at the end."""
    made = Host(tmp_path_factory.mktemp("role"))
    yield made
    # As it is typed: values given with -e are text.
    done = made.run("-e", "event_listener_state=absent", "-e", "event_listener_purge=true")
    assert done.status == 0, done.output
    assert list(made.base.iterdir()) == []


@pytest.mark.slow
def test_life_of_a_listener(host):
    """Check mode, first and second run, check mode again, a changed setting, a rotated secret: one life."""
    checked = host.run("--check")
    assert checked.status == 0, checked.output
    assert checked.changed() > 0
    assert not host.base.exists()
    assert not host.ca_path.exists()

    first = host.run()
    assert first.status == 0, first.output
    assert host.post() == 401
    pid = host.processes()

    second = host.run()
    assert (second.status, second.changed()) == (0, 0), second.output
    assert host.processes() == pid
    assert second.recap("listener1")["ok"] <= 30
    again = host.run("--check")
    assert (again.status, again.changed()) == (0, 0), again.output

    settings = host.run(event_listener_settings={"ingest": {"workers": 1}})
    assert settings.status == 0, settings.output
    assert host.processes() != pid
    host.variables["event_listener_settings"] = {"ingest": {"workers": 1}}

    rotated = host.run(event_listener_credentials=[{"name": "new", "token": "s3cret-that-is-new"}])
    assert rotated.status == 0, rotated.output
    secrets = host.base / "configuration" / "credentials"
    assert sorted(path.name for path in secrets.iterdir()) == ["credential-new", "token-playbooks"]

    # Once a BMC has the new one, it isn't taken away by mistake.
    host.register(name="bmc1", credential="new")
    refused = host.run()
    assert refused.status != 0
    assert "bmc1: it has new" in refused.output
    assert (secrets / "credential-new").exists()
    assert host.run("--skip-tags", "credentials_in_use").status == 0
    assert [path.name for path in secrets.glob("credential-*")] == ["credential-bmcs"]
    host.register(name="bmc1", credential="bmcs")


@pytest.mark.slow
def test_extras_are_another_release(host):
    """What a sink needs beside the core is installed with the release; asking for it again changes nothing."""
    host.variables["event_listener_extras"] = ["amqp"]
    done = host.run()
    assert done.status == 0, done.output
    current = (host.base / "programs" / "current").resolve()
    assert current.name.endswith(".amqp")
    assert subprocess.run([current / "venv" / "bin" / "python", "-c", "import pika"]).returncode == 0
    assert host.post() == 401
    again = host.run()
    assert (again.status, again.changed()) == (0, 0), again.output


@pytest.mark.slow
def test_nginx_in_front_with_keys_of_both_kinds_then_a_file(host, tmp_path):
    """One variable each puts nginx there and issues both certificates; again changes nothing; and back, with a file."""
    variables = {"event_listener_settings": {"nginx": {"enabled": True}}, "event_listener_tls_key_type": "both"}
    done = host.run(**variables)
    assert done.status == 0, done.output
    assert host.post() == 401
    text = (host.base / "configuration" / "config.yml").read_text()
    assert f"unix:{host.base}/data/ingest.sock" in text
    context = ssl.create_default_context(cafile=str(host.ca_path))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    for kind in ("ECDSA", "RSA"):
        context.set_ciphers(f"ECDHE-{kind}-AES256-GCM-SHA384")
        with (
            socket.create_connection(("127.0.0.1", host.port), timeout=60) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as client,
        ):
            assert kind in client.cipher()[0]
    again = host.run(**variables)
    assert (again.status, again.changed()) == (0, 0), again.output
    certificate, key = tmp_path / "own.pem", tmp_path / "own.key"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "9"]
    named = ["-subj", "/CN=127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*made, *named], check=True, capture_output=True)
    own = {"event_listener_tls_certificate": str(certificate), "event_listener_tls_key": str(key)}
    back = host.run(event_listener_tls="files", **own)
    assert back.status == 0, back.output
    assert ssl.get_server_certificate(("127.0.0.1", host.port), timeout=60).strip() == certificate.read_text().strip()


@pytest.mark.slow
def test_secrets_are_private_and_never_printed(host):
    """Files have the modes that keep others out; no output, at -vvv either, holds a secret."""
    done = host.run("-vvv", "--diff")
    assert done.status == 0, done.output
    assert [secret for secret in (PASSWORD, TOKEN, PASSPHRASE, "PRIVATE KEY") if secret in done.output] == []
    configuration = host.base / "configuration"
    modes = {
        path.relative_to(configuration).as_posix(): stat.S_IMODE(path.stat().st_mode)
        for path in configuration.rglob("*")
        if path.is_file()
    }
    assert modes == {
        "config.yml": 0o640,
        "tls/listener.pem": 0o644,
        "tls/listener.key": 0o640,
        "credentials/credential-bmcs": 0o400,
        "credentials/token-playbooks": 0o400,
    }
    assert PASSWORD not in (configuration / "config.yml").read_text()
    assert not list(host.base.rglob("ca.key"))


@pytest.mark.slow
def test_wrong_settings_are_refused_before_anything_that_runs_is_touched(host):
    """The listener's own check says what is wrong; configuration and processes stay as they were."""
    assert host.run().status == 0
    pid, before = host.processes(), (host.base / "configuration" / "config.yml").read_text()
    done = host.run(event_listener_settings={"ingest": {"wrokers": 4}})
    assert done.status != 0
    assert "wrokers" in done.output
    assert (host.processes(), (host.base / "configuration" / "config.yml").read_text()) == (pid, before)
    assert host.post() == 401


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"event_listener_credentials": []}, "event_listener_credentials is empty"),
        ({"event_listener_ca_passphrase": "short"}, "event_listener_ca_passphrase has less than 12"),
        ({"event_listener_state": "latest"}, "value of event_listener_state must be one of"),
        ({"event_listener_python": "/nowhere/python3"}, "No Python 3.11"),
        ({"event_listener_install_dir": "/opt"}, "not the listener's alone"),
        ({"event_listener_settings": {"ingest": {"bind": ["0.0.0.0:1"]}}}, "Use the variable event_listener_bind"),
    ],
)
def test_wrong_variables_are_refused_before_anything_changes(tmp_path, variables, said):
    """On a host that the role has never seen, a refusal leaves not even a folder."""
    fresh = Host(tmp_path)
    done = fresh.run(**variables)
    assert done.status != 0
    assert said in " ".join(done.output.split())
    assert not fresh.base.exists()
    assert not fresh.ca_path.exists()


def test_a_wave_that_fails_keeps_the_next_from_beginning(tmp_path):
    """With listener_rollout a mistake that only shows on a host reaches one of them; without, each is tried."""
    wrong = {**Host(tmp_path / "one").variables, "event_listener_python": "/nowhere/python3"}
    hosts = {"listener1": wrong, "listener2": Host(tmp_path / "two").variables}
    write(tmp_path / "inventory" / "hosts.yml", {"event_listeners": {"hosts": hosts}})
    together = play("redfleet.events.listener", tmp_path / "inventory", "--check")
    assert together.recap("listener1")["failed"] == 1
    assert together.recap("listener2")["failed"] == 0
    waves = play("redfleet.events.listener", tmp_path / "inventory", "--check", "-e", "listener_rollout=1")
    assert waves.status != 0
    assert waves.recap("listener1")["failed"] == 1
    assert not re.search(r"^listener2\s+:", waves.output, re.MULTILINE)


@pytest.mark.slow
def test_absent_removes_it_and_keeps_the_data(host):
    """Programs, configuration and secrets go, data and logs stay; a second run changes nothing."""
    assert host.run().status == 0
    pid = host.processes()
    gone = host.run(event_listener_state="absent")
    assert gone.status == 0, gone.output
    assert not os.path.exists(f"/proc/{pid}")
    assert sorted(path.name for path in host.base.iterdir()) == ["data", "logs"]
    assert (host.base / "data" / "journal" / "journal.db").exists()
    again = host.run(event_listener_state="absent")
    assert (again.status, again.changed()) == (0, 0), again.output


def test_the_example_inventories_are_good(tmp_path):
    """They are what users copy: groups, the identities of the simulator's first BMCs, a vault that opens."""
    import subprocess

    root = Path(__file__).resolve().parents[2]
    vault = ["--vault-password-file", str(root / "examples" / "vault" / "vault-password.txt")]
    for folder, extra, count in (("inventory", [], 6), ("examples/vault", vault, 1)):
        command = [str(Path(sys.executable).parent / "ansible-inventory"), "-i", str(root / folder), *extra, "--list"]
        listing = yaml.safe_load(subprocess.run(command, check=True, capture_output=True, cwd=root, text=True).stdout)
        assert len(listing["bmcs"]["hosts"]) == count
        assert listing["event_listeners"]["hosts"] == ["listener1"]
        assert "event_subscription" in listing["_meta"]["hostvars"]["bmc001"]
    simulator = [sys.executable, "-m", "redfish_simulator", "--count", "6", "--port", "0", "--network", "127.62.0.0/16"]
    inventory = tmp_path / "six.yml"
    running = subprocess.Popen(
        [*simulator, "--state", str(tmp_path / "state.json"), "--inventory", str(inventory)], stdout=subprocess.DEVNULL
    )
    try:
        from tests.integration.listener_process import wait_for

        wait_for((tmp_path / "state.json").exists, 20)
    finally:
        running.terminate()
        running.wait(10)
    for name, theirs in yaml.safe_load(inventory.read_text())["bmcs"]["hosts"].items():
        ours = yaml.safe_load((root / "inventory" / "host_vars" / f"{name}.yml").read_text())
        assert (ours["redfish_username"], ours["redfish_password"]) == (
            theirs["redfish_username"],
            theirs["redfish_password"],
        )
