# SPDX-License-Identifier: GPL-3.0-or-later
"""Webhooks from event to endpoint: endpoints of every kind, history, limits, and who may go on after whom."""

import json
import threading
import time
from datetime import UTC, datetime

import pytest
import trustme
from event_listener.event import Category, Level
from event_listener.lanes import Wake
from event_listener.policy import Owner
from event_listener.settings import Settings
from event_listener.settings_webhooks import WebhookCleanup, WebhookDeliveries, WebhookDelivery, Webhooks
from event_listener.store import DeliveryQuery, FencedError, Query, open_store
from event_listener.webhooks import dispatcher as dispatching
from event_listener.webhooks.dispatcher import Dispatcher
from event_listener.webhooks.model import Scope
from standardwebhooks.webhooks import Webhook as Verifier

from tests.unit.listener.webhook_kit import ACTOR, alter, make, of_owner
from tests.unit.listener.webhook_receiver import OK, STEP, Receiver, server_context, status

SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="
DELIVERY = {"retry_base": 0.01, "retry_longest": 0.05, "tries": 3, "timeout": 20}


def until(ask, seconds=60):
    end = time.monotonic() + seconds
    while not (found := ask()):
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.01)
    return found


class Relay:
    """The dispatcher of one relay, and what wakes it."""

    def __init__(self, store, directory, holder="one", deliveries=None, **delivery):
        told = Webhooks(
            exempt_networks=["127.0.0.0/8"],
            delivery=WebhookDelivery(**{**DELIVERY, **delivery}),
            deliveries=WebhookDeliveries(**(deliveries or {})),
        )
        self.store, self.wake, self.stopped = store, Wake(), threading.Event()
        self.thread = Dispatcher(
            Settings(state_dir=str(directory), webhook=told), store, holder, self.wake, self.stopped
        )
        self.thread.start()

    def add(self, *arrivals):
        self.store.log.add(arrivals)
        self.wake.tell()

    def stop(self):
        self.stopped.set()
        self.wake.tell()
        self.thread.join(60)
        assert not self.thread.is_alive()
        assert self.thread.broken is None


@pytest.fixture
def store(tmp_path):
    """On SQLite: what differs between databases is in test_store_webhooks.py."""
    with open_store(tmp_path) as store:
        yield store


@pytest.fixture
def relay(store, tmp_path):
    """Starts dispatchers, and stops them."""
    started = []

    def start(**told):
        started.append(Relay(store, tmp_path, **told))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture(autouse=True)
def short_rest(monkeypatch):
    """An endpoint that failed is asked again soon: the real times are in test_webhooks_rules.py."""
    monkeypatch.setattr("event_listener.webhooks.schedule.REST_BASE", 0.02)
    monkeypatch.setattr("event_listener.webhooks.schedule.REST_LONGEST", 0.05)


def finished(store, webhook, count=1, kind=None):
    """The finished deliveries of a webhook, oldest first; with a kind, only of events of this type."""

    def ask():
        found, _next = store.deliveries.find(DeliveryQuery(webhook=webhook.id))
        done = [item for item in found if item.state != "Pending" and kind in (None, item.event_type)]
        return len(done) >= count and done[::-1]

    return until(ask)


def test_a_delivery_from_end_to_end(store, relay):
    """All headers, both signatures, the payload; and the history says what was sent and answered."""
    with Receiver(status(204, "X-Seen: yes\0no")) as receiver:
        one = make(store, url=receiver.url, secret=SECRET, scope=Scope.DOMAIN, domain="/a/")
        relay().add(of_owner("e1", Owner("/a/b/", "x"), level=Level.WARN, category=Category.ALERT, type="A.B"))
        (delivery,) = finished(store, one)
        ((headers, body),) = receiver.requests
    assert Verifier(SECRET).verify(body, headers)["data"]["id"] == "e1-0-0"
    assert headers["X-CS-Event-ID"] == "e1-0-0"
    assert headers["X-CS-Event"] == "A.B"
    assert headers["User-Agent"] == "CS-Hookshot/a/b/x"
    assert headers["webhook-id"] == delivery.message_id
    assert abs(int(headers["webhook-timestamp"]) - datetime.now(UTC).timestamp()) < 300
    _found, (attempt,) = store.deliveries.get(delivery.id)
    assert (delivery.state, delivery.attempts, delivery.payload) == ("Delivered", 1, body)
    assert (attempt.status, attempt.address) == (204, "127.0.0.1")
    assert attempt.request_headers["X-CS-Signature"] == headers["X-CS-Signature"]
    assert attempt.response_headers["x-seen"] == "yes\ufffdno"
    place = store.webhooks.place(one.id)
    assert (place.delivered, place.failed, place.health.failures) == (1, 0, 0)


