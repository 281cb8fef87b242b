# SPDX-License-Identifier: GPL-3.0-or-later
"""Two listeners on booted hosts, their database on a third, one address in front: one loses cable or power under load.

The tests follow each other: they share one deployment, which the last one takes back.
"""

from __future__ import annotations

import http.server
import json
import os
import re
import threading
import time
from collections import Counter

import pytest

from tests.integration.hosts.deployment import Deployment
from tests.integration.hosts.estate import Estate, EstateUnavailable
from tests.integration.hosts.on_host import Traffic, exposure, properties
from tests.integration.hosts.shared_address import (
    ADDRESS,
    DATABASE,
    PASSWORD,
    RELEASE,
    holder,
    select,
    shared,
    wheels_for,
)
from tests.integration.listener_process import wait_for

pytestmark = [pytest.mark.root, pytest.mark.slow]

CONTROLLER = "10.79.0.1"
ADDRESS6 = "fd79::100"
PORT = 5433  # of the database
SOURCE6 = "fd79::{{ '%x' % (ansible_host.split('.') | last | int) }}"


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
            wheels = wheels_for(estate.hosts[0], tmp_path_factory.mktemp("wheels"), collections, ["postgresql"])
            yield Deployment(estate, tmp_path_factory.mktemp("controller"), collections, wheels)
    except EstateUnavailable as error:
        pytest.skip(f"no hosts on this machine: {error}")
    finally:
        os.umask(mask)


@pytest.fixture(scope="module")
def sink(two):
    """A web service on the controller."""
    with two.estate.network():
        server = Sink()
    with server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()


def in_database(database) -> Counter[str]:
    """How often each EventId is in the event log."""
    return Counter(select(database, "SELECT event_id FROM event WHERE event_id LIKE 'load-%'"))


