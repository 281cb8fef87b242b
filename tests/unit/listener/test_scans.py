# SPDX-License-Identifier: GPL-3.0-or-later
"""Scans of what changes affect: of those addresses alone, launched once, and told of as a job.

The defects of osel that these tests are named after are in docs/scans.md.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import threading

import msgspec
import pytest
from event_listener.event import Event, Level, State
from event_listener.policy import Owner
from event_listener.scans.addresses import KEY, affected, details
from event_listener.scans.plan import plan
from event_listener.sinks.base import Ok
from event_listener.store import open_store
from hypothesis import given
from hypothesis import strategies as st

from tests.services.qualys import PASSWORD, Blocked, Cut, Qualys, Says, simple
from tests.services.service import wait_until
from tests.unit.listener.scan_harness import Scanning, change, http_settings, qualys_settings

SIX = "2001:db8::6"


@pytest.fixture
def qualys():
    with Qualys() as peer:
        yield peer


@pytest.fixture
def log(tmp_path):
    """An event log of one database; the others are in the tests that take ``store``."""
    with open_store(tmp_path / "state") as store:
        yield store


@pytest.fixture
def scanning(log, qualys, tmp_path):
    return Scanning(log, qualys_settings(qualys.url, tmp_path))


def test_a_change_is_scanned_and_told_of_as_one_job(store, qualys, tmp_path):
    """Scheduled, started, completed under one start id, with Qualys' reference; on every database."""
    scanning = Scanning(store, qualys_settings(qualys.url, tmp_path, title="cloud"))
    change(store, 1, ["192.0.2.9", "192.0.2.10"], owner=Owner("/dc1/", "tenant"))
    change(store, 2, ["192.0.2.10", "198.51.100.1"], owner=Owner("/dc1/", "tenant"))
    assert scanning.tell() == Ok()
    (job,) = scanning.until("running")
    (scan,) = qualys.launches()
    assert (scan.addresses, scan.scanner, scan.title) == (("192.0.2.9", "192.0.2.10"), "External", f"cloud {job.id}.1")
    qualys.states[scan.reference] = "Finished"
    scanning.until("completed")
    told = scanning.told()
    assert [one.type for one in told] == [
        f"RedfleetEvents.Scan{what}" for what in ("Scheduled", "Started", "Completed")
    ]
    assert [one.state for one in told] == [State.SCHEDULED, State.STARTED, State.COMPLETED]
    assert {one.start_id for one in told} == {job.id}
    assert {(one.domain, one.account) for one in told} == {("/dc1/", "tenant")}
    said = details(told[1])["scan"]
    assert (said["reference"], said["error"]) == (scan.reference, "")
    assert [cause["addresses"] for cause in said["causes"]] == [["192.0.2.9", "192.0.2.10"], ["192.0.2.10"]]
    assert said["causes"][0]["details"] == {"security_group_rule": {"id": "rule-1"}}
    assert scanning.sink.counts() == {"outside_networks": 1}


def test_osel_2_addresses_are_joined_by_commas_in_one_parameter(scanning, qualys, log):
    """osel repeated ``ip=``, which Qualys doesn't document; and put everything into the URL."""
    change(log, 1, ["192.0.2.1", "192.0.2.2"])
    scanning.tell()
    scanning.until("running")
    method, headers, fields = qualys.calls[0]
    assert (method, fields["ip"]) == ("POST", "192.0.2.1,192.0.2.2")
    assert headers["x-requested-with"].startswith("event-listener/")


def test_osel_4_without_drop6_the_ipv4_addresses_are_scanned_too(log, qualys, tmp_path):
    """osel filled the list of IPv4 only with drop6 on: with it off it launched scans of nothing."""
    scanning = Scanning(log, qualys_settings(qualys.url, tmp_path, drop6=False))
    change(log, 1, ["192.0.2.1", SIX])
    scanning.tell()
    scanning.until("running")
    assert qualys.launches()[0].addresses == ("192.0.2.1", SIX)


def test_osel_4_a_change_without_addresses_launches_nothing(scanning, qualys, log):
    change(log, 1, [])
    change(log, 2, [SIX])
    assert scanning.tell() == Ok()
    assert not scanning.jobs()
    assert not scanning.worker.step()
    assert (qualys.calls, scanning.sink.counts()) == ([], {"ipv6_dropped": 1})


def test_osel_5_only_what_the_change_affects_is_scanned(scanning, log):
    """osel scanned every address of every group of the tenant."""
    change(log, 1, ["192.0.2.1"])
    change(log, 2, [])
    scanning.tell()
    assert [job.addresses for job in scanning.jobs()] == [["192.0.2.1"]]


