# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may post, and whose event it is: secret paths, client certificates, rotation, IPv6 and NAT, registered only."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tests.integration.listener_process import RunningListener, free_port, issue_client_certificates, wait_for
from tests.integration.raw_http import RawConnection, basic, post

EVENT = {"Id": "1", "Name": "n", "Events": [{"MessageId": "Base.1.0.Ok"}]}


@pytest.fixture(scope="module")
def running(listener: Callable[..., RunningListener]) -> Iterator[RunningListener]:
    """A listener that takes what is registered only."""
    with listener({"ingest": {"registered_only": True}, "log_level": "debug"}) as started:
        yield started


def register(running: RunningListener, **source: object) -> requests.Response:
    """Register a source by the API."""
    headers = {"Authorization": f"Bearer {running.api_token}"}
    url = f"{running.manage_url}/api/v1/sources"
    return requests.patch(url, json={"sources": [source]}, headers=headers, timeout=60)


def command(running: RunningListener, *arguments: str) -> str:
    """Run `event-listener sources ...`."""
    line = [sys.executable, "-m", "event_listener", "sources", *arguments, "--config", str(running.config_path)]
    return subprocess.run(line, capture_output=True, text=True, timeout=60, check=True).stdout.strip()


def status_of(running: RunningListener, path: str) -> int:
    """The answer to an event without credentials."""
    return running.post(EVENT, path, auth=None).status_code


def test_a_secret_path_lives_and_dies(running: RunningListener):
    """Made, used, bound to its source and networks, rotated with both valid, revoked; no log and no answer shows it."""
    assert status_of(running, "/events/bmc-p") == 401
    first = command(running, "secret", "bmc-p", "first", "--network", "127.0.0.0/8")
    wait_for(lambda: status_of(running, first) == 200)
    secret = first.rpartition("/")[2]
    register(running, name="bmc-q", address="192.0.2.99")
    refused = [
        f"/events/bmc-q/{secret}",
        f"/events/unknown/{secret}",
        first[:-1] + ("a" if first[-1] != "a" else "b"),
        "/events/bmc-p",
    ]
    assert [status_of(running, path) for path in refused] == [401] * 4
    assert status_of(running, f"/{secret}") == status_of(running, "/events/bmc-p/short") == 404
    second = command(running, "secret", "bmc-p", "second", "--network", "127.0.0.1")
    wait_for(lambda: status_of(running, second) == 200)
    assert status_of(running, first) == 200
    elsewhere = command(running, "secret", "bmc-p", "elsewhere", "--network", "192.0.2.0/24")
    command(running, "revoke", "bmc-p", "first")
    wait_for(lambda: status_of(running, first) == 401)
    assert status_of(running, second) == 200
    assert status_of(running, elsewhere) == 401
    assert command(running, "secrets", "bmc-p").splitlines()[1:] == [
        "second     127.0.0.1/32",
        "elsewhere  192.0.2.0/24",
    ]
    register(running, name="bmc-p", state="retired")
    wait_for(lambda: status_of(running, second) == 401)
    events = wait_for(lambda: running.api("/api/v1/events", source="bmc-p").json()["events"])
    shown = (
        str(events)
        + running.api("/api/v1/sources").text
        + running.output()
        + (running.state_dir / "registry.json").read_text()
    )
    for path in (first, second, elsewhere):
        assert path.rpartition("/")[2] not in shown


def test_registered_only(running: RunningListener):
    """Right credentials of somebody unknown are refused; registering helps without a restart; retiring ends it."""
    assert running.post(EVENT, "/events/bmc-r").status_code == 403
    assert register(running, name="bmc-r").status_code == 200
    wait_for(lambda: running.post(EVENT, "/events/bmc-r").status_code == 200)
    register(running, name="bmc-r", state="retired")
    wait_for(lambda: running.post(EVENT, "/events/bmc-r").status_code == 403)