def test_only_whose_events_they_are(store, relay):
    with Receiver() as receiver:
        hooks = {
            name: make(store, name, f"{receiver.url}/{name}", **fields)
            for name, fields in {
                "global": {"scope": Scope.GLOBAL},
                "domain": {"scope": Scope.DOMAIN, "domain": "/a/"},
                "local": {"domain": "/a/", "account": "x"},
                "off": {"scope": Scope.GLOBAL, "state": "Disabled", "url": f"{receiver.url}/off"},
            }.items()
            if name != "off"
        }
        relay().add(
            *(
                of_owner(f"e{n}", owner)
                for n, owner in enumerate([Owner("/a/", "x"), Owner("/a/b/"), Owner("/ab/", "x")])
            )
        )
        wanted = {"global": ["e0", "e1", "e2"], "domain": ["e0", "e1"], "local": ["e0"]}
        for name, events in wanted.items():
            mine = finished(store, hooks[name], len(events), "Test.Event")  # beside those of the webhooks' own making
            assert [item.event_id.partition("-")[0] for item in mine] == events


def test_formats(store, relay):
    with Receiver() as receiver:
        hooks = {
            name: make(store, name, f"{receiver.url}/{name}", format=name, domain="/a/", categories=(Category.ALERT,))
            for name in ("standard", "cloudevents", "cloudstack")
        }
        relay().add(of_owner("e1", Owner("/a/"), category=Category.ALERT))
        bodies = {name: json.loads(finished(store, hook)[0].payload) for name, hook in hooks.items()}
    assert set(bodies["standard"]) == {"type", "timestamp", "data"}
    assert (bodies["cloudevents"]["specversion"], bodies["cloudevents"]["id"]) == ("1.0", "e1-0-0")
    assert set(bodies["cloudstack"]) == {"event", "dataCenterId", "podId", "subject", "body", "eventDateTime"}


def drip(connection, receiver):
    """One byte at a time, for ever."""
    for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000:
        if receiver.ended:
            return
        connection.sendall(bytes([byte]))
        time.sleep(STEP)


def gigabytes(connection, receiver):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
    while not receiver.ended:
        connection.sendall(b"x" * 65536)


def headers_without_end(connection, receiver):
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while not receiver.ended:
        connection.sendall(b"X-More: and more\r\n")


FAILS = {
    "hangs": (lambda _connection, receiver: receiver.wait(), "no whole answer within"),
    "drips": (drip, "no whole answer within"),
    "closes early": (lambda _connection, _receiver: None, "closed connection"),
    "speaks no HTTP": (b"SSH-2.0-x\r\n", "SSH-2.0-x"),
    "sends headers without end": (headers_without_end, "more than 100 headers"),
    "redirects": (status(302, "Location: http://127.0.0.1:1/"), "answers 302"),
    "redirects for good": (status(308, "Location: http://169.254.169.254/"), "answers 308"),
    "refuses": (status(401), "check its token"),
    "breaks": (status(500), "answers 500"),
}


@pytest.mark.parametrize("what", FAILS)
def test_an_endpoint_that_fails(store, relay, what):
    """Tried as often as is set, each attempt kept, in bounded time; then the delivery has failed."""
    answer, reason = FAILS[what]
    with Receiver(answer) as receiver:
        one = make(store, url=receiver.url, domain="/a/")
        relay(timeout=0.3, tries=2).add(of_owner("e1", Owner("/a/")))
        (delivery,) = finished(store, one)
        _found, attempts = store.deliveries.get(delivery.id)
    assert (delivery.state, delivery.attempts) == ("Failed", 2)
    assert [reason in attempt.reason for attempt in attempts] == [True, True]
    assert {headers["webhook-id"] for headers, _body in receiver.requests} == {delivery.message_id}