def test_osel_6_a_success_is_no_error(scanning, log):
    """osel wrote "New vm scan launched" into qualys_scan_error."""
    change(log, 1, ["192.0.2.1"])
    scanning.tell()
    scanning.until("running")
    (started,) = scanning.told("ScanStarted")
    assert (details(started)["scan"]["error"], started.level) == ("", Level.INFO)
    assert "New vm scan launched" in started.message


@pytest.mark.parametrize("acts", [True, False])
def test_osel_8_a_launch_whose_answer_is_lost_is_looked_for(log, qualys, tmp_path, acts):
    """By its title, which is of this attempt alone. Where Qualys has none, it is launched again, and that is told."""
    scanning = Scanning(log, qualys_settings(qualys.url, tmp_path, timeout=0.5))
    change(log, 1, ["192.0.2.1"])
    scanning.tell()
    qualys.faults = [Cut(acts)]
    (job,) = scanning.until("running")
    assert len(qualys.launches()) == 1
    assert job.attempts == (1 if acts else 2)
    assert [one.level for one in scanning.told("ScanUnsure")] == ([] if acts else [Level.WARN])


WORKING = """\
import sys
from event_listener import config_file
from event_listener.process import die_with_parent
from event_listener.scans.worker import Worker, scanner_for
from event_listener.store import open_store
die_with_parent(int(sys.argv[2]))
settings = config_file.load(sys.argv[1])
with open_store(settings.state_dir) as store:
    Worker(scanner_for(settings.sinks.qualys[0]), settings.sinks.qualys[0], store).step()
"""


def test_osel_8_a_kill_between_launch_and_record_launches_nothing_twice(log, qualys, tmp_path):
    """SIGKILL while Qualys launches: the claim is on disk before Qualys is asked, so it is looked for afterwards."""
    scanning = Scanning(log, qualys_settings(qualys.url, tmp_path, timeout=0.5))
    change(log, 1, ["192.0.2.1"])
    scanning.tell()
    config = tmp_path / "config.yml"
    section = {**msgspec.to_builtins(scanning.settings), "networks": scanning.settings.networks}
    config.write_text(json.dumps({"state_dir": str(tmp_path / "state"), "sinks": {"qualys": [section]}}))
    working = subprocess.Popen([sys.executable, "-c", WORKING, str(config), str(os.getpid())])
    qualys.in_flight = working.kill
    assert working.wait(60) == -signal.SIGKILL
    wait_until(qualys.launches, "launched", 60)
    qualys.in_flight = lambda: None
    assert [job.state for job in scanning.jobs()] == ["launching"]
    (job,) = scanning.until("running")
    assert (len(qualys.launches()), job.attempts) == (1, 1)
    assert job.reference == qualys.launches()[0].reference


def test_osel_8_what_is_confirmed_is_scheduled_and_a_replay_schedules_nothing_twice(scanning, qualys, log):
    """osel kept an hour's batch in memory. A sink that is rewound, or a relay that repeats a batch, adds nothing."""
    for number in range(3):
        change(log, number, [f"192.0.2.{number}"])
        scanning.tell()
        scanning.seen = 0
        scanning.tell()
    assert sorted(job.addresses for job in scanning.jobs()) == [["192.0.2.0"], ["192.0.2.1"], ["192.0.2.2"]]
    scanning.until("running", 3)
    assert len(qualys.launches()) == 3


def test_a_block_is_obeyed_and_outlives_a_restart(scanning, qualys, log):
    """409 with X-RateLimit-ToWait-Sec: nothing is asked until then, whoever asks (osel only printed it)."""
    change(log, 1, ["192.0.2.1"])
    scanning.tell()
    qualys.faults = [Blocked(3000)]
    scanning.worker.step()
    seconds, why = log.scans.paused("qualys")
    assert 2900 < seconds <= 3000
    assert "1965" in why
    scanning.restart()
    assert not scanning.worker.step()
    assert len(qualys.calls) == 1
    (job,) = scanning.jobs("scheduled")
    assert "cannot be run again" in job.error
    assert not scanning.told("ScanFailed")


def test_a_block_without_a_time_waits_too(scanning, qualys, log):
    change(log, 1, ["192.0.2.1"])
    scanning.tell()
    qualys.faults = [Blocked(None, 1960)]
    scanning.worker.step()
    assert 50 < log.scans.paused("qualys")[0] <= 60


def test_after_the_wait_it_is_launched_once(scanning, qualys, log):
    change(log, 1, ["192.0.2.1"])
    scanning.tell()
    qualys.faults = [Blocked(1)]
    scanning.until("running")
    assert len(qualys.launches()) == 1


