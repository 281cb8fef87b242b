# SPDX-License-Identifier: GPL-3.0-or-later
"""What settings switch on beside the listener, on a booted host: nginx in front, and sources on message buses.

The tests follow each other: they share one deployment, which the last one takes back.
"""

from __future__ import annotations

import json
import time

import pika
import pytest
import yaml

from tests.integration.hosts.deployment import SERVICES, download_wheels, play_wheels
from tests.integration.hosts.estate.estate import CONTROLLER
from tests.integration.hosts.on_host import api, exposure, post, properties, stored, wait_active
from tests.integration.listener_process import wait_for
from tests.services.rabbitmq import RabbitMQ
from tests.services.service import Address

# One release: the units are the same, and the other one is deployed by test_role_systemd.py.
pytestmark = [
    pytest.mark.root,
    pytest.mark.slow,
    pytest.mark.parametrize("estate", ["bookworm"], indirect=True),
    pytest.mark.usefixtures("optional"),
]

NGINX = ("event-listener-nginx.socket", "event-listener-nginx.service")
KINDS = ("openstack", "cloudstack", "cloudstack_kafka")
SOURCES = [f"event-listener-source@{kind}.service" for kind in KINDS]
SECRETS = "/etc/event-listener-sources"  # the operator's own
ALERT = {"eventDateTime": "2026-11-22 10:00:00 +0000", "event": "ALERT.MANAGEMENT", "dataCenterId": 1, "podId": 1}


class Cloud:
    """A RabbitMQ at the controller with the exchanges of an OpenStack and a CloudStack, which publish."""

    def __init__(self, estate):
        self.estate, self.broker = estate, RabbitMQ()
        self.broker.address = Address(CONTROLLER, self.broker.address.port)

    def __enter__(self):
        with self.estate.network():
            self.broker.__enter__()
            self._do(lambda channel: channel.exchange_declare("neutron", "topic", durable=True))
            self._do(lambda channel: channel.exchange_declare("cloudstack-events", "topic", durable=True))
        return self

    def __exit__(self, *_):
        self.broker.__exit__()

    def _do(self, action):
        connection = pika.BlockingConnection(pika.URLParameters(self.broker.url()))
        action(connection.channel())
        connection.close()

    def publish(self, marker):
        """One message of each: a notification with the marker as its id, an alert with the marker as its subject."""
        notification = {"message_id": marker, "event_type": "port.create.end", "priority": "INFO", "payload": {}}
        envelope = {"oslo.version": "2.0", "oslo.message": json.dumps(notification)}
        alert = {**ALERT, "subject": marker, "body": marker}
        with self.estate.network():
            self._do(lambda channel: channel.basic_publish("neutron", "notifications.info", json.dumps(envelope)))
            key = f"management-server.AlertEvent.ALERT-MANAGEMENT.*.{marker}"
            self._do(lambda channel: channel.basic_publish("cloudstack-events", key, json.dumps(alert)))

    def settings(self):
        """Three sources; Kafka and Keystone are ports on which nobody listens."""
        account = {"hosts": [str(self.broker.address)], "username": self.broker.username,
                   "password": {"file": f"{SECRETS}/rabbitmq"}, "queue_type": "classic"}  # fmt: skip
        groups = {"clouds_file": f"{SECRETS}/clouds.yaml", "cloud": "tests"}
        kafka = {"properties": {"bootstrap.servers": f"{CONTROLLER}:9"}, "timeout": 2}
        return {
            "openstack": {**account, "exchanges": ["neutron"], "security_groups": groups},
            "cloudstack": account,
            "cloudstack_kafka": kafka,
        }

    def lay_secrets(self, host):
        """As the operator does, for the group of the service's account alone."""
        auth = {"auth_url": f"http://{CONTROLLER}:9/v3", "username": "u", "password": "p", "project_name": "admin"}
        clouds = yaml.safe_dump({"clouds": {"tests": {"auth": auth, "region_name": "one"}}}, default_flow_style=True)
        host.ssh(
            f"install -d -m 750 -g event-listener {SECRETS} && cd {SECRETS} && umask 027 && "
            f"echo '{self.broker.password}' > rabbitmq && echo '{clouds.strip()}' > clouds.yaml && "
            "chgrp event-listener rabbitmq clouds.yaml",
            root=True,
        )


@pytest.fixture(scope="module")
def cloud(estate):
    """RabbitMQ on the controller's side."""
    with Cloud(estate) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def optional(deployed, cloud, collections, tmp_path_factory):
    """The variables that switch everything on; they are deployed. The last test takes them back."""
    host, play = deployed.host, deployed.deployment
    cloud.lay_secrets(host)
    python = "import platform; print('.'.join(platform.python_version_tuple()[:2]), platform.machine())"
    target = host.ssh(f'python3 -c "{python}"').strip()
    folder = tmp_path_factory.mktemp("wheels")
    wheels = download_wheels(folder, collections, target, KINDS)
    assert "changed=0" in play_wheels(folder, collections, target, KINDS)
    variables = {
        "event_listener_wheels": str(wheels),
        "event_listener_extras": list(KINDS),
        "event_listener_settings": {"nginx": {"enabled": True}, **cloud.settings()},
    }
    play.good("listener", **variables)
    yield variables
    host.ssh(f"rm -r {SECRETS}", root=True)


