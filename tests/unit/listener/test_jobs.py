# SPDX-License-Identifier: GPL-3.0-or-later
"""Events become jobs: whatever their order, however often they are read, and when a start id is used again."""

import json
import time
from itertools import pairwise

import msgspec
import pytest
from event_listener import jobs
from event_listener.bookkeeper import Bookkeeper
from event_listener.event import Category, Event, Level, Origin, Record, State
from event_listener.jobs import JobState
from event_listener.normalise.redfish import records
from event_listener.settings_alerts import AlertSettings, JobPurge, JobSettings
from event_listener.store import JobQuery, Store
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.listener.stores import arrival, write

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
TASK = "/redfish/v1/TaskService/Tasks/7"
NOON = 1_795_348_800 * SECOND  # 2026-11-22T12:00:00Z


def clock(seconds):
    return f"2026-11-22T12:{seconds // 60:02}:{seconds % 60:02}Z"


def task(key, seconds=None, *arguments):
    """The record of a TaskEvent as a BMC sends it."""
    member = {"MessageId": f"TaskEvent.1.0.{key}", "MessageArgs": ["7", *arguments]}
    member["OriginOfCondition"] = {"@odata.id": TASK}
    if seconds is not None:
        member["EventTimestamp"] = clock(seconds)
    return records({"Events": [member]}).records[0]


def about_task(key, *arguments):
    """A ResourceEvent of the Task itself."""
    member = {"MessageId": f"ResourceEvent.1.0.{key}", "OriginOfCondition": TASK, "MessageArgs": list(arguments)}
    return records({"Events": [member]}).records[0]


def notification(event_type, start_id="req-1", **fields):
    return Record(category=Category.ASYNC_JOB, type=event_type, start_id=start_id, record={}, **fields)


@pytest.fixture
def store(emptied):
    return emptied


def put(store, *found, source="bmc1"):
    """Records into the log, each an arrival of its own, and into jobs."""
    store.jobs.reader.begin()
    first = store.log.payload_head() + 1
    write(store, *(arrival(number, source=source, records=(one,)) for number, one in enumerate(found, first)))
    while store.jobs.follow():
        pass
    return everything(store)


def everything(store):
    return store.jobs.find(JobQuery())[0]


def told(store):
    return [event.type for event in store.log.read_events_after(0, 1000) if event.type.startswith("RedfleetEvents.Job")]


def only(store, *found):
    (job,) = put(store, *found)
    return job


def events(*found):
    """Records as the log has them, each a second after the other."""
    return [
        Event(
            **msgspec.structs.asdict(record), seq=number, id=f"j-{number}-0", source="bmc1", address="a",
            received_ns=NOON + number * SECOND, payload_id=1,
        )
        for number, record in enumerate(found)
    ]  # fmt: skip


def folded(found):
    job = None
    for step in map(jobs.step_of, found):
        job = jobs.opened(step, jobs.key_of(step.event), 0) if job is None else job
        assert not jobs.begins_anew(job, step)
        job = jobs.merged(job, step)
    return job


