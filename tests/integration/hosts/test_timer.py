# SPDX-License-Identifier: GPL-3.0-or-later
"""Unattended, on a booted host: the real timer restores what an outage of the real listener cost a fleet."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import yaml
from redfish_simulator.client import Fleet

from tests.integration.hosts.deployment import CREDENTIAL, ROOT, TOKEN
from tests.integration.hosts.on_host import exposure, properties
from tests.integration.listener_process import wait_for

pytestmark = [pytest.mark.root, pytest.mark.slow]

OUTAGE = 20  # seconds; the listener takes note from 15 on
VAULT_PASSWORD = "timer-vault-password"
# One release: what is new here is the timer, and the other tests boot both.
ONE_RELEASE = pytest.mark.parametrize("estate", ["bookworm"], indirect=True)

PREPARE = """
- hosts: all
  become: true
  gather_facts: false
  tasks:
    - ansible.builtin.unarchive: {src: bundle.tar, dest: /opt, owner: root}
    - ansible.builtin.command: {cmd: python3 -m venv /opt/controller/venv, creates: /opt/controller/venv}
    - ansible.builtin.command: >-
        /opt/controller/venv/bin/pip --disable-pip-version-check install --quiet --no-index
        --find-links /opt/controller/wheels -r /opt/controller/requirements.txt