def test_nginx_in_front(deployed, progress):
    """Without root nginx holds the port; events go through it, also after kill -9."""
    host, play = deployed.host, deployed.deployment
    for unit in NGINX:
        assert host.ssh(f"systemctl is-active {unit}", check=False).strip() == "active", unit
    for name in (*SERVICES, "nginx"):
        figure, report = exposure(host, f"event-listener-{name}.service")
        progress(f"{host.name}: exposure of {name}, nginx in front: {figure}")
        assert figure <= 2.0, report
    group, pid = properties(host, NGINX[1], "ControlGroup", "MainPID")
    processes = host.ssh(f"ps -o user:32=,comm= -p $(paste -sd, /sys/fs/cgroup{group}/cgroup.procs)")
    assert {line.split()[0] for line in processes.splitlines()} == {"event-listener"}
    assert "nginx" in processes
    assert host.ssh("systemctl is-enabled nginx.service", check=False).strip() == "disabled"
    with play.estate.network():
        assert post(host.address, "through-nginx") == 200
        assert post(host.address6, "through-nginx-6") == 200
    host.ssh(f"kill -9 {pid}", root=True)
    wait_active(host, NGINX[1], previous=pid)


def test_sources_work_under_their_hardening(deployed, cloud, progress):
    """Two take what their exchange gets; one has no Kafka, says so, and stays; none was ended by what it may not do."""
    host = deployed.host
    for unit in SOURCES:
        figure, report = exposure(host, unit)
        progress(f"{host.name}: exposure of {unit}: {figure}")
        assert figure <= 2.0, report
        (pid,) = properties(host, unit, "MainPID")
        fields = dict(line.split(":", 1) for line in host.ssh(f"cat /proc/{pid}/status", root=True).splitlines())
        assert "0" not in fields["Uid"].split()
        assert int(fields["CapBnd"], 16) == 0
        assert fields["Seccomp"].strip() == "2"
    wait_for(lambda: up(host) == {"openstack": 1, "cloudstack": 1, "cloudstack-kafka": 0}, 60)
    cloud.publish("first-on-the-bus")
    arrived(host, "first-on-the-bus")
    wait_for(lambda: "security group changes wait, none is lost" in said(host, SOURCES[0]), 60)
    assert f"source cloudstack-kafka: {CONTROLLER}:9" in said(host, SOURCES[2])
    for unit in SOURCES:
        assert properties(host, unit, "ActiveState", "NRestarts") == ["active", "0"], said(host, unit)


def test_all_of_it_comes_with_its_host(optional, deployed, cloud):
    """After a boot nginx and sources work again; what the bus kept is stored; a second run changes nothing."""
    host, play = deployed.host, deployed.deployment
    host.stop()
    cloud.publish("while-it-was-off")
    host.start()
    host.wait()
    arrived(host, "while-it-was-off")
    with play.estate.network():
        assert post(host.address, "through-nginx-again") == 200
    again = play.good("listener", **optional)
    assert again.changed_tasks == []
    assert again.recap("ok") <= 30


def test_it_goes_with_its_settings(deployed):
    """Without the settings no unit is left of either, and the listener has its port again."""
    host, play = deployed.host, deployed.deployment
    play.good("listener")
    left = host.ssh("ls /etc/systemd/system; systemctl list-units --all --no-legend 'event-listener*'")
    assert "nginx" not in left
    assert "source" not in left
    with play.estate.network():
        assert post(host.address, "after-nginx") == 200
    markers = {"through-nginx", "through-nginx-6", "through-nginx-again", "after-nginx"}
    assert stored(host, markers) == markers


def up(host):
    """Which sources are connected, as `/metrics` says it."""
    lines = (api(host, "/metrics", parse=str) or "").splitlines()
    found = [line.split() for line in lines if line.startswith("event_listener_input_up{")]
    return {name.split('"')[1]: int(float(value)) for name, value in found}


def said(host, unit):
    """What a unit wrote to the journal."""
    return host.ssh(f"journalctl --no-pager --output=cat --unit={unit}", root=True)


def arrived(host, marker):
    """Wait until the host's API shows the marker once per bus."""
    deadline = time.monotonic() + 60
    while True:
        events = (api(host, "/api/v1/events?limit=1000") or {"events": []})["events"]
        found = sorted(one["source"] for one in events if marker in (one["event_id"], one["record"].get("subject")))
        if found == ["cloudstack", "openstack"]:
            return
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
