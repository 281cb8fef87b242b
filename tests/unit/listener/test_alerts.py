# SPDX-License-Identifier: GPL-3.0-or-later
"""Events raise and resolve alerts: once, however the log is read; what is sent of them, and what is done by hand."""

import re
import time
from pathlib import Path

import msgspec
import pytest
from event_listener import config_file
from event_listener.alert_rules import Rulebook
from event_listener.bookkeeper import Bookkeeper
from event_listener.event import Category, Level, Origin, Record
from event_listener.policy import Owner
from event_listener.routes import Selector
from event_listener.settings_alerts import AlertPurge, AlertRule, AlertSettings, JobSettings
from event_listener.settings_bus import Publish
from event_listener.store import AlertQuery, AlertsRefusedError, Query, Store
from event_listener.store.actions import Actor, record, told
from event_listener.store.own import own_arrival
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.listener.stores import arrival

ROOT = Path(__file__).parents[3]
SECOND = 1_000_000_000
ADA = Actor("ada", "192.0.2.1")
FAN, DISK = "/redfish/v1/Chassis/1/Thermal#/Fans/0", "/redfish/v1/Systems/1/Storage/1/Drives/2"


@pytest.fixture
def store(emptied):
    return emptied


def critical(resource=FAN, event_type="Vendor.FanFailed", level=Level.ERROR, **fields):
    return Record(
        category=Category.ALERT, type=event_type, level=level, resource_id=resource, message="It failed.", record={},
        **fields,
    )  # fmt: skip


def healthy(resource=FAN):
    return Record(type="ResourceEvent.ResourceStatusChangedOK", resource_id=resource, state_of="health", new_state="OK",
                  record={})  # fmt: skip


class Log:
    """A log that events are put into, and a reader with some rules."""

    def __init__(self, store, **rules):
        self.store, self.settings = store, AlertSettings(**rules)
        self.reader = self.new_reader()
        self.now = time.time_ns()

    def new_reader(self):
        """What another relay, or a restart, has."""
        found = self.store.alerts.reader(Rulebook(self.settings))
        found.reader.begin()
        return found

    def append(self, *found, source="bmc1", **fields):
        self.now += SECOND
        number = self.store.log.payload_head() + 1
        one = msgspec.structs.replace(arrival(number, source=source, records=found, **fields), received_ns=self.now)
        self.store.log.add([msgspec.structs.replace(one, journal_id=f"j{number}")])

    def put(self, *found, **fields):
        self.append(*found, **fields)
        return self.follow()

    def follow(self, reader=None):
        while (reader or self.reader).follow():
            pass
        return self.alerts()

    def alerts(self, **asked):
        return self.store.alerts.find(AlertQuery(limit=1000, **asked))[0]

    def told(self):
        events = self.store.queries.find(Query(order="asc", limit=1000)).events
        return [event for event in events if event.type.startswith("RedfleetEvents.Alert")]

    def words(self):
        return [event.type.removeprefix("RedfleetEvents.Alert") for event in self.told()]


def test_an_incident(store):
    """Opened by the first event, counted, sent once, resolved when the resource is well; the next one is another."""
    log = Log(store)
    (first,) = log.put(critical())
    assert (first.rule, first.state, first.level, first.count, first.sent) == ("hardware", "open", "ERROR", 1, 1)
    (again,) = log.put(critical(), critical())
    assert (again.id, again.count, again.sent, again.first_ns) == (first.id, 3, 1, first.first_ns)
    assert again.last_ns > first.last_ns
    assert log.put(healthy(DISK))[0].state == "open", "another resource"
    assert log.put(healthy(), source="bmc2")[0].state == "open", "another source"
    (over,) = log.put(healthy())
    assert over.state == "resolved"
    assert store.queries.get(over.resolved_by).type == "ResourceEvent.ResourceStatusChangedOK"
    fresh, old = log.put(critical())
    assert (old, fresh.state, fresh.count) == (over, "open", 1)
    assert log.words() == ["Raised", "Cleared", "Raised"]


