# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever happens between a sink and its peer: everything arrives, in order per source, under the same ids.

A sink of another kind runs beside each: how its neighbour is must not delay it.
"""

from __future__ import annotations

import time

import pytest

from tests.integration.bus.bus_harness import AmqpPeer, HttpPeer, KafkaPeer, RunningRelay, SyslogPeer, assert_arrived
from tests.services.faults import Fault, FaultProxy
from tests.services.service import wait_until

pytestmark = pytest.mark.slow

KINDS = ["amqp", "kafka", "syslog-tcp", "syslog-tls", "http"]


@pytest.fixture
def peer(request, kind):
    if kind == "http":
        peer = HttpPeer()
        yield peer
        peer.close()
        return
    service, _, transport = kind.partition("-")
    name = {"amqp": "rabbitmq", "syslog": "rsyslog"}.get(service, service)
    found = request.getfixturevalue(name)
    yield {"amqp": AmqpPeer, "kafka": KafkaPeer}[kind](found) if not transport else SyslogPeer(found, transport)


@pytest.fixture
def proxy(peer):
    with FaultProxy(*peer.target()) as proxy:
        yield proxy


def finish(relay, peer):
    relay.wait_for("bus")
    logged = relay.logged()
    wait_until(lambda: {item.id for item in peer.received()} == {item.id for item in logged}, "all arrived", 60)
    assert_arrived(logged, peer.received())
    assert relay.state("bus") == ("ok", "")


def neighbour_is_on_time(relay):
    """The JSON lines get everything, whatever the other sink does."""
    count = relay.fed
    wait_until(lambda: relay.json_lines() >= count, "the neighbour keeps up", 60)


@pytest.mark.parametrize("kind", KINDS)
def test_down_at_start(tmp_path, peer, proxy):
    proxy.set(Fault.REFUSE)
    with RunningRelay(tmp_path, peer.sinks(proxy.address)) as relay:
        relay.feed(500)
        wait_until(lambda: relay.state("bus")[0] == "retrying", "the sink says that it can't")
        neighbour_is_on_time(relay)
        assert relay.cursor("bus") == 0
        proxy.set(Fault.NONE)
        finish(relay, peer)


@pytest.mark.parametrize("kind", KINDS)
def test_cut_in_mid_batch_again_and_again(tmp_path, peer, proxy):
    with RunningRelay(tmp_path, peer.sinks(proxy.address)) as relay:
        relay.feed(200)
        relay.wait_for("bus")
        for amount in (5_000, 40_000, 1, 120_000):
            proxy.set(Fault.CUT, amount)
            relay.feed_for(0.8, 500)
            neighbour_is_on_time(relay)
        proxy.set(Fault.NONE)
        finish(relay, peer)
        assert proxy.connections > 3


@pytest.mark.parametrize(
    ("kind", "fault"),
    [(kind, Fault.STALL) for kind in KINDS] + [(kind, Fault.HALF_OPEN) for kind in ("amqp", "kafka", "http")],
)
def test_silence_under_load_and_back(tmp_path, peer, proxy, fault):
    with RunningRelay(tmp_path, peer.sinks(proxy.address)) as relay:
        relay.feed(100)
        relay.wait_for("bus")
        proxy.set(fault)
        # Until it is noticed: what the kernel's buffers take is as if it were delivered.
        relay.feed_until(lambda: relay.state("bus")[0] == "retrying", "the silence is noticed", 300)
        relay.feed_for(1, 300)
        neighbour_is_on_time(relay)
        assert relay.cursor("bus") < relay.fed  # so the neighbour didn't wait for it
        proxy.set(Fault.NONE)
        finish(relay, peer)


@pytest.mark.parametrize("kind", KINDS)
def test_a_trickle_is_slow_but_loses_nothing(tmp_path, peer, proxy):
    with RunningRelay(tmp_path, peer.sinks(proxy.address)) as relay:
        relay.feed(20)
        relay.wait_for("bus")
        proxy.set(Fault.SLOW, 30_000)
        relay.feed(300)
        neighbour_is_on_time(relay)
        time.sleep(1)
        proxy.set(Fault.NONE)
        finish(relay, peer)


@pytest.mark.parametrize("kind", ["amqp", "kafka", "syslog-tls"])
def test_the_peer_itself_crashes_and_comes_back(tmp_path, peer):
    """SIGKILL of the broker under load. rsyslog may lose what it had not written; that is its own."""
    address, advertised = peer.target()
    with FaultProxy(address, advertised) as proxy, RunningRelay(tmp_path, peer.sinks(proxy.address)) as relay:
        relay.feed(300)
        relay.wait_for("bus")
        peer.service.kill()
        relay.feed_for(2, 500)
        peer.service.start()
        finish(relay, peer)


@pytest.mark.parametrize("kind", KINDS)
def test_a_relay_that_ends_and_another_that_goes_on(tmp_path, peer, proxy):
    """Ended while the peer takes nothing: the next one begins where the last confirmation was."""
    with RunningRelay(tmp_path, peer.sinks(proxy.address)) as relay:
        relay.feed(200)
        relay.wait_for("bus")
        proxy.set(Fault.STALL)
        relay.feed(300)
        wait_until(lambda: relay.store.log.head() == relay.fed, "indexed")
        time.sleep(0.5)
    proxy.set(Fault.NONE)
    with relay:
        finish(relay, peer)