@pytest.mark.parametrize(
    ("found", "state"),
    [
        ([task("TaskStarted")], JobState.STARTED),
        ([task("TaskStarted"), task("TaskProgressChanged", None, "40")], JobState.PROGRESS),
        ([task("TaskStarted"), task("TaskPaused")], JobState.PROGRESS),
        ([task("TaskStarted"), task("TaskCompletedOK")], JobState.COMPLETED),
        ([task("TaskStarted"), task("TaskCompletedWarning")], JobState.COMPLETED),
        ([task("TaskStarted"), task("TaskAborted")], JobState.FAILED),
        ([task("TaskStarted"), task("TaskCancelled")], JobState.FAILED),
        ([task("TaskStarted"), task("TaskRemoved")], JobState.FAILED),
        ([task("TaskStarted"), task("TaskCompletedOK"), task("TaskRemoved")], JobState.COMPLETED),
        ([task("TaskStarted"), about_task("ResourceRemoved")], JobState.FAILED),
        ([task("TaskStarted"), about_task("ResourceChanged")], JobState.STARTED),
        ([notification("compute.instance.create.start", state=State.STARTED)], JobState.STARTED),
        ([notification("port.create.end")], JobState.COMPLETED),
        ([notification("compute.instance.create.error", level=Level.ERROR)], JobState.FAILED),
        ([notification("VM.START", state=State.CREATED)], JobState.SCHEDULED),
        ([notification("VM.START", state=State.SCHEDULED)], JobState.SCHEDULED),
        ([notification("VM.START", state=State.STARTED)], JobState.STARTED),
        ([notification("VM.START")], JobState.COMPLETED),
        ([notification("VM.START", level=Level.ERROR)], JobState.FAILED),
    ],
)
def test_what_events_say_of_a_job(found, state):
    """TaskEvent by its message, OpenStack's notifications by their ending, CloudStack's events by state and level."""
    assert folded(events(*found)).state == state


def test_what_makes_no_job(store):
    """A repeat, a test, an import; and what only shows that a Task is there, or gone, when none is known."""
    write(store, arrival(1, records=(task("TaskStarted"),), repeats=("x-1-0",)))
    write(store, arrival(2, records=(task("TaskStarted"),), origin=Origin.IMPORT))
    write(store, arrival(3, records=(task("TaskStarted"),), origin=Origin.TEST))
    assert put(store, about_task("ResourceChanged"), task("TaskRemoved"), Record(type="A.B", record={})) == []


def test_a_job_as_a_whole(store):
    """What is shown of it: progress, both ends, its resource, its events."""
    job = only(
        store, task("TaskStarted", 0), task("TaskProgressChanged", 5, "40"), task("TaskProgressChanged", 9, "80%"),
        task("TaskCompletedOK", 20),
    )  # fmt: skip
    first, *_rest, last = store.log.read_events_after(0, 9)
    assert (job.percent, job.steps, job.source, job.start_id) == (80, 4, "bmc1", TASK)
    assert (job.first_event, job.last_event) == (first.id, last.id)
    assert (job.started_ns, job.ended_ns, job.seen_ns) == (1000, 4000, 4000)
    assert (job.resource_type, job.resource_id, job.type) == ("Task", TASK, "TaskEvent.TaskStarted")


def test_operations_of_one_request_are_jobs_of_their_own(store):
    """OpenStack makes ports and servers for one request; a source's ids say nothing about another source's."""
    put(store, notification("compute.instance.create.start"), notification("port.create.start"))
    put(store, notification("port.create.end"), source="bmc2")
    found = {(job.source, job.operation): job.state for job in everything(store)}
    assert found == {
        ("bmc1", "compute.instance.create"): "started",
        ("bmc1", "port.create"): "started",
        ("bmc2", "port.create"): "completed",
    }


def test_a_task_id_that_is_used_again(store):
    """After a reboot a BMC counts from the beginning: another job, and the first one stays as it was."""
    put(store, task("TaskStarted", 0), task("TaskCompletedOK", 5))
    put(store, task("TaskStarted", 600), task("TaskProgressChanged", 601, "3"), about_task("ResourceChanged"))
    second, first = everything(store)
    assert (first.state, first.number, second.state, second.number) == ("completed", 0, "progress", 1)
    assert put(store, task("TaskCompletedOK", 5))[0].state == "progress", "late, and of the first one"
    assert put(store, task("TaskAborted", 700))[0].state == "failed"
    assert len(everything(store)) == 2


def test_a_start_that_comes_after_the_end(store):
    """In the same second, or a little later where no time is told: the same job."""
    assert only(store, task("TaskCompletedOK", 5), task("TaskStarted", 5)).state == "completed"
    (_first, other) = put(store, task("TaskCompletedOK"), task("TaskStarted"), source="bmc2")
    assert other.state == "completed"