def test_what_is_sent(store):
    """An event of the listener's own, so that every sink can have it; administrators', not the account's."""
    log = Log(store)
    log.put(critical(), owner=Owner("/dc1/", "web"))
    (event,) = log.told()
    (alert,) = log.alerts()
    assert (event.source, event.category, event.level, event.origin) == ("bmc1", "AlertEvent", "ERROR", Origin.LIVE)
    assert (event.domain, event.account) == ("/dc1/", None)
    assert event.message == f"Alert hardware of bmc1 {FAN}: It failed."
    assert (event.resource_type, event.resource_id) == ("Alert", alert.id)
    assert event.record["Oem"]["redfleet"]["event"] == alert.first_event
    assert log.follow() == [alert], "and raises none itself"


def test_important_ones_are_sent_each_time(store):
    """As CloudStack does with "Host down"; others once until they are resolved."""
    rules = [AlertRule(name="hosts", types=["Host.*"], important=True), AlertRule(name="rest", types=["Fan.*"])]
    log = Log(store, rules=rules)
    for _turn in range(3):
        log.put(critical("h", "Host.Down"), critical("f", "Fan.Failed"))
    assert [(alert.rule, alert.count, alert.sent) for alert in log.alerts()] == [("rest", 3, 1), ("hosts", 3, 3)]
    assert log.words() == ["Raised"] * 4


def test_resolved_by_hand_is_armed_again(store):
    """In CloudStack an alert of most types is suppressed for ever, also after it was resolved."""
    log = Log(store)
    (alert,) = log.put(critical())
    assert store.alerts.act("resolve", AlertQuery(id=(alert.id,)), ADA) == 1
    assert [(one.state, one.resolved_by) for one in log.put()] == [("resolved", "ada")]
    log.put(critical())
    assert [one.state for one in log.alerts()] == ["open", "resolved"]
    assert log.words() == ["Raised", "Cleared", "Raised"]


@pytest.mark.parametrize("deed", ["archive", "delete"])
def test_archived_and_deleted_ones_are_armed_too(store, deed):
    """And who was told that it is open is told that it is over."""
    log = Log(store)
    (alert,) = log.put(critical())
    assert store.alerts.act(deed, AlertQuery(id=(alert.id,)), ADA, check=True) == 1
    assert [one.state for one in log.alerts()] == ["open"]
    assert store.alerts.act(deed, AlertQuery(id=(alert.id,)), ADA) == 1
    assert log.alerts() == []
    assert [one.id for one in log.alerts(archived=True)] == ([alert.id] if deed == "archive" else [])
    assert [one.count for one in log.put(critical())] == [1]
    assert log.words() == ["Raised", "Cleared", "Raised"]


def test_all_or_nothing(store):
    """One that isn't there, or is out of reach, and nothing is changed; what is so already isn't counted."""
    log = Log(store)
    log.put(critical(FAN), critical(DISK))
    ids = tuple(alert.id for alert in log.alerts())
    with pytest.raises(AlertsRefusedError, match="there is no alert nothing; nothing was changed"):
        store.alerts.act("delete", AlertQuery(id=(*ids, "nothing")), ADA)
    assert len(log.alerts()) == 2
    assert store.alerts.act("acknowledge", AlertQuery(id=ids[:1]), ADA) == 1
    assert store.alerts.act("acknowledge", AlertQuery(id=ids), ADA) == 1
    assert {alert.acknowledged_by for alert in log.alerts()} == {"ada"}
    assert store.alerts.act("resolve", AlertQuery(rule=("hardware",)), ADA) == 2
    assert store.alerts.act("resolve", AlertQuery(rule=("hardware",)), ADA) == 0
    deeds = store.queries.find(Query(category=("ActionEvent",), order="asc")).events
    assert [event.type for event in deeds] == ["ALERT.ACKNOWLEDGE", "ALERT.ACKNOWLEDGE", "ALERT.RESOLVE"]
    assert deeds[2].record["Oem"]["redfleet"] == {
        "actor": "ada", "from": "192.0.2.1", "affected": 2, "alerts": sorted(ids, key=ids.index, reverse=True)
    }  # fmt: skip