def test_two_sources_behind_one_address(listener: Callable[..., RunningListener]):
    """The id in the path tells them apart; POST / is then nobody's, and filed under the address."""
    with listener({"ingest": {"plain_http": True}}) as running:
        for name in ("nat-1", "nat-2"):
            register(running, name=name, address="127.0.0.1")
        snapshot = running.state_dir / "registry.json"
        wait_for(lambda: snapshot.exists() and "nat-2" in snapshot.read_text())
        for path in ("/events/nat-1", "/events/nat-2", "/"):
            assert running.post(EVENT, path).status_code == 200
        events = wait_for(lambda: (found := sources_of(running)) and len(found) == 4 and found)
        # The second one has the first one's address: behind NAT that's meant, with DHCP it is worth a warning.
        told = ("nat-1", "event-listener")
        assert sorted(events) == [("127.0.0.1", "127.0.0.1"), ("nat-1", "127.0.0.1"), told, ("nat-2", "127.0.0.1")]


def sources_of(running: RunningListener) -> list[tuple[str, str]]:
    """Source and address of each event, but those that tell what users did."""
    found = running.api("/api/v1/events").json()["events"]
    return [(event["source"], event["address"]) for event in found if event["category"] != "ActionEvent"]


def test_ipv4_mapped_and_ipv6_peers(listener: Callable[..., RunningListener]):
    """One spelling each, whether the kernel or a trusted proxy says it; names of files are safe."""
    ports = free_port(), free_port("::1")
    binds = [f"127.0.0.1:{ports[0]}", f"[::1]:{ports[1]}"]
    with listener({"ingest": {"plain_http": True, "bind": binds, "trusted_proxies": ["127.0.0.1"]}}) as running:
        request = b'{"Events": [{"MessageId": "A.1.0.B"}]}', basic(running.credentials)
        for host, port, forwarded in (
            ("::1", ports[1], "192.0.2.66"),
            ("127.0.0.1", ports[0], "::ffff:192.0.2.5"),
            ("127.0.0.1", ports[0], "2001:DB8::0:7%eth0"),
        ):
            with RawConnection((host, port), None) as connection:
                connection.send(post(*request, f"X-Forwarded-For: {forwarded}\r\n"))
                assert connection.read().status == 200
        found = wait_for(lambda: (events := sources_of(running)) and len(events) == 3 and events)
        expected = {"::1", "192.0.2.5", "2001:db8::7"}
        assert {source for source, _address in found} == {address for _source, address in found} == expected
        own = "Events_event-listener.txt"  # there or not: its events may be older than the sink
        names = wait_for(
            lambda: len(found := {path.name for path in running.log_dir.glob("*.txt")} - {own}) == 3 and found
        )
        assert "Events_192.0.2.5.txt" in names
        assert not [name for name in names if set(name) & set("%/\\ ")]


def test_client_certificates(listener: Callable[..., RunningListener], tmp_path: Path):
    """With client_ca a BMC shows a certificate of the fleet's CA, and credentials as ever; others get no handshake."""
    shown = issue_client_certificates(tmp_path)
    with listener({"ingest": {"tls": {"client_ca": shown["fleet"]}}}) as running:
        assert running.post(EVENT, cert=shown["bmc"]).status_code == 200
        assert running.post(EVENT, cert=shown["bmc"], auth=None).status_code == 401
        for wrong in ({}, {"cert": shown["stranger"]}):
            with pytest.raises(requests.ConnectionError):
                running.post(EVENT, **wrong)
        assert running.metric("event_listener_ingest_tls_failures_total") >= 2


def test_bearer_and_basic_are_both_valid(listener: Callable[..., RunningListener]):
    """During a rotation the old and the new are taken, and each event says by which it came."""
    with listener({"ingest": {"plain_http": True}}) as running:
        bearer = {"Authorization": f"Bearer {running.token}"}
        assert running.post(EVENT).status_code == 200
        assert running.post(EVENT, auth=None, headers=bearer).status_code == 200
        assert running.post(EVENT, auth=None, headers={"Authorization": "Bearer wrong"}).status_code == 401
        assert running.metric("event_listener_ingest_refused_total", reason="credentials_wrong") == 1