TAKES = {
    "gigabytes": gigabytes,
    "promises more than it sends": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
    "chunks that lie": b"HTTP/1.1 202 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n",
    "many words": b"HTTP/1.1 201 OK\r\nContent-Length: 20000\r\n\r\n" + b"\0\xff" * 10000,
}


@pytest.mark.parametrize("what", TAKES)
def test_an_endpoint_that_takes_it_and_says_strange_things(store, relay, what):
    """A 2xx is a 2xx. What is read and kept of the answer is bounded."""
    with Receiver(TAKES[what]) as receiver:
        one = make(store, url=receiver.url, domain="/a/")
        relay(timeout=1).add(of_owner("e1", Owner("/a/")))
        (delivery,) = finished(store, one)
        _found, (attempt,) = store.deliveries.get(delivery.id)
    assert delivery.state == "Delivered"
    assert len(attempt.response) <= 8192


def test_cloudstack_defect_redirects_inwards_are_not_followed(store, relay):
    """CloudStack's client followed them, past every check of the URL."""
    with Receiver() as inside, Receiver(status(307, f"Location: {inside.url}")) as outside:
        one = make(store, url=outside.url, domain="/a/")
        relay(tries=1).add(of_owner("e1", Owner("/a/")))
        assert finished(store, one)[0].state == "Failed"
        assert inside.requests == []


def test_cloudstack_defect_dead_endpoints_stall_nobody(store, relay):
    """CloudStack's five threads are held by five endpoints that hang. Here more hang than there are threads."""
    hanging = [Receiver(lambda _connection, receiver: receiver.wait()) for _number in range(6)]
    with Receiver() as good:
        for number, dead in enumerate(hanging):
            make(store, f"dead{number}", dead.url, scope=Scope.GLOBAL)
        alive = make(store, "alive", good.url, domain="/a/")
        running = relay(thread_pool_size=4, timeout=1.0, tries=100)
        running.add(of_owner("e0", Owner("/a/")))
        finished(store, alive, 1)
        until(
            lambda: all(
                store.webhooks.place(item.id).health.failures for item in store.webhooks.find() if item != alive
            )
        )
        for number in range(1, 6):
            running.add(of_owner(f"e{number}", Owner("/a/")))
            finished(store, alive, number + 1)
        assert all(item.state == "Delivered" for item in finished(store, alive, 6))
        for dead in hanging:
            dead.__exit__()


def test_cloudstack_defect_a_restart_loses_nothing(store, relay):
    """CloudStack queues in memory. Here what waits is in the event log, and goes on with the same ids."""
    with Receiver(status(503), OK) as receiver:
        one = make(store, url=receiver.url, domain="/a/")
        first = relay(retry_base=5, retry_longest=5)
        first.add(of_owner("e1", Owner("/a/")))
        until(lambda: receiver.requests)
        first.stop()
        store.log.add([of_owner("e2", Owner("/a/"))])
        relay(holder="two")
        done = finished(store, one, 2)
        assert {item.state for item in done} == {"Delivered"}
        assert set(receiver.ids) == {item.message_id for item in done}
        assert len(receiver.ids) == 3


def test_an_attempt_that_nobody_could_note_is_repeated_with_the_same_id(store, relay):
    """kill -9 between the answer and its note: at least once, and the receiver can tell."""
    with Receiver() as receiver:
        one = make(store, url=receiver.url, domain="/a/")
        noted, lost = store.deliveries.note, []

        def note(*arguments):
            if not lost:
                lost.append(arguments)
                raise FencedError("as if killed")
            noted(*arguments)

        store.deliveries.note = note
        relay().add(of_owner("e1", Owner("/a/")))
        (delivery,) = finished(store, one)
        assert receiver.ids == [delivery.message_id] * 2
        assert delivery.state == "Delivered"