def test_what_raises_nothing(store):
    """Tests, imports, backfills, repeats, and what a rule ignores."""
    log = Log(store, rules=[AlertRule(name="noise", types=["Vendor.Fan*"], where="resource_id=='x'", ignore=True)])
    for origin in (Origin.TEST, Origin.IMPORT, Origin.BACKFILL):
        log.put(critical(), origin=origin)
    log.put(critical(), repeats=("a-1-0",))
    log.put(critical("x"), critical(level=Level.WARN), healthy())
    assert log.alerts() == []
    assert [alert.resource_id for alert in log.put(critical("y"))] == ["y"]


def test_the_first_rule_that_holds_is_the_events(store):
    """The configuration's before those that are there; a rule of the same name replaces one; an expression may fail."""
    rules = [
        AlertRule(name="broken", types=["Vendor.*"], where="contains(start_id, 'x')"),
        AlertRule(name="hardware", levels=[Level.WARN], categories=[Category.ALERT], cleared_by=["Vendor.*Back"]),
        AlertRule(name="disks", where=f"resource_id=='{DISK}'", health_clears=False),
    ]
    log = Log(store, rules=rules)
    log.put(critical(), critical(DISK), critical(level=Level.WARN))
    assert {(alert.rule, alert.resource_id) for alert in log.alerts()} == {("disks", DISK), ("hardware", FAN)}
    log.put(healthy(DISK), Record(type="Vendor.FanBack", resource_id=FAN, record={}))
    assert {alert.rule: alert.state for alert in log.alerts()} == {"disks": "open", "hardware": "resolved"}


def test_a_count_within_a_time(store):
    """Three within a minute; what was too long ago doesn't count, and what doesn't count isn't seen."""
    log = Log(store, rules=[AlertRule(name="many", types=["Link.*"], count=3, within=60, cleared_by=["Up"])])
    flap = critical("link", "Link.Down")
    log.put(flap)
    log.put(flap)
    log.now += 100 * SECOND
    assert log.put(flap) == []
    assert log.put(flap) == []
    assert log.words() == []
    (alert,) = log.put(flap)
    assert (alert.count, alert.sent) == (3, 1)
    log.put(Record(type="Up", resource_id="link", record={}))
    log.put(flap)
    log.put(flap)
    log.put(Record(type="Up", resource_id="link", record={}))
    assert [one.state for one in log.put(flap)] == ["resolved"]


def test_a_source_that_invents_resources_is_bounded(store):
    """Above the limit one alert stands for all that follow; other sources have their own limit."""
    log = Log(store, max_open_per_source=3)
    for turn in range(4):
        log.put(*(critical(f"r{turn}-{number}") for number in range(5)))
    log.put(critical(), source="bmc2")
    found = {alert.resource_id: alert.count for alert in log.alerts(source=("bmc1",))}
    assert found == {"r0-0": 1, "r0-1": 1, "r0-2": 1, None: 17}
    assert len(log.alerts(source=("bmc2",))) == 1
    log.put(healthy("r0-0"))
    store.alerts.act("resolve", AlertQuery(type=("several",)), ADA)
    log.put(critical("new"))
    left = log.alerts(source=("bmc1",), state=("open",))
    assert {alert.resource_id for alert in left} == {"r0-1", "r0-2", "new"}


