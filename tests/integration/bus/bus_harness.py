# SPDX-License-Identifier: GPL-3.0-or-later
"""A real relay between a journal and a peer, and what each kind of peer received."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, Self

import pika
from confluent_kafka import Consumer, TopicPartition
from event_listener import config_file, relay
from event_listener.indexer import journal_cursor
from event_listener.journal import Entry, Journal, JournalReader
from event_listener.store import open_store

from tests.services.service import Address, wait_until

SOURCES = 5
ALERT = {"MessageId": "Platform.1.0.PowerSupplyFailed", "Severity": "Critical"}


class Received(NamedTuple):
    """An event as it arrived."""

    source: str
    id: str


class RunningRelay:
    """A relay in this process: the real indexer, lanes and sinks. ``feed()`` appends to the journal as ingest does.

    No rule raises alerts, so that the log holds what was fed and nothing else.
    """

    def __init__(self, directory: Path, sinks: dict[str, Any], **settings: Any) -> None:
        files = {"directory": str(directory / "logs")}
        sections = {"text_log": {"enabled": False}, "json_lines": files, **sinks}
        quiet = {"alert": {"default_rules": []}}
        data = {"state_dir": str(directory / "state"), "sinks": sections, **quiet, **settings}
        self.data, self.settings = data, config_file.convert(data)
        self.directory = directory
        self.journal = Journal(self.settings.state_dir)
        self.fed = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        """Open the event log; its sinks exist already: a new one would begin at the head."""
        self.store = open_store(self.settings.state_dir, self.settings.event_log)
        for section in self.settings.sinks.bus():
            self.store.cursors.advance(f"sink:{section.name}", self.store.cursors.get(f"sink:{section.name}") or 0)

    def __enter__(self) -> Self:
        self.open()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=relay.run, args=(self.settings, self.store, self._stop))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        assert self._thread is not None
        self._thread.join(60)
        assert not self._thread.is_alive()
        self.store.close()

    def feed(self, count: int, **record: Any) -> None:
        """Append payloads of one record each, of several sources in turn."""
        entries = []
        for _ in range(count):
            self.fed += 1
            fields = {
                "MessageId": "ResourceEvent.1.3.ResourceChanged",
                "Message": f"number {self.fed}",
                "OriginOfCondition": {"@odata.id": f"/redfish/v1/Systems/{self.fed % 3}"},
                **record,
            }
            body = json.dumps({"Events": [fields]}).encode()
            source = f"bmc{self.fed % SOURCES}"
            entries.append(Entry(time.time_ns(), source, "192.0.2.7", "bmcs", "application/json", "ok", "", body))
        self.journal.append(entries)

    def feed_for(self, seconds: float, rate: int) -> None:
        """Feed at a rate, for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.feed(rate // 20)
            time.sleep(0.05)

    def feed_until(self, condition: Callable[[], bool], what: str, rate: int) -> None:
        """Feed at a rate until something holds. Raises ServiceError when it takes more than a minute."""

        def fed_and_true() -> bool:
            self.feed(rate // 20)
            return condition()

        wait_until(fed_and_true, what, 60)

    def logged(self) -> list[Received]:
        """What the event log holds, in order. Everything that was fed is there before this returns."""
        wait_until(self.is_indexed, f"all {self.fed} events are in the log", 60)
        return [Received(event.source, event.id) for event in self.store.log.read_events_after(0, 1_000_000)]

    def is_indexed(self) -> bool:
        """Whether everything that was fed is in the log, where events of the listener's own may be, too."""
        with JournalReader(self.settings.state_dir) as journal:
            name = journal_cursor(journal.journal_id)
        return (self.store.cursors.get(name) or 0) >= self.fed

    def cursor(self, name: str) -> int:
        return self.store.cursors.get(f"sink:{name}") or 0

    def state(self, name: str) -> tuple[str, str]:
        """A lane's state and its reason; empty before it ran."""
        found = {lane.name: (lane.state, lane.reason) for lane in self.store.cursors.lanes()}
        return found.get(name, ("", ""))

    def wait_for(self, name: str, timeout: float = 60) -> None:
        """Until a sink confirmed everything that was fed, and what the listener itself told meanwhile."""
        wait_until(
            lambda: self.is_indexed() and self.cursor(name) == self.store.log.head(),
            lambda: f"{name} stands at {self.cursor(name)} of {self.fed}, {self.state(name)}",
            timeout,
        )

    def json_lines(self) -> int:
        """How many events the other sink wrote: it must not care how its neighbour is."""
        return sum(path.read_bytes().count(b"\n") for path in (self.directory / "logs").glob("*.jsonl"))


def assert_arrived(logged: list[Received], received: list[Received]) -> None:
    """Everything, nothing else, and in order per source. Repeats may follow, with the ids that they had."""
    assert set(received) == set(logged)
    first: dict[str, list[str]] = {}
    seen = set()
    for item in received:
        if item.id not in seen:
            seen.add(item.id)
            first.setdefault(item.source, []).append(item.id)
    for source, ids in first.items():
        assert ids == [item.id for item in logged if item.source == source], f"order of {source}"


class Peer:
    """A destination: where it is, how a sink is told of it, what it received."""

    kind: str
    timeout = 2.0

    def __init__(self, service: Any) -> None:
        self.service = service
        self.tag = "t" + secrets.token_hex(4)

    def target(self) -> tuple[Address, Address | None]:
        """Where a fault proxy leads, and where it has to listen (None: anywhere)."""
        raise NotImplementedError

    def settings(self, address: Address) -> dict[str, Any]:
        """The sink's settings, beyond its name."""
        raise NotImplementedError

    def sinks(self, address: Address) -> dict[str, Any]:
        """The section `sinks` with a sink named ``bus``."""
        return {self.kind: [{"name": "bus", "timeout": self.timeout, **self.settings(address)}]}

    def received(self) -> list[Received]:
        """Everything so far, in order of arrival (per source)."""
        raise NotImplementedError


class AmqpPeer(Peer):
    kind = "amqp"

    def __init__(self, service: Any) -> None:
        super().__init__(service)
        connection = self.connect()
        channel = connection.channel()
        channel.exchange_declare(self.tag, "topic", durable=True)
        channel.queue_declare(self.tag, durable=True)
        channel.queue_bind(self.tag, self.tag, "#")
        connection.close()
        self._seen: list[Received] = []

    def connect(self) -> pika.BlockingConnection:
        return pika.BlockingConnection(pika.URLParameters(self.service.url()))

    def target(self):
        return self.service.address, None

    def settings(self, address):
        password = self.service.directory / "password"
        password.write_text(self.service.password)
        return {
            "hosts": [str(address)],
            "username": self.service.username,
            "password": {"file": str(password)},
            "exchange": self.tag,
            "heartbeat": 4,
        }

    def messages(self) -> list[tuple[Any, Any, bytes]]:
        """Take all messages out of the queue: method, properties, body."""
        connection = self.connect()
        channel = connection.channel()
        found = []
        while (message := channel.basic_get(self.tag, auto_ack=True))[0] is not None:
            found.append(message)
        connection.close()
        return found

    def received(self):
        for _, properties, body in self.messages():
            envelope = json.loads(body)
            assert properties.message_id == envelope["id"]
            self._seen.append(Received(envelope["source"].rpartition("/")[2], envelope["id"]))
        return self._seen


class KafkaPeer(Peer):
    kind = "kafka"

    def target(self):
        return self.service.behind_proxy, self.service.proxy_address

    def settings(self, address):
        properties = {
            "bootstrap.servers": str(address),
            "reconnect.backoff.max.ms": 500,
            "socket.timeout.ms": 2000,
            "request.timeout.ms": 2000,
        }
        return {"topic": self.tag, "properties": properties}

    def messages(self) -> list[Any]:
        """All records of the topic, by partition and offset."""
        options = {"bootstrap.servers": str(self.service.address), "group.id": self.tag, "enable.auto.commit": False}
        consumer = Consumer(options)
        topic = consumer.list_topics(self.tag, timeout=10).topics[self.tag]
        found = []
        for partition in topic.partitions:
            place = TopicPartition(self.tag, partition)
            _, end = consumer.get_watermark_offsets(place, timeout=10)
            consumer.assign([TopicPartition(self.tag, partition, 0)])
            while end and consumer.position([place])[0].offset < end:
                found += [message for message in consumer.consume(1000, timeout=1) if message.error() is None]
        consumer.close()
        return found

    def received(self):
        found = []
        for message in self.messages():
            headers = dict(message.headers())
            source = headers["ce_source"].decode().rpartition("/")[2]
            found.append(Received(source, headers["ce_id"].decode()))
        return found


class SyslogPeer(Peer):
    kind = "syslog"

    def __init__(self, service: Any, transport: str) -> None:
        super().__init__(service)
        self.transport = transport

    def target(self):
        return getattr(self.service, f"{self.transport}_address"), None

    def settings(self, address):
        return {
            "host": str(address),
            "transport": "tls" if self.transport == "mutual" else self.transport,
            "app_name": self.tag,
            "tls": {"ca": str(self.service.certificates.ca)},
        }

    def records(self) -> list[dict[str, Any]]:
        """What rsyslog parsed of ours."""
        return [record for record in self.service.records() if record["app"] == self.tag]

    def received(self):
        return [Received(item["host"], field(item["structured_data"], "id")) for item in self.records()]


def field(structured_data: str, name: str) -> str:
    """A field of structured data as rsyslog shows it."""
    return structured_data.partition(f' {name}="')[2].partition('"')[0]


class HttpPeer(Peer):
    """A web server of ours that keeps what it answered 2xx. ``answers`` are what to say instead, one by one."""

    kind = "http"

    def __init__(self, service: Any = None) -> None:
        super().__init__(service)
        self.batches: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[Callable[[bytes], tuple[int, dict[str, str]]]] = []
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                length = int(self.headers["Content-Length"])
                body = self.rfile.read(length)
                if len(body) < length:  # the sender was killed in between: nothing was delivered
                    self.close_connection = True
                    return
                status, headers = peer.answers.pop(0)(body) if peer.answers else (204, {})
                if status < 300:
                    peer.batches.append((dict(self.headers), body))
                self.send_response(status)
                for name, value in {"Content-Length": "0", **headers}.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def target(self):
        return Address(*self.server.server_address), None

    def settings(self, address):
        return {"url": f"http://{address}/events?from=site1"}

    def received(self):
        events = [event for _, body in self.batches for event in json.loads(body)]
        return [Received(event["source"].rpartition("/")[2], event["id"]) for event in events]
