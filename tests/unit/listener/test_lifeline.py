# SPDX-License-Identifier: GPL-3.0-or-later
"""A job that ends with its process: its end is told, whoever ends it, and once."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys

import pytest
from event_listener.backfill import Backfill, Request, SourceEntries
from event_listener.journal import Journal
from event_listener.lifeline import Lifeline, tell_broken_off
from event_listener.store import Actor, Query, StoreUnavailableError, open_store, sqlite_path

ENTRY = {"MessageId": "Fan.1.0.Failed", "Message": "Fan 1 failed", "Created": "2026-01-01T00:00:00Z"}
REQUEST = Request(sources=[SourceEntries("bmc", [ENTRY])])
# The process is killed as the first entries are to be written.
KILLED = f"""
import os, signal, sys
from event_listener.backfill import Backfill, Request, SourceEntries
from event_listener.store import Actor, open_store

class Killed(Backfill):
    def _append(self, *arguments):
        os.kill(os.getpid(), signal.SIGKILL)

with open_store(sys.argv[1]) as store:
    Killed(sys.argv[1]).run(store, Request(sources=[SourceEntries("bmc", [{ENTRY!r}])]), Actor("ada", "192.0.2.9"))
"""


@pytest.fixture
def directory(tmp_path):
    Journal(tmp_path).close()
    return str(tmp_path)


def told(store):
    """Jobs by what is told of them, oldest first."""
    found = store.queries.find(Query(category=("AsyncJobEvent",), order="asc")).events
    return [(event.type.removeprefix("RedfleetEvents."), event.start_id) for event in found]


def left(directory):
    return sorted(os.listdir(f"{directory}/run/jobs"))


def test_a_killed_backfill_has_failed(directory):
    """At the next look, not after `job.hanging_after`; and who runs it again adds what is missing."""
    with open_store(directory) as store:
        tell_broken_off(directory, store)  # before the first job there is nothing
        done = subprocess.run([sys.executable, "-c", KILLED, directory], timeout=120, check=False)
        assert done.returncode == -signal.SIGKILL
        (started,) = told(store)
        for _look in range(3):
            tell_broken_off(directory, store)
        assert told(store) == [started, ("JobFailed", started[1])]
        while store.jobs.follow():
            pass
        last = store.queries.find(Query(start_id=(started[1],), limit=1)).events[0]
        assert "Run the backfill again" in last.message
        (outcome,) = Backfill(directory).run(store, REQUEST, Actor("ada", "192.0.2.9"))
        assert outcome.added == 1
        assert [key for key, _job in told(store)[2:]] == ["JobStarted", "JobCompleted"]
        assert left(directory) == []


def test_a_job_that_lives_is_left_alone(directory):
    with open_store(directory) as store:
        lifeline = Lifeline(directory, "backfill:1", "It ended.")
        tell_broken_off(directory, store)
        assert told(store) == []
        lifeline.end(told=True)
        tell_broken_off(directory, store)
        assert told(store) == []


def test_an_end_that_could_not_be_told_is_told_later(directory):
    """The event log fails while a backfill does: it has failed as soon as the log is back."""

    with open_store(directory) as store, contextlib.closing(sqlite3.connect(sqlite_path(directory))) as database:

        class Away(Backfill):
            def _append(self, *_arguments):
                broken = "CREATE TRIGGER away BEFORE INSERT ON event BEGIN SELECT RAISE(ABORT, 'away'); END"
                database.execute(broken)
                raise OSError("no room")

        with pytest.raises(OSError, match="no room"):
            Away(directory).run(store, REQUEST, Actor("ada", "192.0.2.9"))
        with pytest.raises(StoreUnavailableError):
            tell_broken_off(directory, store)
        database.execute("DROP TRIGGER away")
        assert [key for key, _job in told(store)] == ["JobStarted"]
        tell_broken_off(directory, store)
        assert [key for key, _job in told(store)] == ["JobStarted", "JobFailed"]


def test_what_ended_well_has_not_failed(directory):
    """Killed between the last event and the removal of its file: the end that was told first counts."""
    with open_store(directory) as store:
        Backfill(directory).run(store, REQUEST, Actor("ada", "192.0.2.9"))
        before = told(store)
        Lifeline(directory, before[0][1], "It ended.").end(told=False)
        tell_broken_off(directory, store)
        assert told(store) == before
        assert left(directory) == []