STEPS = st.lists(
    st.tuples(st.sampled_from(["raise", "clear", "warn", "cut", "restart"]), st.sampled_from([FAN, DISK])), max_size=12
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_how_the_log_is_read_does_not_matter(store, steps):
    """In one batch, in many, by two relays or after a restart: the same alerts, the same events, once each."""
    rules = {
        "rules": [AlertRule(name="warned", levels=[Level.WARN], count=2, important=True)],
        "max_open_per_source": 2,
    }
    makes = {"raise": critical, "clear": healthy, "warn": lambda resource: critical(resource, level=Level.WARN)}
    seen = {}
    for cut in (False, True):
        name = f"bmc{store.log.head()}-{cut}"
        log = Log(store, **rules)
        other = log.new_reader()
        for step, resource in steps:
            if step in makes:
                log.append(makes[step](resource), source=name)
            elif cut and step == "cut":
                log.follow()
                log.follow(other)
            elif cut:
                log.reader = log.new_reader()
        log.follow(other)
        log.follow()
        alerts = [
            (one.rule, one.resource_id, one.state, one.level, one.count, one.sent) for one in log.alerts(source=(name,))
        ]
        seen[cut] = alerts, [event.type for event in log.told() if event.source == name]
    assert seen[True] == seen[False]


def test_a_clash_of_two_relays(store):
    """Both read the same and one was faster: the other's work doesn't count, nor does it tell."""
    log = Log(store)
    other = log.new_reader()
    log.append(critical())
    batch = other.reader.read()
    log.follow()
    assert other.reader.take(batch, lambda _connection: pytest.fail("it was taken already")) is False
    other.follow()
    assert [(alert.count, alert.sent) for alert in log.alerts()] == [(1, 1)]
    assert log.words() == ["Raised"]


def failing(store, name="syslog", state="retrying"):
    store.cursors.report(name, "event", state, "connection refused" if state == "retrying" else "")


class Clock:
    def __init__(self):
        self.now, self.passed = time.time_ns(), 100.0

    def __call__(self):
        return self.now, self.passed

    def wait(self, seconds):
        self.now += int(seconds * SECOND)
        self.passed += seconds


def keeper(store, clock, **alert):
    found = Bookkeeper(store, JobSettings(), AlertSettings(**alert), lambda: False, clock)
    found.begin()
    return found


def turn(*keepers):
    for one in keepers:
        one.judge()
    for one in keepers:
        while one.follow():
            pass


def test_what_the_listener_finds_itself(store):
    """A silent source, a job that hangs, a sink that fails, guessed passwords: each has a rule, three resolve it."""
    clock, log = Clock(), Log(store)
    two = [keeper(store, clock), keeper(store, clock)]
    started = Record(category=Category.ASYNC_JOB, type="x.start", start_id="r1", record={})
    with_time = msgspec.structs.replace(arrival(1, records=(started,)), received_ns=clock.now, journal_id="a")
    store.log.add(
        [with_time, own_arrival("SourceSilent", "", unique="1", now_ns=clock.now, about="bmc7", level=Level.WARN)]
    )
    failing(store)
    with store._backend.write() as connection:
        for _try in range(3):
            record(connection, told(Actor("bob", "x"), "USER.LOGIN", ("User", "bob"), Owner(), failed="wrong password"))
        record(connection, told(Actor("eve", "x"), "USER.LOGIN", ("User", "eve"), Owner(), failed="wrong password"))
    clock.wait(299)
    turn(*two)
    assert {alert.rule for alert in log.alerts()} == {"source-silent", "failed-logins"}
    clock.wait(4000)
    for _look in range(2):
        turn(*two)
    assert {(alert.rule, alert.source, alert.level) for alert in log.alerts()} == {
        ("source-silent", "bmc7", "WARN"),
        ("failed-logins", "event-listener", "ERROR"),
        ("job-hangs", "bmc1", "WARN"),
        ("sink-fails", "event-listener", "ERROR"),
    }
    assert log.words() == ["Raised"] * 4
    failing(store, state="ok")
    ended = Record(category=Category.ASYNC_JOB, type="x.end", start_id="r1", record={})
    store.log.add([msgspec.structs.replace(arrival(2, records=(ended,)), received_ns=clock.now, journal_id="b")])
    store.log.add([own_arrival("SourceBack", "", unique="2", now_ns=clock.now, about="bmc7")])
    with store._backend.write() as connection:
        record(connection, told(Actor("bob", "x"), "USER.LOGIN", ("User", "bob"), Owner()))
    turn(*two)
    assert [alert.rule for alert in log.alerts(state=("open",))] == ["failed-logins"], (
        "a guess that succeeds is no good news"
    )
    assert log.words().count("Cleared") == 3


def test_a_sink_that_is_no_longer_configured(store):
    """It fails no more; one that is paused never did."""
    clock, log = Clock(), Log(store)
    one = keeper(store, clock)
    failing(store, "old")
    failing(store, "held", "paused")
    clock.wait(301)
    turn(one)
    assert [alert.resource_id for alert in log.alerts()] == ["old"]
    store.cursors.forget_lanes({"held"})
    turn(one)
    assert [alert.state for alert in log.alerts()] == ["resolved"]


def test_other_words_of_the_listener(store):
    """What it had to give up, and whatever else it warns of, is an alert until somebody has seen to it."""
    log = Log(store)
    store.log.add([own_arrival("EventsRefused", "lost", unique="x", now_ns=1, level=Level.ERROR)])
    assert [(alert.rule, alert.type) for alert in log.follow()] == [("listener", "RedfleetEvents.EventsRefused")]


def test_a_bmc_that_says_what_it_lost(store):
    """It dropped events, or ended our subscription; ids that jump prove nothing and raise nothing."""
    log = Log(store)
    said = [
        Record(type=f"Base.{key}", level=Level.WARN, resource_id=key, record={})
        for key in ("EventBufferExceeded", "SubscriptionTerminated", "Success")
    ]
    jump = [Record(type="OpenBMC.0.PowerSupply", event_id=number, record={}) for number in ("5", "4", "99")]
    found = log.put(*said, *jump)
    assert {(alert.rule, alert.type) for alert in found} == {
        ("events-lost", "Base.EventBufferExceeded"),
        ("events-lost", "Base.SubscriptionTerminated"),
    }
    log.put(healthy("EventBufferExceeded"))
    assert {alert.state for alert in log.alerts()} == {"open"}


def test_old_ones_are_removed(store):
    """CloudStack keeps archived ones for ever, and removes open ones; here both have a delay, and open ones stay."""
    clock, log = Clock(), Log(store)
    log.put(critical("open"), critical("over"), critical("kept"))
    store.alerts.act("resolve", AlertQuery(resource_id=("over",)), ADA)
    store.alerts.act("archive", AlertQuery(resource_id=("kept",)), ADA)

    def left(**purge):
        one = keeper(store, clock, purge=AlertPurge(**purge))
        one.judge()
        clock.wait(86401)
        one.judge()
        return {alert.resource_id for alert in [*log.alerts(), *log.alerts(archived=True)]}

    clock.wait(40 * 86400)
    assert left() == {"open", "over", "kept"}
    assert left(delay=1000, archived_delay=1000) == {"open", "over", "kept"}
    assert left(delay=30) == {"open", "kept"}
    assert left(archived_delay=30) == {"open"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("alert: {rules: [{name: all}]}", "alert.rules[0]: say at least one of levels, categories, types, where"),
        ("alert: {rules: [{name: a, where: 'x ='}]}", "alert.rules[0].where: not a JMESPath expression"),
        ("alert: {rules: [{name: a, types: [x]}, {name: a, types: [y]}]}", "alert.rules: the name a is given twice"),
        ("alert: {rules: [{name: a, tipes: [x]}]}", "did you mean alert.rules[0].types?"),
        ("alert: {default_rules: [weather]}", "alert.default_rules"),
    ],
)
def test_a_wrong_rule_is_one_sentence(text, sentence):
    """A rule that says nothing would make every event an alert."""
    with pytest.raises(config_file.ConfigError) as caught:
        config_file.parse(text, "/x.yml")
    assert sentence in str(caught.value)


