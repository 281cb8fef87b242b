# SPDX-License-Identifier: GPL-3.0-or-later
"""Where webhooks may lead: the table of addresses, and that what is judged is what is connected to."""

import socket

import pytest
from event_listener.registry import changes
from event_listener.settings import EventLogSettings, Manage, Settings, Sinks
from event_listener.settings_bus import AmqpSink
from event_listener.settings_webhooks import Webhooks
from event_listener.store import open_store
from event_listener.webhooks.client import Endpoint
from event_listener.webhooks.guard import Guard
from event_listener.webhooks.model import Webhook
from event_listener.webhooks.surroundings import Surroundings, is_this_host
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.listener.webhook_receiver import Receiver

NEVER = [
    "127.0.0.1", "127.8.9.1", "::1", "0.0.0.0", "0.1.2.3", "::", "169.254.169.254", "169.254.1.1", "fe80::1",
    "fe80::1%1", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "224.0.0.1", "ff02::1",
    "255.255.255.255", "240.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "2002:7f00:1::1", "2002:a9fe:a9fe::", "::7f00:1", "::a9fe:a9fe",
    "64:ff9b:1::169.254.169.254", "2001:0:4136:e378:8000:63bf:5601:5601",
]  # fmt: skip
PRIVATE = ["10.0.0.1", "172.16.0.1", "192.168.1.1", "fd12::1", "100.64.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1"]
PUBLIC = ["93.184.216.34", "2606:2800:220:1::1", "8.8.8.8"]


@pytest.mark.parametrize("address", NEVER)
def test_what_nobody_may_post_to(address):
    assert Guard().refusal(address, 443, trusted=True)
    assert Guard(users=["0.0.0.0/0", "::/0"]).refusal(address, 443, trusted=False)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_networks_are_for_admins_and_for_users_by_a_list(address):
    """It is a data centre: most receivers are private. A translated address counts as what it stands for, too."""
    assert not Guard().refusal(address, 443, trusted=True)
    assert "an admin has to give" in Guard().refusal(address, 443, trusted=False)
    users = ["10.0.0.0/24", "172.16.0.0/16", "192.168.1.1/32", "fd12::/16", "100.64.0.0/10", "64:ff9b::/96"]
    assert not Guard(users=users).refusal(address, 443, trusted=False)
    assert "blocklist" in Guard(blocked=[*users]).refusal(address, 443, trusted=True)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_for_all(address):
    assert not Guard().refusal(address, 443, trusted=False)


def test_networks_of_bmcs_are_for_nobody_unless_exempt():
    guard = Guard(bmcs=["10.1.2.3", "fd00::1:2"])
    for address in ("10.1.2.3", "10.1.2.200", "::ffff:10.1.2.9", "fd00::9"):
        assert "BMC" in guard.refusal(address, 443, trusted=True)
    assert not guard.refusal("10.1.3.1", 443, trusted=True)
    assert not Guard(bmcs=["10.1.2.3"], bmc_prefix=32).refusal("10.1.2.4", 443, trusted=True)
    assert not Guard(bmcs=["10.1.2.3"], exempt=["10.1.2.4/32"]).refusal("10.1.2.4", 443, trusted=False)


@given(st.ip_addresses(), st.booleans())
def test_an_exempt_network_never_opens_the_listener_s_own_ports(address, trusted):
    guard = Guard(services=[("127.0.0.1", 5432), ("*", 9440)], exempt=["0.0.0.0/0", "::/0"])
    assert not guard.refusal(str(address), 8080, trusted=trusted)
    for own in ("127.0.0.1", "::ffff:127.0.0.1"):
        assert "own" in guard.refusal(own, 5432, trusted=True)
    for own in ("127.0.0.1", "127.9.9.9", "::1", "0.0.0.0"):
        assert "own" in guard.refusal(own, 9440, trusted=True)


def test_what_the_guard_is_told(tmp_path):
    """Own ports, database, brokers and BMCs come from the settings and the registry, and a new BMC counts at once."""
    told = Settings(
        state_dir=str(tmp_path),
        manage=Manage(bind="127.0.0.1:9440"),
        event_log=EventLogSettings(url="postgresql://u@198.51.100.7:6432/events"),
        sinks=Sinks(amqp=[AmqpSink(name="a", hosts=["198.51.100.8", "[2001:db8::8]:5671"])]),
        webhook=Webhooks(exempt_networks=["127.0.0.0/8", "198.51.100.0/24"]),
    )
    with open_store(tmp_path) as store:
        surroundings = Surroundings(told, store)
        guard = surroundings.guard()
        for address, port in (("127.0.0.1", 9440), ("198.51.100.7", 6432), ("198.51.100.8", 5672)):
            assert "own" in guard.refusal(address, port, trusted=True)
        assert "broker" in guard.refusal("2001:db8::8", 443, trusted=True)
        assert not guard.refusal("127.0.0.1", 8080, trusted=True)
        assert not guard.refusal("203.0.113.5", 443, trusted=True)
        store.sources.upsert(
            changes([{"name": "bmc1", "address": "203.0.113.9"}, {"name": "b", "address": "b.example"}])
        )
        assert "BMC" in surroundings.guard().refusal("203.0.113.5", 443, trusted=True)


def test_this_host_is_known_by_its_addresses():
    assert is_this_host("127.0.0.1")
    assert not is_this_host("203.0.113.1")


def post(url, guard):
    endpoint = Endpoint(Webhook(id="w", name="n", url=url, trusted=True), guard, 20, 100)
    try:
        return endpoint.post({}, b"{}")
    finally:
        endpoint.close()


@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433", "0x7f000001", "[::ffff:127.0.0.1]", "0"])
def test_names_and_spellings_of_this_host_are_seen_through(host):
    """What counts is what the system connects to."""
    with Receiver() as receiver:
        attempt = post(f"http://{host}:{receiver.port}/", Guard())
        assert "is this host" in attempt.error
        assert receiver.requests == []


def test_a_name_that_leads_elsewhere_a_moment_later_changes_nothing(monkeypatch):
    """DNS rebinding: a public address when asked first, loopback then. The one that was judged is connected to."""
    asked = []

    def resolve(_host, port, *_kinds, **_named):
        asked.append(port)
        address = "203.0.113.1" if len(asked) > 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    with Receiver() as receiver:
        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        attempt = post(f"http://rebinding.example:{receiver.port}/", Guard())
        assert "is this host" in attempt.error
        assert len(asked) == 1
        assert receiver.requests == []


def test_of_several_addresses_the_allowed_one_is_used(monkeypatch):
    with Receiver(host="127.0.0.9") as receiver:

        def resolve(_host, port, *_kinds, **_named):
            places = [(address, port) for address in ("169.254.169.254", "127.0.0.9")]
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place) for place in places]

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        guard = Guard(exempt=["127.0.0.9/32"])
        attempt = post(f"http://two.example:{receiver.port}/", guard)
        assert (attempt.status, attempt.address) == (200, "127.0.0.9")
