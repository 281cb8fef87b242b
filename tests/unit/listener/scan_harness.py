# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes that affect addresses, a scanner's sink and worker on an event log, and what they told."""

from __future__ import annotations

from event_listener.event import Event
from event_listener.scans.addresses import KEY, stated
from event_listener.scans.worker import Worker, scanner_for
from event_listener.settings_base import Secret
from event_listener.settings_scans import HttpScanSink, QualysSink
from event_listener.sinks.scan import Scan
from event_listener.store import own_arrival

from tests.services.qualys import PROFILE, USER
from tests.services.service import wait_until

NETWORKS = ["192.0.2.0/24", "2001:db8::/32"]
FAST = {"networks": NETWORKS, "timeout": 5.0, "poll_interval": 0.3}


def change(store, number, addresses, **fields):
    """Store a change, as the enrichment of a source does."""
    told = {KEY: stated(addresses), "security_group_rule": {"id": f"rule-{number}"}}
    one = own_arrival("SecurityGroupRule", "changed", unique=f"change-{number}", now_ns=number, details=told, **fields)
    store.log.add([one])


def qualys_settings(url, directory, **fields):
    password = directory / "qualys-password"
    if not password.exists():
        password.write_text("Zx9-Very.Secret\n")
    given = {"name": "qualys", "username": USER, "option_profile": PROFILE, **FAST, **fields}
    return QualysSink(url=url, password=Secret(file=str(password)), **given)


def http_settings(url, **fields):
    return HttpScanSink(url=url, **{"name": "other", **FAST, **fields})


class Scanning:
    """A sink and its worker. ``tell`` gives the sink the events that it hasn't seen."""

    def __init__(self, store, settings):
        self.store, self.settings = store, settings
        self.sink = Scan(settings, "")
        self.sink.ledger = store.scans
        self.seen = 0
        self.restart()

    def restart(self):
        """As a new process: what the worker knew by itself is gone."""
        self.worker = Worker(scanner_for(self.settings), self.settings, self.store)

    def tell(self):
        events = self.store.log.read_events_after(self.seen, 1000)
        self.seen = events[-1].seq if events else self.seen
        return self.sink.send(events)

    def jobs(self, *states):
        return self.store.scans.list(self.settings.name, states)

    def until(self, state, count=1, seconds=60.0):
        """Work until so many scans are in a state."""

        def reached():
            self.worker.step()
            return len(self.jobs(state)) >= count

        wait_until(
            reached, lambda: f"{count} {state}: {[(job.state, job.error) for job in self.jobs()]}", seconds, 0.01
        )
        return self.jobs(state)

    def told(self, *keys) -> list[Event]:
        """Events about scans."""
        events = self.store.log.read_events_after(0, 1000)
        return [one for one in events if one.resource_type == "Scan" and (not keys or one.type.split(".")[1] in keys)]