def test_stores_share_nothing_but_the_log(store):
    """An alert that one relay opened is another's to resolve."""
    log = Log(store)
    log.put(critical())
    second = Log(Store(store._backend))
    second.put(healthy())
    assert [alert.state for alert in log.follow()] == ["resolved"]


def test_the_examples_of_the_docs(store):
    """Each is a configuration, and the route takes what is sent of alerts."""
    blocks = {}
    for page in ("alerts", "jobs"):
        text = (ROOT / "docs" / f"{page}.md").read_text()
        for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL):
            blocks[block.partition(":")[0]] = block
    assert set(blocks) == {"alert", "job", "routes", "groups"}
    assert len(config_file.parse(blocks["alert"]).alert.rules) == 3
    assert config_file.parse(blocks["job"]).job.purge.delay == 30
    sink = "sinks: {http: [{name: pager, url: 'https://pager.example/'}]}\n"
    routes = config_file.parse(sink + blocks["routes"]).routes
    log = Log(store)
    log.put(critical(), source="bmc1.example.net")
    log.put(healthy(), source="bmc1.example.net")
    taken = Selector(routes, Publish()).chosen(store.log.read_events_after(0, 9), {})
    assert [event.type for event in taken] == ["RedfleetEvents.AlertRaised", "RedfleetEvents.AlertCleared"]
