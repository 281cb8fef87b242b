# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk that is really full: the reserve is spent on removing events, and a backfill without room is a failed job.

And events that reach their bound before the disk is.
"""

import os
import re
import subprocess
from collections.abc import Callable

import pytest
import requests
from event_listener.backfill import Backfill, Request, SourceEntries
from event_listener.event import Record
from event_listener.journal import Journal, JournalUnavailableError
from event_listener.policy import Owner
from event_listener.reserve import Reserve
from event_listener.settings import Settings
from event_listener.settings_disk import Disk
from event_listener.settings_events import EventPurge, EventSettings
from event_listener.store import Actor, Arrival, Deed, Query, StoreUnavailableError, open_store
from event_listener.tidy import Tidy

from tests.integration.listener_process import RunningListener, wait_for

EVENTS, RESERVE = 1000, 4 << 20


@pytest.fixture
def disk(tmp_path):
    """A real one of 400 MiB, in memory."""
    if (
        os.geteuid() != 0
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400m", "none", str(tmp_path)]).returncode
    ):
        pytest.skip("only root can mount a small disk")
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def arrivals(first, count):
    return [
        Arrival(
            journal_id=f"j{number}", journal_seq=0, received_ns=number, source="bmc", address="bmc", peer="",
            credential="", content_type="", body=b"x" * 2000,
            records=(Record(type="A.B", message=f"word{number}", record={"n": number}),),
        )
        for number in range(first, first + count)
    ]  # fmt: skip


def fill(directory):
    """Leave nothing free."""
    with (directory / "filler").open("wb", buffering=0) as filler:
        for size in (1 << 20, 4096):
            try:
                while True:
                    filler.write(b"\0" * size)
            except OSError:
                continue


def settings(directory):
    return Settings(
        state_dir=str(directory), disk=Disk(reserve=RESERVE), event=EventSettings(purge=EventPurge(batch=100))
    )


@pytest.mark.root
def test_the_reserve_is_spent_on_a_purge(disk):
    with open_store(disk) as store:
        store.log.add(arrivals(1, EVENTS))
        while store.search.step():
            pass
        store.cursors.advance("sink:text_log", EVENTS)
        store.deeds.do(Deed.DELETE, Query(type=("A.B",)), Actor("ada", "tests"), Owner())
        kept = Reserve(disk, RESERVE)
        assert kept.keep()
        fill(disk)
        with pytest.raises(StoreUnavailableError):
            store.log.add(arrivals(EVENTS + 1, EVENTS))
        with pytest.raises(StoreUnavailableError):  # by itself nothing can be removed either
            store.purge.deleted(0, [], 100)
        assert not kept.is_spent()
        assert sum(Tidy(settings(disk), store).removing()) >= EVENTS // 2
        assert kept.is_spent()
        assert store.queries.total(Query(type=("A.B",))) == 0
        store.log.add(arrivals(EVENTS + 1, EVENTS // 4))  # what was removed is room
        assert store.queries.total(Query(type=("A.B",))) == EVENTS // 4


@pytest.mark.root
def test_a_backfill_without_room_is_a_failed_job(disk):
    """What began ends, too, and says what to do; the next attempt is a job of its own."""
    entry = {"MessageId": "Fan.1.0.Failed", "MessageArgs": ["1"], "Created": "2026-01-01T00:00:00Z"}
    large = Request(sources=[SourceEntries("bmc", [{**entry, "Message": "x" * (16 << 20)}])])
    with open_store(disk) as store:
        Journal(disk).close()
        fill(disk)
        os.truncate(disk / "filler", (disk / "filler").stat().st_size - (8 << 20))
        with pytest.raises(JournalUnavailableError):
            Backfill(str(disk)).run(store, large, Actor("tests", "here"))
        Backfill(str(disk)).run(store, Request(sources=[SourceEntries("bmc", [entry])]), Actor("tests", "here"))
        told = store.queries.find(Query(category=("AsyncJobEvent",), order="asc")).events
    names = [event.type.removeprefix("RedfleetEvents.") for event in told]
    assert names == ["JobStarted", "JobFailed", "JobStarted", "JobCompleted"]
    assert "Run the backfill again" in told[1].message
    assert [event.start_id == told[0].start_id for event in told] == [True, True, False, False]


def test_the_running_relay_keeps_events_within_their_bound(listener: Callable[..., RunningListener]):
    """What BMCs sent long ago makes room for what they send now, and the metrics say how many events it was."""
    with listener({"ingest": {"plain_http": True}, "disk": {"events": 1 << 21, "interval": 0.5}}) as running:
        for number in range(20):
            ids = (f"{number}-{at}" for at in range(50))
            records = [{"EventId": one, "MessageId": "T.1.0.Flood", "Message": "x" * 600} for one in ids]
            assert running.post({"Id": str(number), "Events": records}, "/events/bmc", timeout=60).status_code == 200

        def told() -> list[dict]:
            return running.api("/api/v1/events", type="RedfleetEvents.EventsGivenUp").json()["events"]

        wait_for(told, 400)
        metrics = requests.get(running.manage_url + "/metrics", timeout=60).text
        (count,) = re.findall(r'given_up_total\{what="events"\} (\S+)', metrics)
        assert int(told()[0]["message_args"][0]) <= int(float(count)) < 1000
        assert 'disk_bound_bytes{part="events"}' in metrics
        wait_for(lambda: "disk.events" not in requests.get(running.manage_url + "/health/ready", timeout=60).text, 60)
        newest = running.api("/api/v1/events", source="bmc", limit=1).json()["events"]
        assert newest[0]["event_id"] == "19-49"