def test_calls_are_left_to_others_of_the_subscription(log, qualys, tmp_path):
    """osel's min_remaining said that it halts, and halted nothing."""
    scanning = Scanning(log, qualys_settings(qualys.url, tmp_path, min_remaining=10))
    qualys.limit = 11
    change(log, 1, ["192.0.2.1"])
    scanning.tell()
    scanning.until("running")
    assert not scanning.worker.step()
    seconds, why = log.scans.paused("qualys")
    assert 7000 < seconds < 8000  # a day's window of eleven calls
    assert "min_remaining" in why


@pytest.mark.parametrize(
    ("state", "ends"), [("Canceled", "failed"), ("Error", "failed"), ("Finished", "completed"), ("gone", "failed")]
)
def test_how_a_scan_ends_is_how_qualys_says(scanning, qualys, log, state, ends):
    """A failure is Completed at level ERROR, as CloudStack has it, and its reason is in ``error``."""
    change(log, 1, ["192.0.2.1"])
    scanning.tell()
    scanning.until("running")
    (scan,) = qualys.launches()
    qualys.states[scan.reference] = state
    if state == "gone":
        qualys.scans.clear()
    (job,) = scanning.until(ends)
    (last,) = scanning.told("ScanFailed", "ScanCompleted")
    assert last.state is State.COMPLETED
    assert (last.level is Level.ERROR, bool(job.error)) == (ends == "failed",) * 2
    assert details(last)["scan"]["reference"] == scan.reference


@pytest.mark.parametrize("state", ["Running", "Queued", "Loading", "Paused"])
def test_a_scan_that_isnt_over_stays_one_that_runs(scanning, qualys, log, state):
    change(log, 1, ["192.0.2.1"])
    scanning.tell()
    scanning.until("running")
    qualys.states[qualys.launches()[0].reference] = state
    asked = len(qualys.calls)
    wait_until(lambda: scanning.worker.step() and len(qualys.calls) > asked + 1, "polled twice", 60)
    assert [job.state for job in scanning.jobs()] == ["running"]


def test_what_qualys_refuses_is_told_and_can_be_asked_for_again(log, qualys, tmp_path):
    """Its sentence and code are the error; the scan isn't tried again until an operator says so."""
    scanning = Scanning(log, qualys_settings(qualys.url, tmp_path, option_profile="Wrong"))
    change(log, 1, ["192.0.2.1"])
    scanning.tell()
    (job,) = scanning.until("failed")
    assert "code 1905): parameter option_title has invalid value: Wrong" in job.error
    assert details(scanning.told("ScanFailed")[0])["scan"]["error"] == job.error
    assert not scanning.worker.step()
    assert log.scans.again(job.id)
    assert not log.scans.again(job.id)
    scanning = Scanning(log, qualys_settings(qualys.url, tmp_path))
    (job,) = scanning.until("running")
    assert (job.attempts, len(scanning.told("ScanStarted"))) == (2, 1)


def test_wrong_credentials_are_tried_once_and_never_shown(log, qualys, tmp_path, caplog):
    """A wrong password that is tried on locks the account."""
    (tmp_path / "qualys-password").write_text("not it, Zx9-Very.Secret!")
    scanning = Scanning(log, qualys_settings(qualys.url, tmp_path))
    change(log, 1, ["192.0.2.1"])
    scanning.tell()
    with caplog.at_level(logging.DEBUG):
        scanning.worker.step()
    assert not any(scanning.worker.step() for _ in range(20))
    assert len(qualys.calls) == 1
    (job,) = scanning.jobs("scheduled")
    assert "check username and password" in job.error
    (tmp_path / "qualys-password").write_text(PASSWORD)
    scanning.restart()  # an operator changed it
    scanning.until("running")
    shown = caplog.text + json.dumps([one.record for one in scanning.told()]) + str(scanning.jobs())
    assert PASSWORD not in shown


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault",
    [
        Says(502, b"<html>bad gateway</html>", acts=True),
        Says(200, b"<html>portal</html>", acts=True),
        Says(200, b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><SIMPLE_RETURN>&a;</SIMPLE_RETURN>', acts=True),
        Says(500, simple(999, "Internal Error"), acts=True),
    ],
)
def test_an_answer_that_isnt_qualys_own_is_no_reason_to_launch_twice(log, qualys, tmp_path, fault):
    """A proxy or a portal in between: whether Qualys has the scan is found out, not guessed."""
    scanning = Scanning(log, qualys_settings(qualys.url, tmp_path, timeout=0.5))
    change(log, 1, ["192.0.2.1"])
    scanning.tell()
    qualys.faults = [fault, Says(200, b"<html>portal</html>"), Says(503)]  # nor is the list's
    scanning.until("running")
    assert len(qualys.launches()) == 1