EVENTS = [
    ("TaskStarted", 10, ()),
    ("TaskProgressChanged", 20, ("10",)),
    ("TaskPaused", 25, ()),
    ("TaskProgressChanged", 30, ("90",)),
    ("TaskCompletedOK", 40, ()),
]


ONE_JOB = events(*(task(key, at, *more) for key, at, more in EVENTS))


@given(st.permutations(ONE_JOB))
def test_the_order_of_arrival_does_not_matter(arrived):
    """Sources, brokers and backfills deliver late: the same events are the same job."""
    assert folded(arrived) == folded(ONE_JOB)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, 10), max_size=6), relays=st.integers(1, 3))
def test_batches_and_replays_do_not_matter(store, cuts, relays):
    """However the log is cut into batches, and by how many relays it is read: each event counts once."""
    readers = [store, *(Store(store._backend) for _ in range(relays - 1))]
    for reader in readers:
        reader.jobs.reader.begin()
    name = f"bmc{store.log.head()}"
    found = [task(key, at + turn, *more) for turn in (0, 600) for key, at, more in EVENTS]
    for start, end in pairwise([0, *sorted(cuts), len(found)]):
        first = store.log.payload_head() + 1
        if start < end:
            write(store, *(arrival(n, source=name, records=(one,)) for n, one in enumerate(found[start:end], first)))
        for reader in readers:
            while reader.jobs.follow():
                pass
    second, one = store.jobs.find(JobQuery(source=(name,)))[0]
    assert (one.state, one.steps, second.state, second.steps) == ("completed", 5, "completed", 5)


def test_two_relays_that_read_the_same(store):
    """Of what both made of a batch one counts; the other goes on from there."""
    other = Store(store._backend)
    for reader in (store, other):
        reader.jobs.reader.begin()
    write(store, arrival(1, records=(task("TaskStarted"),)))
    before = other.jobs.reader.read()
    store.jobs.follow()
    applied = []
    assert other.jobs.reader.take(before, applied.append) is False
    assert applied == []
    other.jobs.follow()
    assert [job.steps for job in everything(store)] == [1]


def test_what_was_there_before_is_not_read(store):
    """The first start after an upgrade makes no jobs of the past; the next one goes on where the last was."""
    write(store, arrival(1, records=(task("TaskStarted", 0),)))
    assert put(store, task("TaskStarted", 700))[0].first_at_ns == NOON + 700 * SECOND


class Clock:
    def __init__(self):
        self.now, self.passed = time.time_ns(), 100.0

    def __call__(self):
        return self.now, self.passed

    def wait(self, seconds):
        self.now += int(seconds * SECOND)
        self.passed += seconds


@pytest.fixture
def clocks():
    return Clock()


@pytest.fixture
def keeper(store, clocks):
    found = Bookkeeper(store, JobSettings(), AlertSettings(), lambda: False, clocks)
    found.begin()
    return found


def start(store, clocks, *found):
    first = store.log.payload_head() + 1
    for number, one in enumerate(found, first):
        write(store, msgspec.structs.replace(arrival(number, records=(one,)), received_ns=clocks.now))
    while store.jobs.follow():
        pass