@pytest.fixture(scope="module")
def shared_two(two, sink) -> Deployment:
    """Database, listeners, address, by their playbooks; check mode before, and a second time, which changes nothing."""
    database = two.estate.hosts[2]
    database.ssh(f"sed -i 's/^port = .*/port = {PORT}/' /etc/postgresql/*/main/postgresql.conf", root=True)
    two.variables.update(
        shared(
            database,
            PORT,
            sinks={"http": [{"name": "central", "url": sink.url}]},
            # Traffic sends TestMessages.
            routes=[{"name": "all", "sinks": ["central"], "origins": ["live", "test"]}],
        )
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
    wait_for(lambda: holder(two.estate.hosts[:2]), 60)
    return two


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
    (listener, _, database), url = (
        two.estate.hosts,
        f"postgresql://listener:{PASSWORD}@{two.estate.hosts[2].address}:{PORT}",
    )
    program = "/opt/event-listener/current/venv/bin/event-listener"
    said = listener.ssh(f"{program} check --config /etc/event-listener/config.yml 2>&1", root=True)
    assert said.strip() == "/etc/event-listener/config.yml: good"
    for name in (DATABASE, "postgres"):
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


def holders(hosts) -> list[str]:
    """Which hosts have the address now: for a moment after a cut it may be both."""
    return [one.name for one in hosts if f" {ADDRESS}/" in one.ssh("ip -o address", check=False)]


def of_address(hosts):
    """The host that has the address, and the other."""
    (lost,) = (one for one in hosts if one.name == holder(hosts))
    (left,) = (one for one in hosts if one is not lost)
    return lost, left


def test_keepalived_has_no_more_than_it_needs(shared_two, progress):
    """Not root, two capabilities, of which the check has none; what is wrong with the estate is refused."""
    host = shared_two.estate.hosts[0]
    figure, report = exposure(host, "event-listener-address.service")
    progress(f"two listeners: exposure of the address' unit {figure}")
    assert figure <= 2.0, report
    group, pid = properties(host, "event-listener-address", "ControlGroup", "MainPID")
    fields = dict(line.split(":", 1) for line in host.ssh(f"cat /proc/{pid}/status", root=True).splitlines())
    assert "0" not in fields["Uid"].split()
    assert int(fields["CapEff"], 16) == 1 << 12 | 1 << 13  # CAP_NET_ADMIN, CAP_NET_RAW

    seen: list[str] = []
    running = f"cat /sys/fs/cgroup{group}/cgroup.procs"
    asking = f"for one in $({running}); do grep -qx curl /proc/$one/comm && grep CapEff /proc/$one/status; done; true"
    # A listener that hangs is asked for two seconds.
    host.ssh("systemctl kill --signal=STOP event-listener-manage", root=True)
    try:
        wait_for(lambda: seen.extend(host.ssh(asking, root=True).splitlines()) or seen, 60)
    finally:
        host.ssh("systemctl kill --signal=CONT event-listener-manage", root=True)
    assert {int(line.split()[1], 16) for line in seen} == {0}
    database_judged(shared_two)
    refused(shared_two)


@pytest.mark.parametrize("far", [False, True], ids=["own-cable", "cable-between-switches"])
def test_a_cable_is_cut_and_put_back(shared_two, sink, progress, far):
    """The address moves; back on the network one host has it, and what the other had acknowledged alone arrives."""
    two, (*hosts, database) = shared_two, shared_two.estate.hosts
    wait_for(lambda: all(one.succeeds("/usr/libexec/keepalived/event-listener-receives") for one in hosts), 60)
    wait_for(lambda: len(holders(hosts)) == 1, 60)
    lost, left = of_address(hosts)
    prefix = f"load-cable-{far}"
    with Traffic(two.estate, ADDRESS, prefix, insistent=True, ca_path=two.directory / "fleet-ca" / "ca.pem") as traffic:
        wait_for(lambda: len(traffic.acknowledged) >= 20, 240)
        # Frozen, so that what it acknowledges from now on is in its journal alone.
        lost.ssh("systemctl kill --signal=STOP event-listener-relay", root=True)
        alone = len(traffic.acknowledged)
        wait_for(lambda: len(traffic.acknowledged) >= alone + 20, 240)
        lost.unplug(far=far)
        began, before = time.monotonic(), set(traffic.acknowledged)
        wait_for(lambda: len(traffic.acknowledged) > len(before) + 20, 240)
        gap = time.monotonic() - began
        assert holders([left]) == [left.name]
        missing = before - set(in_database(database))
        lost.plug()
        back = time.monotonic()
        # Both may have it until they hear each other.
        wait_for(lambda: lost.succeeds("true") and len(holders(hosts)) == 1, 60)
        alone_again = time.monotonic() - back
        after = len(traffic.acknowledged)
        wait_for(lambda: len(traffic.acknowledged) >= after + 20, 240)
        lost.ssh("systemctl kill --signal=CONT event-listener-relay", root=True)
        wait_for(lambda: lost.succeeds("/usr/libexec/keepalived/event-listener-receives"), 60)
    acknowledged = traffic.acknowledged
    wait_for(lambda: acknowledged <= set(in_database(database)) and acknowledged <= set(sink.taken), 120)
    stored = in_database(database)
    ours = {marker for marker in stored if marker.startswith(prefix)}
    progress(
        f"two listeners, a cable is cut (far: {far}): sent {traffic.sent}, acknowledged {len(acknowledged)}, stored "
        f"{len(ours)}, at the sink {len(ours & set(sink.taken))}; twenty more answers after {gap:.1f} s; "
        f"{len(missing)} waited in the cut host's journal; one has the address {alone_again:.1f} s after its return"
    )
    assert missing, "nothing was in the cut host's journal alone, so nothing was shown"
    assert traffic.refused == []
    assert {marker for marker in ours if stored[marker] > 1} <= traffic.repeated


def test_one_of_two_listeners_loses_its_power(shared_two, sink, progress):
    """The other has the address and the lanes; what the lost one had acknowledged alone arrives when it is back."""
    two, estate, (*hosts, database) = shared_two, shared_two.estate, shared_two.estate.hosts
    wait_for(lambda: all(one.succeeds("/usr/libexec/keepalived/event-listener-receives") for one in hosts), 60)
    wait_for(lambda: len(holders(hosts)) == 1, 60)
    lost, left = of_address(hosts)
    checked(left)
    ca = two.directory / "fleet-ca" / "ca.pem"
    with Traffic(estate, ADDRESS, "load-power", insistent=True, ca_path=ca) as traffic:
        wait_for(lambda: len(traffic.acknowledged) >= 20 and set(sink.taken), 240)
        # Frozen, it neither stores nor gives its lanes back: what is acknowledged from now on is in the journal alone.
        lost.ssh("systemctl kill --signal=STOP event-listener-relay", root=True)
        alone = len(traffic.acknowledged)
        wait_for(lambda: len(traffic.acknowledged) >= alone + 20, 240)
        assert holder(hosts) == lost.name  # it acknowledges, so it keeps the address
        began, before = time.monotonic(), len(traffic.acknowledged)
        lost.kill()
        wait_for(lambda: len(traffic.acknowledged) >= before + 1, 240)
        gap = time.monotonic() - began
        assert holder(hosts) == left.name
        seen = set(traffic.acknowledged)
        wait_for(lambda: len(traffic.acknowledged) >= len(seen) + 20, 240)
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
    stored = Counter({name: count for name, count in in_database(database).items() if name.startswith("load-power")})
    gone = acknowledged - set(stored) | acknowledged - set(sink.taken)
    progress(
        f"two listeners, one loses its power: sent {traffic.sent}, acknowledged {len(acknowledged)}, "
        f"stored {len(stored)}, at the sink {len(set(sink.taken) & set(stored))}, lost {len(gone)}; "
        f"{gap:.1f} s without an answer; {len(missing)} waited in the lost host's journal"
    )
    assert gone == set()
    assert missing, "nothing was in the lost host's journal alone, so nothing was shown"
    # A BMC that got no answer sends again: such an event may be there twice, all others once.
    assert {marker for marker, count in stored.items() if count > 1} <= traffic.repeated
    assert traffic.refused == []


def test_another_address_and_none(shared_two):
    """The same with IPv6; the playbook ends with the proof that somebody acknowledges there. Then it is taken back."""
    two, hosts = shared_two, shared_two.estate.hosts[:2]
    two.good(
        "listener_address",
        listener_address_service=f"{ADDRESS6}/64",
        listener_address_source=SOURCE6,
        listener_address_hosts=[host.name for host in reversed(hosts)],
        listener_address_interface="host0",
        listener_address_router_id=41,
        listener_address_preempt=True,
    )
    wait_for(lambda: holder(hosts, ADDRESS6) == hosts[1].name, 60)  # the first of those named, whoever had it before
    assert holder(hosts) == ""

    two.good("listener_address", listener_address_state="absent")
    assert holder(hosts) == ""
    assert not hosts[0].succeeds("ls -d /etc/event-listener-address /etc/systemd/system/event-listener-address.service")
