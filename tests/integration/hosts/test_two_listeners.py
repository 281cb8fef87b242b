# SPDX-License-Identifier: GPL-3.0-or-later
"""Two listeners on booted hosts, their database on a third, one address in front: one loses its power under load."""

from __future__ import annotations

import http.server
import json
import os
import re
import threading
import time
from collections import Counter

import pytest

from tests.integration.hosts.deployment import Deployment, download_wheels
from tests.integration.hosts.estate import Estate, EstateUnavailable
from tests.integration.hosts.on_host import Traffic, exposure
from tests.integration.listener_process import wait_for

pytestmark = [pytest.mark.root, pytest.mark.slow]

ADDRESS = "10.79.0.100"
CONTROLLER = "10.79.0.1"
PASSWORD = "estate-database-password"
# Of one deployment, since nothing here differs between releases that the other tests don't boot.
RELEASE = "bookworm"


class Sink(http.server.ThreadingHTTPServer):
    """What the listeners publish to: counts the CloudEvents that it confirmed, by their EventId."""

    daemon_threads = True

    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()
        super().__init__((CONTROLLER, 0), Taker)

    @property
    def url(self) -> str:
        """Where to POST."""
        return f"http://{CONTROLLER}:{self.server_port}/"


class Taker(http.server.BaseHTTPRequestHandler):
    """Takes a batch."""

    protocol_version = "HTTP/1.1"
    server: Sink

    def do_POST(self) -> None:
        """Confirm every event of it."""
        batch = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        records = [event["data"]["record"] for event in batch]
        self.server.taken.update(record["EventId"] for record in records if "EventId" in record)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture(scope="module")
def two(progress, collections, tmp_path_factory):
    """Two hosts for listeners, one for their database, nothing on them yet."""
    mask = os.umask(0o077)  # as strict as an administrator's may be
    try:
        with Estate(count=3, release=RELEASE, progress=progress, others={"event_databases": 1}) as estate:
            os.umask(mask)
            python = "import platform; print('.'.join(platform.python_version_tuple()[:2]), platform.machine())"
            target = estate.hosts[0].ssh(f'python3 -c "{python}"').strip()
            wheels = download_wheels(tmp_path_factory.mktemp("wheels"), collections, target, ["postgresql"])
            yield Deployment(estate, tmp_path_factory.mktemp("controller"), collections, wheels)
    except EstateUnavailable as error:
        pytest.skip(f"no hosts on this machine: {error}")
    finally:
        os.umask(mask)


@pytest.fixture
def sink(two):
    """A web service on the controller."""
    with two.estate.network():
        server = Sink()
    with server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()


def holder(hosts) -> str:
    """Which host has the address; empty for none."""
    has = [one.name for one in hosts if one.running and ADDRESS in one.ssh("ip -o -4 address", check=False)]
    assert len(has) <= 1, has
    return "".join(has)


def in_database(database) -> Counter[str]:
    """How often each EventId is in the event log."""
    query = "SELECT event_id FROM event WHERE event_id LIKE 'load-%'"
    return Counter(database.ssh(f'runuser -u postgres -- psql -XAtq events -c "{query}"', root=True).split())


def deploy(two, sink) -> None:
    """Database, listeners, address, by their playbooks; check mode before, and a second time, which changes nothing."""
    url = f"postgresql://listener@{two.estate.hosts[2].address}/events?sslmode=require&channel_binding=require"
    two.variables.update(
        event_listener_extras=["postgresql"],
        event_listener_tls_names=["{{ ansible_host }}", ADDRESS],
        event_listener_secrets={"database": PASSWORD},
        event_listener_settings={
            "event_log": {"url": url, "password": {"file": "/etc/event-listener/secrets/database"}},
            "sinks": {"http": [{"name": "central", "url": sink.url}]},
            # Traffic sends TestMessages.
            "routes": [{"name": "all", "sinks": ["central"], "origins": ["live", "test"]}],
        },
        event_database_password=PASSWORD,
        listener_address_service=f"{ADDRESS}/24",
    )
    for playbook in ("postgresql", "listener", "listener_address"):
        if playbook == "listener":  # its check mode and its second run are looked at by other tests
            assert PASSWORD not in two.good(playbook).output
            continue
        two.good(playbook, "--check")
        first = two.good(playbook)
        assert PASSWORD not in first.output
        again = two.good(playbook)
        assert (again.recap("changed"), again.changed_tasks) == (0, []), again.output


def checked(host) -> None:
    """The check needs no management; a listener that hangs fails it, although systemd goes on to take connections."""
    check = "runuser -u keepalived_script -- /usr/libexec/keepalived/event-listener-receives"
    host.ssh(
        f"systemctl stop event-listener-manage && {check}; s=$?; systemctl start event-listener-manage; exit $s",
        root=True,
    )
    frozen = "systemctl kill --signal={} event-listener-ingest.service"
    host.ssh(f"{frozen.format('STOP')}; {check} && exit 9; {frozen.format('CONT')}", root=True)