def test_two_relays_deliver_each_once(store, relay):
    """One of them has the lease; when it ends the other one goes on."""
    with Receiver() as receiver:
        one = make(store, url=receiver.url, domain="/a/")
        relays = [relay(holder="one"), relay(holder="two")]
        for number in range(10):
            relays[number % 2].add(of_owner(f"e{number}", Owner("/a/")))
        finished(store, one, 10)
        relays[0].stop()
        relays[1].add(of_owner("last", Owner("/a/")))
        finished(store, one, 11)
        assert len(receiver.ids) == len(set(receiver.ids)) == 11


def test_who_lost_the_lease_writes_nothing(store):
    """A relay that slept past its lease: what it then makes and notes doesn't count."""
    one = make(store, domain="/a/")
    old = store.cursors.acquire(dispatching.LEASE, "one", -1)
    store.cursors.acquire(dispatching.LEASE, "two", 60)
    place = store.webhooks.place(one.id)
    with pytest.raises(FencedError, match="held by two"):
        store.deliveries.expand(old, {one.id: place.position}, 99, [])
    with pytest.raises(FencedError, match="held by two"):
        store.deliveries.note(old, one, [], place.health)
    assert store.webhooks.place(one.id) == place


def test_an_endpoint_that_is_gone_is_disabled_with_an_alert(store, relay):
    """410: at once. The alert is an event of the webhook's owner; enabled again, what waits goes on from there."""
    with Receiver(status(410)) as receiver:
        one = make(store, url=receiver.url, domain="/a/", account="x")
        running = relay()
        running.add(of_owner("e1", Owner("/a/", "x")), of_owner("e2", Owner("/a/", "x")))
        until(lambda: store.webhooks.get(one.id).state == "Disabled")
        assert "410" in store.webhooks.get(one.id).disabled_because
        (told,) = store.queries.find(Query(type=("RedfleetEvents.WebhookDisabled",))).events
        assert (told.domain, told.account, told.level) == ("/a/", "x", Level.ERROR)
        running.add(of_owner("while-disabled", Owner("/a/", "x")))
        receiver.answers[:] = [OK]
        alter(store, one, state="Enabled")
        running.add(of_owner("e3", Owner("/a/", "x")))
        until(lambda: any("e3-" in item.event_id for item in finished(store, one, 1)))
        events = [item.event_id.partition("-0-")[0] for item in finished(store, one, 3)]
        assert "e2" in events
        assert "while-disabled" not in events


def test_an_endpoint_that_keeps_failing_is_disabled(store, relay):
    with Receiver(status(500)) as receiver:
        one = make(store, url=receiver.url, domain="/a/")
        relay(disable_after=0.05, tries=100).add(of_owner("e1", Owner("/a/")))
        until(lambda: store.webhooks.get(one.id).state == "Disabled")
        assert "every attempt" in store.webhooks.get(one.id).disabled_because
        assert len(receiver.requests) >= 10


def test_cloudstack_defect_a_clean_up_keeps_to_its_webhook(store, relay):
    """CloudStack deletes what isn't among the kept ones of one webhook, of every other, too."""
    with Receiver() as receiver:
        busy = make(store, "busy", f"{receiver.url}/busy", domain="/a/")
        quiet = make(store, "quiet", f"{receiver.url}/quiet", domain="/b/")
        relay(deliveries={"limit": 2}).add(
            *(of_owner(f"a{number}", Owner("/a/")) for number in range(5)), of_owner("b", Owner("/b/"))
        )
        kept = [item.id for item in finished(store, busy, 5)][-2:]
        (other,) = finished(store, quiet)
        assert store.deliveries.clean(2, busy.id) == 3
        assert store.deliveries.clean(2) == 0
        assert [item.id for item in finished(store, busy, 2)] == kept
        assert finished(store, quiet) == [other]


