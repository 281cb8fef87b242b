# SPDX-License-Identifier: GPL-3.0-or-later
"""What a BMC says once more is kept and marked."""

import contextlib
import json
import time

import pytest
from event_listener.indexer import Indexer
from event_listener.journal import Entry, Journal
from event_listener.repeats import Recent, fingerprint
from event_listener.routes import UNKNOWN, selector_for
from event_listener.settings_bus import Publish, Route
from event_listener.store import open_store

RECORD = {"EventId": "7", "MessageId": "A.1.0.B", "Message": "fan", "MemberId": "0", "EventTimestamp": "t"}
SECOND = 1_000_000_000


def test_what_makes_a_repeat():
    """Same source and content; what belongs to the delivery doesn't count, and there must be an identity."""
    same = fingerprint("bmc1", RECORD)
    assert same == fingerprint("bmc1", {**RECORD, "MemberId": "3", "Context": "other"})
    others = [{**RECORD, "Message": "other"}, {**RECORD, "EventId": "8"}, {**RECORD, "EventTimestamp": "u"}]
    assert same not in [fingerprint("bmc2", RECORD), *(fingerprint("bmc1", other) for other in others)]
    huge = {**RECORD, "Value": 10**30}
    assert fingerprint("bmc1", huge) == fingerprint("bmc1", json.loads(json.dumps(huge))) != same
    nameless = {"MessageId": "A.1.0.B", "Message": "fan", "EventId": None, "EventTimestamp": ""}
    assert [fingerprint("bmc1", record) for record in (nameless, {}, [], "text", None)] == [None] * 5


def test_the_window_is_since_it_was_last_said():
    """A repeat names the first event; after a longer pause it is news, as it is when the clock jumps."""
    recent = Recent(600, 100)
    ask = lambda event_id, at: recent.repeats("bmc1", RECORD, event_id, at * SECOND)  # noqa: E731 - says it once
    assert ask("e1", 1000) is None
    assert ask("e1", 1000) is None, "the same event again, after it could not be stored"
    assert ask("e2", 1500) == "e1"
    assert ask("e3", 2100) == "e1"
    assert ask("e4", 2701) is None
    assert ask("e5", 2702) == "e4"
    assert ask("e6", 100) is None


def test_memory_is_bounded():
    """The oldest events are forgotten first, and those that are too old at once."""
    recent = Recent(600, 3)
    for number in range(5):
        recent.note("bmc1", {"EventId": number}, f"e{number}", number)
    assert len(recent._known) == 3
    assert recent.repeats("bmc1", {"EventId": 0}, "new", 5) is None
    assert recent.repeats("bmc1", {"EventId": 4}, "new", 5) == "e4"
    recent.note("bmc1", {"EventId": 9}, "e9", 700 * SECOND)
    assert len(recent._known) == 1
    assert Recent(0, 3).repeats("bmc1", RECORD, "e1", 1) is None


@pytest.fixture
def listener(tmp_path):
    """Posts to a journal and indexes it; `restart` is what a crash of the relay leaves."""

    class Listener:
        def __init__(self):
            self.journal, self.store = Journal(tmp_path), open_store(tmp_path)
            self.restart()

        def restart(self):
            self.indexer = Indexer(tmp_path, self.store, 100, Recent(600, 1000))

        def post(self, *records, source="bmc1"):
            body = json.dumps({"Id": str(time.time_ns()), "Events": records}).encode()
            self.journal.append([Entry(time.time_ns(), source, "192.0.2.1", "c", "application/json", "ok", "", body)])
            while self.indexer.step():
                pass

        @property
        def events(self):
            return self.store.log.read_events_after(0, 100)

    found = Listener()
    yield found
    found.indexer.close()
    found.journal.close()
    found.store.close()


def test_repeats_are_marked_in_the_log_over_restarts(listener):
    """Never dropped; routes can leave them out."""
    listener.post(RECORD, {**RECORD, "EventId": "8", "MemberId": "1"})
    listener.post(RECORD)
    listener.post(RECORD, source="bmc2")
    listener.restart()
    listener.post({**RECORD, "MemberId": "5"}, {"MessageId": "A.1.0.B"}, {"MessageId": "A.1.0.B"})
    first = listener.events[0].id
    assert [event.repeat_of for event in listener.events] == [None, None, first, None, first, None, None]
    route = Route(name="news", sinks=["s"], where="!repeat_of")
    news = selector_for("s", [route], Publish()).chosen(listener.events, {"": UNKNOWN})
    assert [event.repeat_of for event in news] == [None] * 5


def test_what_another_listener_heard_is_known(listener, tmp_path):
    """Of listeners that share an event log one may get the event, another one its repeat."""
    listener.post(RECORD)
    listener.store.place = "a host of several"
    with contextlib.closing(Journal(tmp_path / "other")) as other:
        body = json.dumps({"Events": [{**RECORD, "EventId": "9"}]}).encode()
        other.append([Entry(time.time_ns(), "bmc1", "192.0.2.1", "c", "application/json", "ok", "", body)])
        elsewhere = Indexer(tmp_path / "other", listener.store, 100, Recent(600, 1000))
        elsewhere.step()
        elsewhere.close()
    listener.post({**RECORD, "EventId": "9"})
    assert [event.repeat_of for event in listener.events] == [None, None, listener.events[1].id]