def database_judged(two) -> None:
    """It is what `event-listener check` asks for, over TLS, and open to the listeners alone, whatever others know."""
    (listener, _, database), url = two.estate.hosts, f"postgresql://listener:{PASSWORD}@{two.estate.hosts[2].address}"
    program = "/opt/event-listener/current/venv/bin/event-listener"
    said = listener.ssh(f"{program} check --config /etc/event-listener/config.yml 2>&1", root=True)
    assert said.strip() == "/etc/event-listener/config.yml: good"
    for name in ("events", "postgres"):
        stranger = two.estate.run(["psql", "--command=SELECT 1", f"{url}/{name}"])
        assert "pg_hba.conf rejects connection" in stranger.stdout, stranger.stdout
    query = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'listener'"
    assert database.ssh(f'runuser -u postgres -- psql -XAtq -c "{query}"', root=True).strip() == "t"


def refused(two) -> None:
    """What is wrong is said, all of it at once, before anything changes."""
    for playbook, variables, said in (
        (
            "postgresql",
            {
                "event_database_password": "short",
                "event_database_user": "listener; --",
                "event_database_clients": ["a"],
            },
            ("less than 12 characters", "needs quotes in SQL", "is no IP address"),
        ),
        (
            "listener_address",
            {"listener_address_service": ADDRESS, "listener_address_source": "fd79::99"},
            ("Give the address that BMCs post to", "is of another kind", "No interface of"),
        ),
    ):
        run = two.play(playbook, **variables)
        assert run.returncode != 0
        text = re.sub(r"\s+", " ", run.output)
        assert all(sentence in text for sentence in said), run.output
        assert run.recap("changed") == 0


def test_one_of_two_listeners_loses_its_power(two, sink, progress):
    """The other has the address and the lanes; what the lost one had acknowledged alone arrives when it is back."""
    estate, (*hosts, database) = two.estate, two.estate.hosts
    deploy(two, sink)
    database_judged(two)
    refused(two)
    figure, report = exposure(hosts[0], "event-listener-address.service")
    assert figure <= 2.5, report  # root, with what it takes to move an address

    wait_for(lambda: holder(hosts), 60)
    (lost,) = (one for one in hosts if one.name == holder(hosts))
    (left,) = (one for one in hosts if one is not lost)
    checked(left)
    ca = two.directory / "fleet-ca" / "ca.pem"
    with Traffic(estate, ADDRESS, "load", insistent=True, ca_path=ca) as traffic:
        wait_for(lambda: len(traffic.acknowledged) >= 20 and set(sink.taken), 60)
        # Frozen, it neither stores nor gives its lanes back: what is acknowledged from now on is in the journal alone.
        lost.ssh("systemctl kill --signal=STOP event-listener-relay", root=True)
        alone = len(traffic.acknowledged)
        wait_for(lambda: len(traffic.acknowledged) >= alone + 20, 60)
        assert holder(hosts) == lost.name  # it acknowledges, so it keeps the address
        began, before = time.monotonic(), len(traffic.acknowledged)
        lost.kill()
        wait_for(lambda: len(traffic.acknowledged) >= before + 1, 60)
        gap = time.monotonic() - began
        assert holder(hosts) == left.name
        seen = set(traffic.acknowledged)
        wait_for(lambda: len(traffic.acknowledged) >= len(seen) + 20, 60)
        new = set(traffic.acknowledged) - seen
        wait_for(lambda: new <= set(sink.taken), 60)  # the lane goes on at the other
        missing = set(traffic.acknowledged) - set(in_database(database))

        lost.start()
        lost.wait()
        wait_for(lambda: lost.succeeds("/usr/libexec/keepalived/event-listener-receives"), 60)
        wait_for(lambda: set(traffic.acknowledged) - set(sink.taken) <= traffic.acknowledged - seen, 120)
        assert holder(hosts) == left.name  # no BMC is cut off once more
    acknowledged = traffic.acknowledged
    wait_for(lambda: acknowledged <= set(in_database(database)) and acknowledged <= set(sink.taken), 120)
    stored = in_database(database)
    gone = acknowledged - set(stored) | acknowledged - set(sink.taken)
    progress(
        f"two listeners, one loses its power: sent {traffic.sent}, acknowledged {len(acknowledged)}, "
        f"stored {len(stored)}, at the sink {len(set(sink.taken) & set(stored))}, lost {len(gone)}; "
        f"{gap:.1f} s without an answer; {len(missing)} waited in the lost host's journal; "
        f"exposure of the address' unit {figure}"
    )
    assert gone == set()
    assert missing, "nothing was in the lost host's journal alone, so nothing was shown"
    # A BMC that got no answer sends again: such an event may be there twice, all others once.
    assert {marker for marker, count in stored.items() if count > 1} <= traffic.repeated
    assert traffic.refused == []

    two.good("listener_address", listener_address_state="absent")
    assert holder(hosts) == ""
    assert not left.succeeds("ls -d /etc/event-listener-address /etc/systemd/system/event-listener-address.service")
