# SPDX-License-Identifier: GPL-3.0-or-later
"""Events per second, confirmed by a real broker: AMQP, Kafka, syslog over TLS; beside the broker's own load tool.

    .venv/bin/python tests/benchmarks/sinks.py [--events 20000] [--rounds 2]

Ours is the whole lane: events are read from the event log, chosen, rendered, sent, confirmed, the cursor is written.
The tool (RabbitMQ PerfTest, Kafka's ProducerPerformance, for syslog a bare TLS socket) sends messages of the same size
with the same guarantees. Everything shares this machine. Medians of the rounds; about two minutes.
"""

from __future__ import annotations

import argparse
import re
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from event_listener import relay  # noqa: E402 - the line above lets the script find tests
from event_listener.event import Record  # noqa: E402
from event_listener.settings_bus import SyslogSink  # noqa: E402
from event_listener.sinks.syslog_format import frame, message  # noqa: E402
from event_listener.store import Arrival, open_store  # noqa: E402

from tests.integration.bus.bus_harness import AmqpPeer, KafkaPeer, Peer, RunningRelay, SyslogPeer  # noqa: E402
from tests.services import jars  # noqa: E402
from tests.services.kafka import Kafka  # noqa: E402
from tests.services.rabbitmq import RabbitMQ  # noqa: E402
from tests.services.rsyslog import Rsyslog  # noqa: E402
from tests.services.service import wait_until  # noqa: E402

TARGETS = {"amqp": 5_000, "kafka": 20_000, "syslog-tls": 10_000}
TOOL_SECONDS = 6
MESSAGE_BYTES = 650


def fill(state_dir: str, count: int) -> None:
    """An event log with so many events of a hundred sources."""
    record = {
        "MessageId": "ResourceEvent.1.3.ResourceChanged",
        "Message": "The property PowerState was changed to the value On.",
        "OriginOfCondition": {"@odata.id": "/redfish/v1/Systems/1"},
        "EventTimestamp": "2026-11-22T03:00:00Z",
    }
    fields = {"type": "ResourceEvent.ResourceChanged", "resource_type": "ComputerSystem", "message": record["Message"]}
    with open_store(state_dir) as store:
        for first in range(1, count + 1, 1000):
            arrivals = [
                Arrival(
                    journal_id="0123456789ab",
                    journal_seq=seq,
                    received_ns=time.time_ns(),
                    source=f"bmc{seq % 100}",
                    address=f"192.0.2.{seq % 100}",
                    peer="192.0.2.1",
                    credential="bmcs",
                    content_type="application/json",
                    body=b"{}",
                    records=(Record(**fields, resource_id=f"/redfish/v1/Systems/{seq % 4}", record=record),),
                )
                for seq in range(first, min(first + 1000, count + 1))
            ]
            store.log.write(arrivals, "journal:0123456789ab", arrivals[-1].journal_seq)


def ours(peer: Peer, directory: Path, count: int) -> float:
    """Events per second from the log to the broker's confirmation."""
    address = peer.service.address if peer.kind == "kafka" else peer.target()[0]
    sinks = peer.sinks(address)
    sinks[peer.kind][0]["timeout"] = 30
    harness = RunningRelay(directory, {**sinks, "json_lines": {"enabled": False}})
    stop = threading.Event()
    with open_store(harness.settings.state_dir) as store:
        store.cursors.advance("sink:bus", 0)
        thread = threading.Thread(target=relay.run, args=(harness.settings, store, stop))
        started = time.monotonic()
        thread.start()
        try:
            wait_until(lambda: store.cursors.get("sink:bus") == count, "all confirmed", 60, every=0.02)
            return count / (time.monotonic() - started)
        finally:
            stop.set()
            thread.join()
            harness.journal.close()


def perf_test(broker: RabbitMQ) -> float:
    """RabbitMQ's own tool: one publisher, persistent, confirms, as many outstanding as ours."""
    command = ["java", "-cp", jars.class_path("rabbitmq-perf-test"), "com.rabbitmq.perf.PerfTest"]
    options = f"-h {broker.url()} -x 1 -y 0 -c 500 -f persistent -s {MESSAGE_BYTES} -z {TOOL_SECONDS} -u perf -ad false"
    run = subprocess.run([*command, *options.split()], capture_output=True, text=True, timeout=60)
    found = re.findall(r"sending rate avg: (\d+)", run.stdout)
    if not found:
        raise SystemExit(f"PerfTest said nothing: {run.stdout[-500:]}{run.stderr[-500:]}")
    return float(found[-1])


def producer_performance(broker: Kafka, count: int) -> float:
    """Kafka's own tool: acks=all, idempotent."""
    properties = ["--producer-props", f"bootstrap.servers={broker.address}", "acks=all"]
    options = f"--topic perf --num-records {count * 5} --record-size {MESSAGE_BYTES} --throughput -1".split()
    printed = broker.tool("org.apache.kafka.tools.ProducerPerformance", *options, *properties)
    return float(re.findall(r"([\d.]+) records/sec", printed)[-1])


def bare_tls(server: Rsyslog, state_dir: str, count: int) -> float:
    """The same messages, made beforehand, through a TLS socket, until rsyslog's kernel has them."""
    settings = SyslogSink(name="bare", host="h", app_name="bare")
    with open_store(state_dir) as store:
        frames = [frame(settings, message(settings, event)) for event in store.log.read_events_after(0, count)]
    context = ssl.create_default_context(cafile=str(server.certificates.ca))
    plain = socket.create_connection(server.tls_address)
    with context.wrap_socket(plain, server_hostname="localhost") as stream:
        started = time.monotonic()
        for first in range(0, len(frames), 500):
            stream.sendall(b"".join(frames[first : first + 500]))
        return len(frames) / (time.monotonic() - started)


def measure(name: str, rounds: int, mine: Callable[[], float], tool: Callable[[], float]) -> None:
    """Both in turn; prints medians and the ratio."""
    results: dict[str, list[float]] = {"ours": [], "tool": []}
    for _round in range(rounds):
        results["ours"].append(mine())
        results["tool"].append(tool())
    our_rate, tool_rate = (statistics.median(results[side]) for side in ("ours", "tool"))
    verdict = "" if our_rate >= TARGETS[name] else "  BELOW"
    print(
        f"{name:12} {our_rate:9.0f}/s confirmed   target {TARGETS[name]}{verdict}   "
        f"load tool {tool_rate:9.0f}/s   ratio {our_rate / tool_rate:.2f}",
        flush=True,
    )


def main() -> int:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    count = options.events
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        state_dir = str(directory / "state")
        fill(state_dir, count)
        with RabbitMQ() as rabbitmq:
            amqp = AmqpPeer(rabbitmq)
            measure("amqp", options.rounds, lambda: ours(amqp, directory, count), lambda: perf_test(rabbitmq))
        with Kafka() as kafka:
            peer = KafkaPeer(kafka)
            ours(peer, directory, count)  # the topic is made, the JVM warm
            measure(
                "kafka",
                options.rounds,
                lambda: ours(peer, directory, count),
                lambda: producer_performance(kafka, count),
            )
        with Rsyslog() as rsyslog:
            syslog = SyslogPeer(rsyslog, "tls")
            measure(
                "syslog-tls",
                options.rounds,
                lambda: ours(syslog, directory, count),
                lambda: bare_tls(rsyslog, state_dir, count),
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
