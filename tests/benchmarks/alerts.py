# SPDX-License-Identifier: GPL-3.0-or-later
"""What following the log costs: events per second of the reader of alerts and of jobs, beside storing the events.

Three logs of ``--events`` events: of those that mean nothing to a rule, of failures of 200 sources, of tasks. Ratios
above 1: the readers keep up with more than the indexer can store.
"""

from __future__ import annotations

import argparse
import tempfile
import time

from event_listener.alert_rules import Rulebook
from event_listener.event import Category, Level, Record, State
from event_listener.settings_alerts import AlertSettings
from event_listener.store import Arrival, open_store

SOURCES = 200
_BATCH = 1000


def _quiet(number: int) -> Record:
    return Record(type="ResourceEvent.ResourceChanged", resource_id=f"/r/{number % 50}", record={"n": number})


def _failure(number: int) -> Record:
    fan = f"/redfish/v1/Chassis/1/Fans/{number % 7}"
    return Record(
        category=Category.ALERT, type="V.FanFailed", level=Level.ERROR, resource_id=fan, message="It failed.", record={}
    )


def _task(number: int) -> Record:
    job, last = divmod(number // SOURCES, 4)
    name = ("TaskStarted", "TaskProgressChanged", "TaskProgressChanged", "TaskCompletedOK")[last]
    state = State.COMPLETED if last == 3 else State.STARTED
    return Record(category=Category.ASYNC_JOB, type=f"TaskEvent.{name}", state=state, start_id=f"/t/{job}", record={})


def _arrival(number: int, record: Record) -> Arrival:
    source = f"bmc{number % SOURCES}"
    return Arrival(
        journal_id="benchmark",
        journal_seq=number + 1,
        received_ns=time.time_ns(),
        source=source,
        address=source,
        peer="",
        credential="",
        content_type="",
        body=b"{}",
        records=(record,),
    )


def main() -> None:
    """Print one line per log."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=50_000)
    count = parser.parse_args().events
    print(f"{count} events of {SOURCES} sources, SQLite; events/s: stored, read for alerts, read for jobs; ratios")
    for name, make in (("quiet", _quiet), ("failures", _failure), ("tasks", _task)):
        with tempfile.TemporaryDirectory() as directory, open_store(directory) as store:
            alerts = store.alerts.reader(Rulebook(AlertSettings()))
            alerts.reader.begin()
            store.jobs.reader.begin()
            rates = []
            began = time.perf_counter()
            for first in range(0, count, _BATCH):
                batch = [_arrival(number, make(number)) for number in range(first, min(first + _BATCH, count))]
                store.log.write(batch, "journal:benchmark", first + len(batch))
            rates.append(count / (time.perf_counter() - began))
            for follow in (alerts.follow, store.jobs.follow):
                began = time.perf_counter()
                while follow():
                    pass
                rates.append(count / (time.perf_counter() - began))
        stored, *read = rates
        ratios = ", ".join(f"{rate / stored:.1f}" for rate in read)
        print(f"{name:9} {stored:9,.0f} {read[0]:9,.0f} {read[1]:9,.0f}   {ratios}")


if __name__ == "__main__":
    main()
