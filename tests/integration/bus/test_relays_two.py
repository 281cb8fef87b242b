# SPDX-License-Identifier: GPL-3.0-or-later
"""Two relays on one PostgreSQL feed one RabbitMQ: one is killed, the other takes over, a batch at most comes again."""

from __future__ import annotations

import time

import pytest

from tests.integration.bus.bus_harness import AmqpPeer, Received, assert_arrived
from tests.integration.bus.everywhere import PATIENCE, RelayProcess
from tests.services.service import wait_until

pytestmark = pytest.mark.slow

BATCH = 100


@pytest.fixture
def relays(tmp_path, rabbitmq, postgresql):
    peer = AmqpPeer(rabbitmq)
    sinks = peer.sinks(rabbitmq.address)
    sinks["amqp"][0]["batch"] = BATCH
    (tmp_path / "password").write_text(postgresql.password)
    url = postgresql.without_password(postgresql.new_database())
    event_log = {"url": url, "password": {"file": str(tmp_path / "password")}}
    with (
        RelayProcess(tmp_path / "one", sinks, event_log=event_log) as one,
        RelayProcess(tmp_path / "two", sinks, event_log=event_log) as two,
    ):
        yield peer, one, two


def holder(one, two):
    """The relay that runs the lane, by the process id in its lease; and the other one."""

    holders = []  # asked once: a moment later the lease may have ended

    def found():
        name = one.store.cursors.holder("bus")
        holders[:] = [relay for relay in (one, two) if name.endswith(f":{relay.process.pid}")]
        return holders

    wait_until(found, "one of them runs the lane", PATIENCE)
    (running,) = holders
    return running, two if running is one else one


def feed_both(one, two, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        one.feed(10)
        two.feed(10)
        time.sleep(0.05)


def test_the_other_relay_takes_over(relays):
    peer, one, two = relays
    feed_both(one, two, 1)
    killed, other = holder(one, two)
    wait_until(lambda: one.cursor("bus") > 0, "it works", PATIENCE)
    feed_both(one, two, 1)
    stood = one.cursor("bus")
    killed.kill()
    other.feed(50)
    wait_until(lambda: holder(one, two)[0] is other, "the other one has the lane", PATIENCE)
    wait_until(lambda: one.cursor("bus") > stood, "and goes on", PATIENCE)
    feed_both(one, two, 1)
    killed.start()  # what it had acknowledged waits in its journal
    total = one.fed + two.fed
    wait_until(lambda: one.store.log.head() == total, "all is in the log", PATIENCE)
    wait_until(lambda: one.cursor("bus") == total, "all is sent", PATIENCE)
    logged = [Received(event.source, event.id) for event in one.store.log.read_events_after(0, total)]
    received = peer.received()
    assert_arrived(logged, received)
    assert len(received) - len(logged) <= BATCH
