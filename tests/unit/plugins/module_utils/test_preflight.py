# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be said about a destination from here, against real sockets."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading

import pytest
import trustme
from ansible_collections.redfleet.events.plugins.module_utils import _preflight
from ansible_collections.redfleet.events.plugins.plugin_utils import _fleet_preflight

NOON = datetime.datetime(2026, 6, 1, 12, tzinfo=datetime.UTC)
AUTHORITY = trustme.CA()


@pytest.fixture
def served():
    """Serve TLS with a certificate for these names, or (none given) plain text; returns the port."""
    sockets = []

    def serve(*names):
        context = None
        if names:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            AUTHORITY.issue_cert(*names).configure_cert(context)
        listening = socket.create_server(("127.0.0.1", 0))
        sockets.append(listening)

        def run():
            while True:
                try:
                    plain, _address = listening.accept()
                except OSError:
                    return
                with plain:
                    try:
                        if context is None:
                            plain.sendall(b"220 hello\r\n")
                        else:
                            context.wrap_socket(plain, server_side=True).close()
                    except OSError:
                        continue

        threading.Thread(target=run, daemon=True).start()
        return listening.getsockname()[1]

    yield serve
    for listening in sockets:
        listening.close()


def verdicts(looked):
    return {one["check"]: one["verdict"] for one in looked["checks"]}


def test_a_good_destination(served, tmp_path):
    ca = tmp_path / "ca.pem"
    AUTHORITY.cert_pem.write_to_path(str(ca))
    found = _preflight.look(f"https://127.0.0.1:{served('127.0.0.1')}/events/a", str(ca), 10)
    assert set(verdicts(found).values()) == {"ok"}
    assert list(verdicts(found)) == ["name", "port", "tls", "names", "dates", "chain"]


def test_what_is_wrong_with_a_certificate(served, tmp_path):
    """Another name, another authority; without a CA the chain is unknown."""
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    port = served("listener.example.com")
    found = verdicts(_preflight.look(f"https://127.0.0.1:{port}", str(other), 10))
    assert (found["names"], found["chain"], found["dates"]) == ("failed", "failed", "ok")
    assert verdicts(_preflight.look(f"https://127.0.0.1:{port}", None, 10))["chain"] == "unknown"


def test_no_tls_is_certain_and_no_answer_is_not(served):
    """Another network may reach what we can't; nobody delivers by TLS to what speaks none."""
    found = _preflight.look(f"https://127.0.0.1:{served()}", None, 10)
    assert verdicts(found)["tls"] == "failed"
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert verdicts(_preflight.look(f"https://127.0.0.1:{port}", None, 10))["port"] == "unknown"
    assert verdicts(_preflight.look("https://name.invalid/", None, 10))["name"] == "unknown"


@pytest.mark.parametrize(
    ("sans", "host", "verdict"),
    [
        ({"listener.example.com"}, "LISTENER.example.com", "ok"),
        ({"*.example.com"}, "listener.example.com", "ok"),
        ({"*.example.com"}, "a.b.example.com", "failed"),
        ({"*.example.com"}, "example.com", "failed"),
        ({"192.0.2.1"}, "192.0.2.1", "ok"),
        ({"2001:db8::1"}, "2001:DB8:0::1", "ok"),
        ({"listener.example.com"}, "192.0.2.1", "failed"),
        (set(), "listener", "failed"),
    ],
)
def test_names_cover_the_host(sans, host, verdict):
    assert _preflight.names(sans, host)["verdict"] == verdict


def looked(**verdicts):
    return {
        "destinations": [
            {
                "destination": "https://listener:443",
                "not_before": (NOON - datetime.timedelta(days=1)).isoformat(),
                "not_after": (NOON + datetime.timedelta(days=30)).isoformat(),
                "checks": [_preflight.check(name, verdict, "why") for name, verdict in verdicts.items()],
            }
        ]
    }


def judged(found, clock=None, **subscription):
    asked = {"clock": {"offset": clock}} if clock is not None else None
    subscription = {"destination": "https://listener/events/a", **subscription}
    return _fleet_preflight.preflight(found, {"a": subscription}, {"a": asked}, NOON)


def test_only_what_is_certain_refuses():
    """Wrong names matter to a BMC that verifies; no TLS to all; what can't be known here to none."""
    assert judged(looked(names="failed"))["certain"] == []
    assert len(judged(looked(names="failed"), verify_certificate=True)["certain"]) == 1
    assert len(judged(looked(tls="failed"))["certain"]) == 1
    assert judged(looked(port="unknown", name="unknown", chain="failed"), verify_certificate=True)["certain"] == []


def test_a_bmc_with_a_wrong_clock():
    """A year behind, the certificate isn't valid yet: failed where it verifies, told where it doesn't."""
    year = -365 * 86400
    found = judged(looked(tls="ok"), clock=year, verify_certificate=True)
    assert found["bad"] == ["a"]
    assert "only valid from" in found["rows"][0]["detail"]
    harmless = judged(looked(tls="ok"), clock=year)
    assert harmless["bad"] == []
    assert "harmless unless it verifies" in harmless["rows"][0]["detail"]
    assert "+5 s off" in judged(looked(tls="ok"), clock=5)["rows"][0]["detail"]
