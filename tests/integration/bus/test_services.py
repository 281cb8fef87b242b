# SPDX-License-Identifier: GPL-3.0-or-later
"""The peers are real, keep what they confirmed over a crash, and nothing of them outlives the tests."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pika
import psycopg
import pytest
import requests
from confluent_kafka import Consumer, Producer

from tests.services.nginx import Nginx
from tests.services.postgresql import PostgreSQL
from tests.services.service import Address, Service, ServiceError, wait_until

ROOT = Path(__file__).resolve().parents[3]


def test_rabbitmq_keeps_a_confirmed_message_over_a_crash(rabbitmq):
    def channel():
        return pika.BlockingConnection(pika.URLParameters(rabbitmq.url())).channel()

    first = channel()
    first.confirm_delivery()
    first.queue_declare("kept", durable=True)
    first.basic_publish("", "kept", b"hello", pika.BasicProperties(delivery_mode=2), mandatory=True)
    first.connection.close()
    # The message is synced before its confirmation; the queue's declaration is only buffered until the next dump.
    rabbitmq.control("eval", "mnesia:sync_log().")
    rabbitmq.kill()
    rabbitmq.start()
    second = channel()
    assert second.basic_get("kept", auto_ack=True)[2] == b"hello"
    second.queue_delete("kept")
    second.connection.close()


def test_rabbitmq_blocks_publishers_and_unblocks_them(rabbitmq):
    connection = pika.BlockingConnection(pika.URLParameters(rabbitmq.url()))
    seen = []
    connection.add_on_connection_blocked_callback(lambda *_: seen.append("blocked"))
    connection.add_on_connection_unblocked_callback(lambda *_: seen.append("unblocked"))
    rabbitmq.block()
    try:
        connection.channel().basic_publish("", "nowhere", b"x")
        wait_until(lambda: connection.process_data_events(0.1) or seen == ["blocked"], "blocked")
    finally:
        rabbitmq.unblock()
    wait_until(lambda: connection.process_data_events(0.1) or seen == ["blocked", "unblocked"], "unblocked")
    connection.close()


def test_kafka_keeps_a_confirmed_record_over_a_crash(kafka):
    errors = []
    producer = Producer({"bootstrap.servers": str(kafka.address), "acks": "all", "enable.idempotence": True})
    producer.produce("kept", b"hello", on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(20) == 0
    assert errors == [None]
    kafka.kill()
    kafka.start()
    security = {"security.protocol": "ssl", "ssl.ca.location": str(kafka.certificates.ca)}
    options = {"bootstrap.servers": str(kafka.tls_address), "group.id": "test", "auto.offset.reset": "earliest"}
    consumer = Consumer({**options, **security})
    consumer.subscribe(["kept"])
    message = consumer.poll(20)
    assert message is not None
    assert message.value() == b"hello"
    consumer.close()


def test_postgresql_keeps_a_commit_over_a_crash():
    with PostgreSQL(durable=True) as database:
        with psycopg.connect(database.url()) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        database.kill()
        database.start()
        with psycopg.connect(database.url()) as connection:
            assert connection.execute("SELECT answer, current_setting('fsync') FROM kept").fetchall() == [(42, "on")]


def send_syslog(kind, address, certificates, text):
    if kind == "udp":
        with socket.socket(type=socket.SOCK_DGRAM) as plain:
            plain.sendto(text, address)
        return
    framed = b"%d %s" % (len(text), text)
    with socket.create_connection(address) as plain:
        if kind == "tcp":
            plain.sendall(framed)
            return
        context = ssl.create_default_context(cafile=str(certificates.ca))
        if kind == "mutual":
            context.load_cert_chain(certificates.client_certificate, certificates.client_key)
        with context.wrap_socket(plain, server_hostname="localhost") as encrypted:
            encrypted.sendall(framed)


@pytest.mark.parametrize("kind", ["udp", "tcp", "tls", "mutual"])
def test_rsyslog_parses_rfc5424_on_every_transport(rsyslog, kind):
    address = getattr(rsyslog, f"{kind}_address")
    text = f'<165>1 2026-11-22T03:00:00.5Z bmc1 app 7 {kind} [a@1 b="c\\"d"] Grüße'
    send_syslog(kind, address, rsyslog.certificates, text.encode())

    def received() -> list[dict]:  # other tests send to the same rsyslog
        return [one for one in rsyslog.records() if (one["input"], one["message_id"]) == (kind, kind)]

    wait_until(received, "received")
    (record,) = received()
    assert (record["priority"], record["host"], record["app"], record["process"]) == ("165", "bmc1", "app", "7")
    assert (record["structured_data"], record["message"]) == ('[a@1 b="c\\"d"]', "Grüße")
    assert record["timestamp"].startswith("2026-11-22T03:00:00.5")


class Upstream(BaseHTTPRequestHandler):
    def do_GET(self):
        body = self.headers["X-Forwarded-For"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments):
        pass


def test_nginx_ends_tls_and_names_the_client():
    server = HTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with Nginx(Address(*server.server_address)) as nginx:
        answer = requests.get(f"https://{nginx.address}/", verify=str(nginx.certificates.ca), timeout=60)
        assert (answer.status_code, answer.text) == (200, "127.0.0.1")
    server.shutdown()
    server.server_close()


LEAVES_A_DAEMON = """
import os, subprocess, sys
sys.path.insert(0, sys.argv[1])
from tests.services.service import Service

class Daemon(Service):
    name = "daemon"
    def command(self):
        return ["sh", "-c", "setsid sleep 1001 & exec sleep 1002"]
    def ready(self):
        return True

with Daemon() as daemon:
    print(daemon.pid, daemon.directory, flush=True)
    sys.stdin.read()
"""


def descendants(pid: int) -> set[int]:
    try:
        children = {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    except FileNotFoundError:
        return set()
    return children.union(*map(descendants, children))


def test_a_killed_test_run_leaves_no_process_and_no_directory():
    """The guard ends the program, what the program left behind, and removes the directory."""
    command = [sys.executable, "-c", LEAVES_A_DAEMON, str(ROOT)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        guard, directory = run.stdout.readline().split()
        wait_until(lambda: len(descendants(int(guard))) == 2, "both sleep")
        started = descendants(int(guard))
        os.kill(run.pid, signal.SIGKILL)
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in started), "processes ended")
    wait_until(lambda: not Path(directory).exists(), "directory removed")


class Broken(Service):
    name = "broken"

    def command(self):
        return ["sh", "-c", "echo what went wrong >&2; exit 3"]

    def ready(self):
        return False


def test_a_service_that_does_not_start_says_why_and_leaves_no_directory():
    broken = Broken()
    with pytest.raises(ServiceError, match=r"broken did not start.*\n.*what went wrong"), broken:
        pytest.fail("it started")
    assert not broken.directory.exists()