def test_a_job_that_hangs_is_told_once(store, clocks, keeper):
    """CloudStack's `entrytime` with `duration` always answers nothing; this answers, and tells."""
    start(store, clocks, task("TaskStarted"), notification("VM.START", "a", state=State.SCHEDULED))
    clocks.wait(3590)
    start(store, clocks, notification("VM.STOP", "b", state=State.STARTED))
    keeper.judge()
    assert told(store) == []
    clocks.wait(20)
    for _relay in range(3):
        keeper.judge()
        keeper.follow()
    assert sorted(told(store)) == ["RedfleetEvents.JobHangs", "RedfleetEvents.JobNotStarted"]
    assert {job.start_id for job in store.jobs.find(JobQuery(hanging=True))[0]} == {TASK, "a"}
    hour = clocks.now - HOUR
    assert [job.start_id for job in store.jobs.find(JobQuery(running_since_ns=hour))[0]] == [TASK]
    assert [job.start_id for job in store.jobs.find(JobQuery(waiting_since_ns=hour))[0]] == ["a"]
    assert store.jobs.counts() == {
        "scheduled": 1, "started": 2, "progress": 0, "completed": 0, "failed": 0, "hanging": 2
    }  # fmt: skip
    start(store, clocks, task("TaskProgressChanged", None, "5"))
    assert told(store).count("RedfleetEvents.JobGoesOn") == 1
    clocks.wait(3700)
    keeper.judge()
    assert told(store).count("RedfleetEvents.JobHangs") == 3, "hangs again, and VM.STOP too"


def test_a_clock_jump_hangs_nobody(store, clocks, keeper):
    """Nor does a log that isn't indexed: what waits in the journal may say that a job ended."""
    start(store, clocks, task("TaskStarted"))
    clocks.now += 86400 * SECOND
    keeper.judge()
    clocks.wait(600)
    keeper.judge()
    assert told(store) == []
    Bookkeeper(store, JobSettings(hanging_after=1), AlertSettings(), lambda: True, clocks).judge()
    assert told(store) == []
    clocks.wait(3600)
    keeper.judge()
    assert told(store) == ["RedfleetEvents.JobHangs"]


@pytest.mark.usefixtures("keeper")
def test_a_restart_forgets_no_time(store, clocks):
    """A relay that is restarted every ten minutes finds a job that hangs all the same."""
    start(store, clocks, task("TaskStarted"))
    clocks.wait(3700)
    Bookkeeper(store, JobSettings(), AlertSettings(), lambda: False, clocks).judge()
    assert told(store) == ["RedfleetEvents.JobHangs"]


def test_old_jobs_are_removed(store, clocks, keeper):
    """After their delay; by one relay at a time, and never at once after the first start."""
    start(store, clocks, task("TaskStarted"), notification("port.create.end"))
    clocks.wait(16 * 86400)
    start(store, clocks, notification("port.delete.end", "new"))
    for _look in range(2):
        keeper.judge()
    assert len(everything(store)) == 3
    clocks.now += 1000 * 86400 * SECOND  # a wrong time server
    keeper.judge()
    clocks.now -= 1000 * 86400 * SECOND
    assert len(everything(store)) == 3
    clocks.wait(86401)
    kept = Bookkeeper(store, JobSettings(purge=JobPurge(delay=0)), AlertSettings(), lambda: False, clocks)
    kept.judge()
    assert len(everything(store)) == 3
    keeper.judge()
    assert [job.start_id for job in everything(store)] == ["new"]


def test_pages(store):
    """Newest first, each once, and their number is the same on every page."""
    put(store, *(notification("port.create.end", f"r{number}") for number in range(7)))
    found, before = [], None
    while True:
        page, before = store.jobs.find(JobQuery(limit=3, before=before))
        found += [job.start_id for job in page]
        if before is None:
            break
    assert found == [f"r{number}" for number in range(6, -1, -1)]


def test_our_own_words_are_no_steps(store, clocks, keeper):
    """What is told of a job that hangs says nothing of it as a job."""
    start(store, clocks, task("TaskStarted"))
    clocks.wait(4000)
    keeper.judge()
    keeper.follow()
    (event,) = [event for event in store.log.read_events_after(0, 9) if event.type == "RedfleetEvents.JobHangs"]
    assert (event.source, event.level, event.start_id) == ("bmc1", Level.WARN, None)
    assert event.record["Oem"]["redfleet"]["start_id"] == TASK
    assert json.dumps(event.record)
    assert everything(store)[0].hanging_ns == clocks.now