def test_a_scanner_that_is_down_is_waited_for(log, tmp_path):
    """Nothing was sent, so nothing is in doubt; and the lane is not kept waiting."""
    with Qualys() as gone:
        url = gone.url
    scanning = Scanning(log, qualys_settings(url, tmp_path))
    change(log, 1, ["192.0.2.1"])
    assert scanning.tell() == Ok()
    assert scanning.worker.step()
    assert [(job.state, job.asked_ns) for job in scanning.jobs()] == [("scheduled", 0)]
    assert not scanning.told("ScanUnsure", "ScanFailed")


def test_more_addresses_than_one_scan_may_have_are_several_scans(log, qualys, tmp_path):
    scanning = Scanning(log, qualys_settings(qualys.url, tmp_path, max_addresses=2, max_scans_per_day=2))
    change(log, 1, [f"192.0.2.{number}" for number in range(1, 6)])
    scanning.tell()
    scanning.until("running", 2)
    for _ in range(20):
        scanning.worker.step()
    assert [len(scan.addresses) for scan in qualys.launches()] in ([2, 2], [2, 1], [1, 2])
    assert len(scanning.jobs("scheduled")) == 1  # for tomorrow


def test_two_relays_launch_a_scan_once(log, qualys, tmp_path):
    """The database says who does it."""
    scanning = Scanning(log, qualys_settings(qualys.url, tmp_path, poll_interval=60.0))
    for number in range(4):
        change(log, number, [f"192.0.2.{number}"])
        scanning.tell()
    others = [Scanning(log, scanning.settings) for _ in range(2)]
    threads = [threading.Thread(target=other.until, args=("running", 4)) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert sorted(scan.addresses[0] for scan in qualys.launches()) == [f"192.0.2.{number}" for number in range(4)]


def test_a_paused_sink_launches_nothing(scanning, qualys, log):
    change(log, 1, ["192.0.2.1"])
    scanning.tell()
    log.cursors.pause("qualys")
    assert not scanning.worker.step()
    log.cursors.resume("qualys")
    scanning.until("running")
    assert len(qualys.launches()) == 1


def test_a_dry_run_asks_nobody_and_is_told(log, qualys, tmp_path):
    scanning = Scanning(log, qualys_settings(qualys.url, tmp_path, dry_run=True))
    change(log, 1, ["192.0.2.1"])
    scanning.tell()
    assert not scanning.worker.step()
    assert not qualys.calls
    (told,) = scanning.told()
    assert (told.type, details(told)["scan"]["dry_run"]) == ("RedfleetEvents.ScanCompleted", True)
    assert "dry run" in told.message


def test_without_networks_nobody_is_scanned(log, qualys, tmp_path):
    """The default: tenants may use any address, and strangers aren't scanned."""
    scanning = Scanning(log, qualys_settings(qualys.url, tmp_path, networks=[]))
    assert any("networks is empty" in problem for problem in scanning.sink.problems(scanning.settings))
    change(log, 1, ["192.0.2.1", "8.8.8.8"])
    scanning.tell()
    assert not scanning.jobs()


def test_a_scan_causes_no_other(scanning, log):
    """What is told of a scan names addresses, and goes to the sinks like any event."""
    change(log, 1, ["192.0.2.1"])
    scanning.tell()
    scanning.until("running")
    scanning.tell()
    assert not any(affected(one) for one in scanning.told())
    assert len(scanning.jobs()) == 1


ANY = st.sampled_from([*[f"192.0.2.{n}" for n in range(1, 9)], SIX, "203.0.113.1", "::ffff:192.0.2.1"])


@given(st.lists(st.lists(ANY), max_size=6), st.booleans(), st.integers(1, 4))
def test_each_allowed_address_is_in_one_scan_and_no_other_is(groups, drop6, most):
    """Whatever the changes: exactly the affected addresses within the networks, in scans of at most so many."""
    settings = http_settings("http://localhost/", drop6=drop6, max_addresses=most)
    events = [made(seq, addresses) for seq, addresses in enumerate(groups, 1)]
    planned = plan(events, settings)
    scanned = [address for scan in planned.scans for address in scan.addresses]
    wanted = {address.removeprefix("::ffff:") for group in groups for address in group if address != "203.0.113.1"}
    assert sorted(scanned) == sorted(wanted - {SIX} if drop6 else wanted)
    assert all(1 <= len(scan.addresses) <= most for scan in planned.scans)
    assert planned == plan(events, settings)


def made(seq, addresses):
    return Event(seq=seq, id=f"own-{seq:024x}-0-0", source="s", address="event-listener", received_ns=1, payload_id=1,
                 type="A.B", record={"Oem": {"redfleet": {KEY: addresses}}})  # fmt: skip
