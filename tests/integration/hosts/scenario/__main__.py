# SPDX-License-Identifier: GPL-3.0-or-later
"""Two listeners, their database, RabbitMQ, rsyslog and 200 BMCs: deployed, stormed, broken, upgraded, accounted for."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from redfish_simulator.client import Fleet, FleetError

from tests.integration.hosts.deployment import ROOT, Run, install_collection
from tests.integration.hosts.estate import Estate, EstateUnavailable, HostError
from tests.integration.hosts.next_release import next_release, running
from tests.integration.hosts.scenario.accounts import Account, account, look
from tests.integration.hosts.scenario.peers import Peers
from tests.integration.hosts.scenario.project import PlaybookError, Project
from tests.integration.hosts.scenario.storm import Sender
from tests.integration.hosts.shared_address import RELEASE, holder, select, shared, wheels_for
from tests.services.service import ServiceError, wait_until

# In two hundred; of more or fewer the simulator repeats or cuts it, vendors interleaved.
MIX = (
    "openbmc=40,openbmc-expand=10,idrac9=30,idrac9-mute=5,idrac8=5,idrac10=10,ilo5=25,ilo4=10,xcc2=15,xcc3=5,xcc1=5,"
    "ami=10,supermicro=10,huawei=5,cisco=5,plain=10"
)
PATIENCE = 180  # seconds for what takes seconds on a quiet machine
RECEIVES = "/usr/libexec/keepalived/event-listener-receives"


@contextlib.contextmanager
def step(title: str) -> Iterator[None]:
    """Say what is done, and how long it took."""
    print(f"  {title} ...", flush=True)
    started = time.monotonic()
    yield
    print(f"    {time.monotonic() - started:.1f} s", flush=True)


class Scenario:
    """The estate, and what is done to it."""

    def __init__(self, options: argparse.Namespace, stack: contextlib.ExitStack) -> None:
        self.options, self._stack = options, stack
        self.directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="redfleet-scenario-")))

    def boot(self) -> None:
        """Hosts, broker and syslog server; the collection from its tarball, wheels."""
        with step("collection, built and installed"):
            self.collections = install_collection(self.directory)
        with step("hosts: two listeners, a database, one with RabbitMQ and rsyslog"):
            others = {"event_databases": 1, "event_peers": 1}
            estate = Estate(4, RELEASE, others=others, kinds={"event_peers": "peers"}, progress=_say)
            self.estate = self._stack.enter_context(estate)
            *self.listeners, self.database, peers = self.estate.hosts
            self._stack.push(self._journals)
        with step("wheels for hosts without internet"):
            extras = ("postgresql", "amqp")
            self.wheels = wheels_for(self.database, self._folder("wheels"), self.collections, extras)
        with step("RabbitMQ and rsyslog"):
            self.peers = Peers(self.estate, peers)
            self.peers.start()

    def declare(self) -> None:
        """The user's folder: inventory, variables, site.yml; the BMCs, which know the fleet's authority."""
        with step(f"inventory, authority, {self.options.bmcs} BMCs"):
            self.project = Project(self.estate, self._folder("project"), self.collections)
            variables = shared(self.database, sinks=self.peers.settings())
            variables["event_listener_extras"].append("amqp")
            variables["event_listener_secrets"].update(self.peers.secrets())
            self.project.declare(variables, self.wheels)
            self.fleet = Fleet(
                count=self.options.bmcs, mix=MIX, directory=self.directory / "fleet", network=self.estate.bmc_network,
                port=443, listener_ca=self.project.make_authority(), time_scale=0.5,
            )  # fmt: skip
            self._stack.callback(self.fleet.stop)
            with self.estate.network():
                self.fleet.start()
            self.project.declare_fleet(self.fleet)

    def deploy(self) -> None:
        """`ansible-playbook site.yml`, twice."""
        with step("ansible-playbook site.yml"):
            _tell(self.project.play("site.yml"))
        with step("ansible-playbook site.yml, again: changed=0"):
            _tell(self.project.unchanged("site.yml"))
        self.sender = Sender(self.estate, self.fleet)

    def storm(self) -> None:
        """Every BMC sends; meanwhile a listener is lost, the broker restarts, the listener returns."""
        with (
            step(f"storm: {self.options.bmcs} events every {self.options.every} s"),
            self.sender.storm(self.options.every),
        ):
            self._acknowledged(2 * self.options.bmcs)
            (lost,) = (host for host in self.listeners if host.name == holder(self.listeners))
            (left,) = (host for host in self.listeners if host is not lost)
            lost.kill()
            began = time.monotonic()
            wait_until(lambda: holder(self.listeners) == left.name, "nobody took the address", PATIENCE)
            print(f"    {lost.name} lost its power; {left.name} has the address {time.monotonic() - began:.1f} s later")
            self._acknowledged(self.options.bmcs)
            self.peers.restart_broker()
            print(f"    RabbitMQ restarted, {self.sender.count()} events so far")
            self._acknowledged(self.options.bmcs)
            lost.start()
            lost.wait(PATIENCE)
            wait_until(lambda: lost.succeeds(RECEIVES), f"{lost.name} receives nothing", PATIENCE)
            print(f"    {lost.name} is back")
            enough, limit = self.options.events * self.options.bmcs, 3 * self.options.events * self.options.every
            wait_until(lambda: self.sender.count() >= enough, "the storm takes too long", PATIENCE + limit)
        with step("until every BMC got its answers"):
            self.sender.settled()

    def upgrade(self) -> None:
        """The next release, one listener after the other, with events coming all the time."""
        before = self._schema()
        with step("upgrade: listener_rollout=1, with events coming"), self.sender.trickle(0.1):
            self.project.install(next_release(self.collections, self.directory / "next"))
            _tell(self.project.play("redfleet.events.listener", "-e", "listener_rollout=1"))
            wrong = [host.name for host in self.listeners if not running(host).startswith("releases/99.0.0+")]
            if wrong:
                raise PlaybookError(f"not upgraded: {wrong}")
            wait_until(lambda: self._schema() != before, "the schema is still that of the release before", PATIENCE)
            self._acknowledged(20)

    def account(self) -> Account:
        """Wait until everything is everywhere, or time is up, and sum up."""
        with step("until every event is everywhere"):
            counted = self.sender.settled()
            sent = [(name, number) for name, numbers in self.sender.sent.items() for number in numbers]
            deadline = time.monotonic() + PATIENCE
            while True:
                found = look(self.fleet, self.listeners, self.database, self.peers)
                if found.complete(sent) or time.monotonic() > deadline:
                    return account(self.fleet, self.sender, counted, found)
                time.sleep(1)

    def _journals(self, kind: type[BaseException] | None, *_error: object) -> None:
        """What the listeners have to say where the scenario failed."""
        if kind is not None and issubclass(kind, Exception):
            for host in (one for one in self.listeners if one.running):
                log = host.ssh("journalctl --no-pager --lines=60 --unit='event-listener*'", root=True, check=False)
                print(f"--- journal of {host.name}\n{log}")

    def _acknowledged(self, more: int) -> None:
        enough = self.sender.acknowledged() + more
        wait_until(lambda: self.sender.acknowledged() >= enough, "BMCs get no answer", PATIENCE, every=0.2)

    def _schema(self) -> list[str]:
        return select(self.database, "SELECT * FROM alembic_version")

    def _folder(self, name: str) -> Path:
        (self.directory / name).mkdir()
        return self.directory / name


def _say(line: str) -> None:
    print(f"    {line}", flush=True)


def _tell(run: Run) -> None:
    recap = ", ".join(f"{name} {run.recap(name)}" for name in ("ok", "changed", "failed", "unreachable"))
    print(f"    {recap}", flush=True)


def play(options: argparse.Namespace) -> bool:
    """The whole scenario; whether every event is accounted for."""
    started = time.monotonic()
    with contextlib.ExitStack() as stack:
        scenario = Scenario(options, stack)
        for act in (scenario.boot, scenario.declare, scenario.deploy, scenario.storm, scenario.upgrade):
            act()
        made = scenario.account()
    options.table.parent.mkdir(parents=True, exist_ok=True)
    options.table.write_text("\n".join(made.by_bmc()) + "\n")
    print("\n".join(made.lines()))
    print(
        f"came again under the same id: {made.repeated['amqp']} by AMQP, {made.repeated['syslog']} by syslog; "
        f"every BMC: {options.table}; {time.monotonic() - started:.0f} s in all"
    )
    total = made.total
    print(
        f"sent {total.sent}, acknowledged {total.acknowledged}, stored {total.stored}, AMQP {total.amqp}, "
        f"syslog {total.syslog}, text log {total.text_log}, lost {total.lost}, twice {total.twice}"
    )
    return made.good


def main() -> int:
    """Run it; the exit status is 0 only where nothing was lost and nothing is there twice."""
    parser = argparse.ArgumentParser(prog="python -m tests.integration.hosts.scenario", description=__doc__)
    parser.add_argument("--bmcs", type=int, default=200)
    parser.add_argument(
        "--events", type=int, default=40, help="at least so many of each BMC in the storm (%(default)s)"
    )
    parser.add_argument("--every", type=float, default=2.0, help="seconds between them (%(default)s)")
    parser.add_argument(
        "--table", type=Path, default=ROOT / ".build" / "estate.txt", help="where the table by BMC goes"
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return 0 if play(parser.parse_args()) else 1
    except (EstateUnavailable, HostError, PlaybookError, FleetError, ServiceError, TimeoutError) as error:
        print(f"estate: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
