# SPDX-License-Identifier: GPL-3.0-or-later
"""What is deleted reaches nobody any more who hasn't got it yet: no sink, webhook, stream, replay or report.

From the mark on, long before the purge removes it; on each database.
"""

import io
import threading

import pytest
from event_listener import file_replay
from event_listener.alert_rules import Rulebook
from event_listener.event import Level, Record
from event_listener.feed import Everything
from event_listener.lanes import Wake, lane_for
from event_listener.policy import Owner
from event_listener.settings import Settings
from event_listener.settings_alerts import AlertSettings
from event_listener.sinks.base import Ok, Retry
from event_listener.store import Actor, Deed, DeliveryQuery, Query
from event_listener.webhooks import render

from tests.services.service import wait_until
from tests.unit.listener.stores import JOURNAL, arrival, write
from tests.unit.listener.webhook_kit import make

ADA = Actor("ada", "tests")


def delete(store, *numbers, index=0):
    ids = tuple(f"{JOURNAL}-{number}-{index}" for number in numbers)
    assert store.deeds.do(Deed.DELETE, Query(id=ids), ADA, Owner()) == len(ids)


def seqs(units):
    return [unit.journal_seq if hasattr(unit, "journal_seq") else int(unit.id.split("-")[1]) for unit in units]


def of_bmcs(units):
    return seqs(unit for unit in units if unit.address != "event-listener")


def test_readers_of_the_log_pass_over_it(emptied):
    """Sinks, webhooks, streams and the test of routes all read so; the cursor passes it with what follows."""
    write(emptied, *(arrival(number) for number in range(1, 7)))
    delete(emptied, 2, 3, 6)
    assert of_bmcs(emptied.log.read_events_after(0, 100)) == [1, 4, 5]
    assert of_bmcs(emptied.log.read_events_after(0, 2)) == [1, 4], "a batch is filled, else it looked like the end"
    assert emptied.log.read_events_after(5, 100)[-1].seq == emptied.log.head(), "the ActionEvent of it comes after it"


def test_what_is_archived_is_still_sent(emptied):
    write(emptied, arrival(1), arrival(2))
    emptied.deeds.do(Deed.ARCHIVE, Query(id=(f"{JOURNAL}-1-0",)), ADA, Owner())
    assert of_bmcs(emptied.log.read_events_after(0, 100)) == [1, 2]


def test_the_text_log_gets_a_post_while_one_of_its_events_is_left(emptied):
    """It is written as it came, or not at all. What told of no event is written."""
    both = (Record(type="A.B", record={}), Record(type="C.D", record={}))
    write(emptied, arrival(1, records=both), arrival(2, records=both), arrival(3, records=()), arrival(4))
    delete(emptied, 1, 2)
    delete(emptied, 2, index=1)
    assert of_bmcs(emptied.log.read_payloads_after(0, 100)) == [1, 3, 4]


@pytest.mark.parametrize("name", ["text_log", "json_lines"])
def test_a_replay_into_a_file_has_none_of_it(emptied, tmp_path, name):
    write(emptied, *(arrival(number, body=b'{"Events": [{"Message": "m%d"}]}' % number) for number in (1, 2, 3)))
    delete(emptied, 1, 2)
    out = io.BytesIO()
    file_replay.write(Settings(state_dir=str(tmp_path)), emptied, name, 0, 0, "bmc1", out)
    assert (b"m3" in out.getvalue(), b"m1" in out.getvalue(), b"m2" in out.getvalue()) == (True, False, False)


class Refusing:
    """A sink whose peer is away until told otherwise."""

    name, unit = "central", "event"

    def __init__(self):
        self.tried, self.sent, self.works = 0, [], False

    def send(self, batch):
        self.tried += 1
        if not self.works:
            return Retry("away", after=0.05)
        self.sent += batch
        return Ok()

    def close(self):
        pass


def test_a_lane_that_waits_for_its_peer_forgets_it(emptied):
    """Read before it was deleted, refused again and again: what is sent at last is what is left."""
    sink, wake, stop = Refusing(), Wake(), threading.Event()
    write(emptied, arrival(1), arrival(2), arrival(3))
    emptied.cursors.begin("sink:central", 0)
    lane = lane_for(sink, emptied, "test", wake, stop, 100, Everything())
    lane.start()
    try:
        wait_until(lambda: sink.tried > 1, "it is tried", 60)
        delete(emptied, 2)
        later = sink.tried + 2  # the one that is under way may have read it before
        wait_until(lambda: sink.tried >= later, "it is tried again", 60)
        sink.works = True
        wait_until(lambda: emptied.cursors.get("sink:central") == emptied.log.head(), "all is sent", 60)
    finally:
        stop.set()
        wake.tell()
        lane.join()
    assert of_bmcs(sink.sent) == [1, 3]


def test_a_webhook_that_waits_sends_none_of_it(emptied):
    """What is to be sent is removed with the mark, and what was read before it isn't made a delivery of."""
    hook = make(emptied, scope="Global")
    write(emptied, arrival(1), arrival(2))
    lease = emptied.cursors.acquire("webhooks", "test", 60)
    place, events = emptied.webhooks.place(hook.id).position, emptied.log.read_events_after(0, 100)
    one, two = [render.delivery(hook, event, 1) for event in events if event.address != "event-listener"]
    emptied.deliveries.expand(lease, {hook.id: place}, place + 1, [one])
    delete(emptied, 1, 2)
    assert emptied.deliveries.due(hook.id, 2**62, 10) == []
    emptied.deliveries.expand(lease, {hook.id: place + 1}, place + 2, [two])
    assert emptied.deliveries.find(DeliveryQuery(webhook=hook.id)) == ([], None)


def test_no_alert_is_raised_by_it(emptied):
    reader = emptied.alerts.reader(Rulebook(AlertSettings()))
    reader.reader.begin()
    failed = Record(type="Fan.Failed", level=Level.ERROR, resource_id="/fan", message="m", record={})
    write(emptied, arrival(1, records=(failed,)))
    delete(emptied, 1)
    while reader.follow():
        pass
    assert emptied.alerts.open_counts() == {}