"""


def bundle(directory: Path, collections: Path, inventory: Path) -> Path:
    """What a controller has: wheels of ansible-core and redfish, the collection, the fleet's inventory."""
    wheels = directory / "controller" / "wheels"
    wheels.mkdir(parents=True)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    # bookworm's Python is 3.11, as ours; what exists as source only is built here.
    command = [*pip, "wheel", "--wheel-dir", wheels, "-r", ROOT / "requirements.txt"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    (directory / "controller" / "requirements.txt").write_text((ROOT / "requirements.txt").read_text())
    archive = directory / "bundle.tar"
    for name, source in (("collections", collections), ("inventory", inventory)):
        (directory / "controller" / name).symlink_to(source)
    subprocess.run(["tar", "--dereference", "-cf", archive, "-C", directory, "controller"], check=True)
    return archive


def vaulted(text: str, directory: Path) -> str:
    """A text as the vault holds it."""
    password = directory / "vault-password"
    password.write_text(VAULT_PASSWORD)
    command = [Path(sys.executable).parent / "ansible-vault", "encrypt_string", "--vault-password-file", password]
    done = subprocess.run([*command, "--stdin-name", "secret"], input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.partition("secret: ")[2]


@pytest.fixture
def fleet(deployment, tmp_path):
    """OpenBMCs whose 90 s until they delete a subscription are two."""
    deployment.good("listener")
    authority = f"{deployment.variables['event_listener_ca_dir']}/ca.pem"
    network = deployment.estate.bmc_network
    fleet = Fleet(
        mix="openbmc=3",
        directory=tmp_path / "fleet",
        network=network,
        port=9443,  # another fleet of this session is at 8443
        listener_ca=authority,
        time_scale=0.02,
    )
    with deployment.estate.network():
        fleet.start()
    yield fleet
    fleet.stop()


def write_inventory(directory: Path, fleet: Fleet, address: str) -> Path:
    """The fleet's inventory on the host itself, its listener's token in the vault."""
    folder = directory / "inventory"
    folder.mkdir()
    (folder / "bmcs.yml").write_text(fleet.inventory_path.read_text())
    header = "Basic {{ '" + ":".join(CREDENTIAL) + "' | b64encode }}"
    everywhere = {
        "reconcile_settle": "1s",
        "reconcile_outage": "10s",
        "event_subscription": {
            "destination": f"https://{address}/events/{{{{ inventory_hostname }}}}",
            "delivery_retry_policy": "TerminateAfterRetries",
            "http_headers": {"Authorization": header},
        },
        "event_listener_tokens": [{"name": "timer", "token": "{{ vaulted_token }}"}],
        "event_listener_manage_bind": "127.0.0.1:9440",
    }
    hosts = {"event_listeners": {"hosts": {"listener": {"ansible_connection": "local"}}}, "all": {"vars": everywhere}}
    (folder / "listeners.yml").write_text(yaml.safe_dump(hosts))
    (folder / "group_vars").mkdir()
    (folder / "group_vars" / "all.yml").write_text(f"---\nvaulted_token: {vaulted(TOKEN, directory)}\n")
    return folder


@ONE_RELEASE
def test_the_timer_restores_what_an_outage_cost(deployment, fleet, collections, tmp_path, progress):
    """Nobody does anything: every subscription is back, every event is in the log, once."""
    estate, host = deployment.estate, deployment.estate.hosts[0]
    archive = bundle(tmp_path, collections, write_inventory(tmp_path, fleet, host.address))
    (tmp_path / "prepare.yml").write_text(PREPARE.replace("bundle.tar", str(archive)))
    inventory = estate.write_inventory(**deployment.variables)
    done = estate.run([Path(sys.executable).parent / "ansible-playbook", "-i", inventory, tmp_path / "prepare.yml"])
    assert done.returncode == 0, done.stdout

    timer = {
        "reconcile_timer_inventory": "/opt/controller/inventory",
        "reconcile_timer_command": "/opt/controller/venv/bin/ansible-playbook",
        "reconcile_timer_collections": "/opt/controller/collections",
        "reconcile_timer_interval": "5s",
        "reconcile_timer_vault_password": VAULT_PASSWORD,
        "reconcile_timer_user": "timekeeper",
        "reconcile_timer_ssh_key": (estate.directory / "id_ed25519").read_text(),
        "reconcile_timer_arguments": ["--forks=7"],
    }
    play = tmp_path / "timer.yml"
    play.write_text(
        yaml.safe_dump(
            [{"hosts": "all", "become": True, "gather_facts": False, "roles": ["redfleet.events.reconcile_timer"]}]
        )
    )

    def deploy(*arguments: str, **changes: str):
        given = ["-e", json.dumps({**timer, **changes})]
        command = [
            Path(sys.executable).parent / "ansible-playbook",
            "-i",
            inventory,
            play,
            "--diff",
            *given,
            *arguments,
        ]
        done = estate.run(command, env={"ANSIBLE_COLLECTIONS_PATH": str(collections), "ANSIBLE_NOCOLOR": "1"})
        assert done.returncode == 0, done.stdout
        assert VAULT_PASSWORD not in done.stdout
        assert "PRIVATE KEY" not in done.stdout
        return done.stdout

    deploy("--check")
    assert not host.succeeds("test -e /etc/redfleet-reconcile")
    deploy()
    assert "changed=0" in deploy()
    secrets = host.ssh("stat -c '%a %U' /etc/redfleet-reconcile/credentials/*", root=True)
    assert secrets.splitlines() == ["400 root"] * 2
    assert "--forks=7" in host.ssh("cat /etc/redfleet-reconcile/run")
    assert properties(host, "redfleet-reconcile.service", "User") == ["timekeeper"]
    assert "redfleet-reconcile" not in host.ssh("systemd-analyze verify /etc/systemd/system/redfleet-reconcile.* 2>&1")
    figure, report = exposure(host, "redfleet-reconcile.service")
    progress(f"{host.name}: exposure of redfleet-reconcile: {figure}")
    assert figure <= 2.0, report

    def events(origin: str) -> Counter:
        url = f"http://127.0.0.1:9440/api/v1/events?limit=1000&origin={origin}"
        request = f"u.Request('{url}', headers={{'Authorization': 'Bearer {TOKEN}'}})"
        code = f"import urllib.request as u; print(u.urlopen({request}).read().decode())"
        found = json.loads(host.ssh(f'python3 -c "{code}"'))["events"]
        return Counter((one["source"], one["message"]) for one in found if "timed" in str(one["message"]))

    def emit(prefix: str, count: int) -> Counter:
        names = [f"timed {prefix} {number}" for number in range(count)]
        with estate.network():
            fleet.emit(*({"MessageId": "OpenBMC.0.1.PowerButtonPressed", "Message": name} for name in names))
        return Counter({(bmc.name, name): 1 for bmc in fleet.bmcs for name in names})

    def subscribed() -> bool:
        with estate.network():
            return all(len(bmc.subscriptions()) == 1 for bmc in fleet.bmcs)

    wait_for(subscribed, 240)
    before = emit("before", 2)
    wait_for(lambda: events("live") == before, 120)
    host.ssh("systemctl stop event-listener.target 'event-listener-*'", root=True)
    began = time.monotonic()
    during = emit("during", 3)
    wait_for(lambda: not subscribed(), 120)
    wait_for(lambda: time.monotonic() - began > OUTAGE, 60)
    host.ssh("systemctl start event-listener.target", root=True)
    wait_for(subscribed, 240)
    wait_for(lambda: events("backfill") == during, 240)
    after = emit("after", 2)
    wait_for(lambda: events("live") == before | after, 120)
    progress(f"{host.name}: timer: all was back {time.monotonic() - began - OUTAGE:.0f} s after the outage")
    assert host.succeeds("test -s /var/lib/redfleet-reconcile/reconcile.html", root=True)

    deploy(reconcile_timer_state="absent")
    assert not host.succeeds("test -e /etc/redfleet-reconcile")
    assert "changed=0" in deploy(reconcile_timer_state="absent")
