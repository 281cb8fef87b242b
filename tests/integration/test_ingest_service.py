# SPDX-License-Identifier: GPL-3.0-or-later
"""The listener as a service: reload, renewal, background, both address families, and nothing lost from end to end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections import Counter
from collections.abc import Callable

import pytest
import requests
import trustme

from tests.integration.listener_process import RunningListener, wait_for
from tests.integration.test_ingest_crash import Storm

PLAIN = {"ingest": {"plain_http": True}}


def command(*arguments: str) -> subprocess.CompletedProcess:
    """Run an `event-listener` command to its end."""
    program = [sys.executable, "-m", "event_listener", *arguments]
    return subprocess.run(program, capture_output=True, text=True, timeout=90)


def test_ipv6(listener: Callable[..., RunningListener]):
    """Over TLS, and filed under its address."""
    with listener(host="::1") as running:
        running.freeze_relay()
        assert running.post({"Id": 1}).status_code == 200
        with running.journal() as reader:
            assert [entry.peer for _, entry in reader.read_after(0)] == ["::1"]
        running.kill("relay", signal.SIGCONT)


def test_credentials_are_rotated_by_reload(listener: Callable[..., RunningListener]):
    """SIGHUP: the new one is good, the old one is gone, nobody is cut off; a mistake changes nothing."""
    with listener(PLAIN) as running, requests.Session() as held:
        assert held.post(running.url, json={}, auth=running.credentials).status_code == 200
        (running.directory / "password").write_text("new\n")
        running.kill("supervisor", signal.SIGHUP)
        wait_for(lambda: running.post({}, auth=("bmc", "new")).status_code == 200)
        wait_for(lambda: running.post({}).status_code == 401)
        running.config_path.write_text("ingest: {wokers: 2}\n")
        running.kill("ingest", signal.SIGHUP)
        wait_for(lambda: "the old one stays" in running.output())
        assert running.post({}, auth=("bmc", "new")).status_code == 200
        assert "wokers is not a setting" in running.output()


def test_a_renewed_certificate_is_used_without_a_cut(listener: Callable[..., RunningListener], certificates: dict):
    """New handshakes get it, the connection that is open goes on; half-replaced files change nothing."""
    running = listener(start=False)
    paths = {name: running.directory / f"{name}.pem" for name in ("certificate", "key")}
    for name, path in paths.items():
        path.write_bytes(certificates[name].read_bytes())
    settings = running.config_path.read_text()
    for name in ("certificate", "key"):
        settings = settings.replace(str(certificates[name]), str(paths[name]))
    running.config_path.write_text(settings)

    def served() -> bytes:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with (
            socket.create_connection(running.address, timeout=60) as raw,
            context.wrap_socket(raw) as connection,
        ):
            return connection.getpeercert(binary_form=True)

    with running.start(), requests.Session() as held:
        # $REQUESTS_CA_BUNDLE would win over a session's own.
        held.trust_env, held.verify, held.auth = False, str(running.ca_path), running.credentials
        assert held.post(running.url, json={}).status_code == 200
        first = served()
        issued = trustme.CA().issue_cert("127.0.0.1")
        paths["certificate"].write_bytes(issued.cert_chain_pems[0].bytes())
        wait_for(lambda: "the old one stays" in running.output(), 60)
        assert served() == first
        paths["key"].write_bytes(issued.private_key_pem.bytes())
        wait_for(lambda: served() != first, 20)
        assert held.post(running.url, json={}).status_code == 200


def test_background_and_stop(listener: Callable[..., RunningListener]):
    """`run --detach` returns when it answers; a second one is refused with the pid of the first; `stop` ends it."""
    running = listener(PLAIN, start=False)
    config = ["--config", str(running.config_path)]
    try:
        began = command("run", "--detach", *config)
        assert (began.returncode, began.stdout.startswith("ready: events at http://127.0.0.1:")) == (0, True), (
            began.stderr
        )
        assert running.post({}).status_code == 200
        second = command("run", "--detach", *config)
        assert second.returncode == 1
        assert "a listener is running already (pid " in second.stderr
    finally:
        ended = command("stop", *config)
    assert ended.stdout.startswith("stopped (pid ")
    with pytest.raises(requests.ConnectionError):
        running.post({})
    assert command("stop", *config).stdout == "no listener is running\n"
    assert "Traceback" not in (running.state_dir / "run" / "event-listener.log").read_text()


def test_a_taken_port_is_one_sentence(listener: Callable[..., RunningListener]):
    """No trace, and nothing is left running."""
    running = listener(PLAIN, start=False)
    with socket.create_server(running.address):
        answer = command("run", "--config", str(running.config_path))
    assert answer.returncode == 1
    assert answer.stderr.startswith(f"Error: can't listen on 127.0.0.1:{running.address[1]}: ")


def test_verbose_prints_what_arrives(listener: Callable[..., RunningListener]):
    """As the DMTF listener does on its console."""
    with listener(PLAIN, arguments=["--verbose"]) as running:
        for number in range(3):
            running.post({"Events": [{"EventType": "Alert", "MessageId": f"Base.1.0.N{number}"}]})
        wait_for(lambda: "Event Counter for Host 127.0.0.1 = 3" in running.output())
        assert "Event received from 127.0.0.1\n  EventType: Alert\n  MessageId: Base.1.0.N0\n" in running.output()


def test_counters_are_summed_over_workers(listener: Callable[..., RunningListener]):
    """At the management address, also after a worker was killed."""
    with listener(PLAIN) as running:
        for _ in range(10):
            running.post({})
        running.post({}, auth=("bmc", "wrong"))
        running.kill("worker")
        text = requests.get(running.manage_url + "/metrics", timeout=60).text
        assert 'event_listener_ingest_payloads_total{status="ok"} 10.0' in text
        assert 'event_listener_ingest_refused_total{reason="credentials_wrong"} 1.0' in text


def test_nothing_acknowledged_is_lost_or_doubled_from_end_to_end(listener: Callable[..., RunningListener]):
    """Everything is killed during a storm, at last all at once; the text log has each acknowledged payload once."""
    running = listener(PLAIN)
    with Storm(running) as storm:
        for victim in ("relay", "worker", "ingest", "manage", "relay"):
            before = storm.total()
            wait_for(lambda before=before: storm.total() > before + 100, 40)
            running.kill(victim)
        before = storm.total()
        wait_for(lambda: storm.total() > before + 100, 40)
        parts = ("supervisor", "ingest", "worker", "manage", "relay")
        for pid in [pid for name in parts for pid in running.pids(name)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        running.process.wait()
    with running.start():
        wanted = {(source, number) for source, numbers in storm.acknowledged.items() for number in numbers}

        def logged() -> Counter:
            found: Counter = Counter()
            for path in running.log_dir.glob("Events_*.txt"):
                for line in path.read_text().splitlines():
                    if line.startswith("Event Details:"):
                        payload = json.loads(line.removeprefix("Event Details:"))
                        found[payload["Name"], int(payload["Id"])] += 1
            return found

        wait_for(lambda: wanted <= set(logged()), 60)
        assert max(logged().values()) == 1