def test_cleaning_up_happens_by_itself_and_spares_what_waits(store, relay):
    with Receiver(status(503)) as receiver:
        one = make(store, url=receiver.url, domain="/a/")
        relay(
            deliveries={"limit": 0, "cleanup": WebhookCleanup(interval=0.05, initial_delay=0)},
            retry_base=3600,
            retry_longest=3600,
        ).add(of_owner("e1", Owner("/a/")))
        until(lambda: receiver.requests)
        until(lambda: store.deliveries.find(DeliveryQuery(webhook=one.id))[0][0].attempts == 1)
        receiver.answers[:] = [OK]
        (waits,) = store.deliveries.find(DeliveryQuery(webhook=one.id))[0]
        again = store.deliveries.redeliver(waits.id, ACTOR)
        until(lambda: store.deliveries.get(again.id) is None)
        assert [item.id for item in store.deliveries.find(DeliveryQuery(webhook=one.id))[0]] == [waits.id]


def test_what_waits_is_bounded_and_the_rest_comes_later(store, relay):
    """An endpoint that is down in a storm: events stay in the event log, and none is lost."""
    with Receiver(status(503)) as receiver:
        one = make(store, url=receiver.url, domain="/a/")
        running = relay(deliveries={"pending": 3, "limit": 100}, tries=100)
        running.add(*(of_owner(f"e{number}", Owner("/a/")) for number in range(10)))
        until(lambda: len(receiver.requests) > 5)
        assert store.deliveries.pending()[one.id] == 3
        receiver.answers[:] = [OK]
        assert len({item.event_id for item in finished(store, one, 10)}) == 10


def test_removed_in_mid_delivery(store, relay):
    """What an attempt would note of a webhook that is gone is nobody's; the others go on."""
    began, go = threading.Event(), threading.Event()

    def answer(connection, _receiver):
        began.set()
        go.wait(60)
        connection.sendall(OK)

    with Receiver(answer) as receiver, Receiver() as other:
        one = make(store, "one", receiver.url, domain="/a/")
        two = make(store, "two", other.url, domain="/a/")
        running = relay()
        running.add(of_owner("e1", Owner("/a/")))
        assert began.wait(60)
        assert store.webhooks.remove(one.id, ACTOR)
        go.set()
        running.add(of_owner("e2", Owner("/a/")))
        finished(store, two, 2)
        assert store.deliveries.find(DeliveryQuery(webhook=one.id))[0] == []


def test_tls_is_verified_with_the_own_ca(store, relay):
    """By default; with the endpoint's CA; and without looking where somebody says so."""
    authority = trustme.CA()
    context = server_context(authority.issue_cert("127.0.0.1"))
    with Receiver(context=context) as receiver:
        strict = make(store, "strict", f"{receiver.url}/1", domain="/a/")
        own = make(store, "own", f"{receiver.url}/2", domain="/a/", ca=authority.cert_pem.bytes().decode())
        lax = make(store, "lax", f"{receiver.url}/3", domain="/a/", tls_verify=False)
        relay(tries=1).add(of_owner("e1", Owner("/a/")))
        states = {hook.name: finished(store, hook)[0] for hook in (strict, own, lax)}
    assert {name: item.state for name, item in states.items()} == {
        "strict": "Failed",
        "own": "Delivered",
        "lax": "Delivered",
    }
    _found, (attempt,) = store.deliveries.get(states["strict"].id)
    assert "give its CA" in attempt.error


def test_a_webhook_is_given_its_secret_anew_while_it_runs(store, relay):
    """Both sign while the old one is kept; the relay takes it at once."""
    new = "whsec_" + "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXo="
    with Receiver() as receiver:
        one = make(store, url=receiver.url, domain="/a/", secret=SECRET)
        running = relay()
        running.add(of_owner("e1", Owner("/a/")))
        finished(store, one, 1)
        alter(store, one, secret=new)
        running.add(of_owner("e2", Owner("/a/")))
        finished(store, one, 2)
        headers, body = receiver.requests[-1]
    for secret in (SECRET, new):
        assert Verifier(secret).verify(body, headers)


def test_secrets_of_bmcs_stay_out(store, relay):
    """What the bus redacts, webhooks redact."""
    with Receiver() as receiver:
        one = make(store, url=receiver.url, domain="/a/")
        relay().add(of_owner("e1", Owner("/a/"), record={"Password": "hunter2", "Id": "1"}))
        (delivery,) = finished(store, one)
    assert b"hunter2" not in delivery.payload
