# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS as BMCs old and new speak it: keys of both kinds, and sessions that are resumed at any worker."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.integration.listener_process import RunningListener
from tests.integration.raw_http import basic, post

EVENT = b'{"Id": "1", "Name": "n", "Events": [{"MessageId": "Base.1.0.Ok"}]}'
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def client_context(ca: Path, version: str, ciphers: str = "") -> ssl.SSLContext:
    """Return a context of a BMC that speaks one version."""
    context = ssl.create_default_context(cafile=str(ca))
    context.minimum_version = context.maximum_version = VERSIONS[version]
    if ciphers:
        context.set_ciphers(ciphers)
    return context


def event_over(running: RunningListener, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> tuple:
    """Post an event on a new connection; returns status, certificate, session and whether it was resumed."""
    with (
        socket.create_connection(running.address, timeout=60) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1", session=session) as client,
    ):
        client.sendall(post(EVENT, basic(running.credentials)))
        status = client.recv(4096).split(b" ")[1]
        return status, client.getpeercert(binary_form=True), client.session, client.session_reused


def issue(directory: Path, authority: trustme.CA, name: str, kind: trustme.KeyType) -> dict[str, str]:
    """Write a certificate and its key; returns their paths."""
    issued = authority.issue_cert("127.0.0.1", key_type=kind)
    paths = {"certificate": str(directory / f"{name}.pem"), "key": str(directory / f"{name}.key")}
    Path(paths["certificate"]).write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(paths["key"])
    return paths


def test_each_client_gets_the_key_that_it_can_use(listener: Callable[..., RunningListener], tmp_path: Path):
    """ECDSA for most, RSA for a BMC that knows nothing else; a pair of one kind twice is refused by name."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    first = issue(tmp_path, authority, "first", trustme.KeyType.ECDSA)
    second = issue(tmp_path, authority, "second", trustme.KeyType.RSA)
    pairs = first | {f"second_{name}": path for name, path in second.items()}
    with listener({"ingest": {"tls": pairs}}) as running:
        for ciphers, kind in (
            ("", ec.EllipticCurvePublicKey),
            ("ECDHE-ECDSA-AES128-GCM-SHA256", ec.EllipticCurvePublicKey),
            ("ECDHE-RSA-AES128-GCM-SHA256", rsa.RSAPublicKey),
        ):
            context = client_context(tmp_path / "ca.pem", "1.2", ciphers)
            status, certificate, _session, _reused = event_over(running, context)
            assert status == b"200"
            assert isinstance(x509.load_der_x509_certificate(certificate).public_key(), kind), ciphers

    again = issue(tmp_path, authority, "again", trustme.KeyType.ECDSA)
    alike = first | {f"second_{name}": path for name, path in again.items()}
    refused = listener({"ingest": {"tls": alike}}, start=False)
    command = [sys.executable, "-m", "event_listener", "check", "--config", str(refused.config_path)]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert checked.returncode != 0
    assert "have the same kind of key" in checked.stdout + checked.stderr


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_is_resumed_at_any_worker(listener: Callable[..., RunningListener], version: str):
    """The ticket of one worker is good at the other: the second handshake needs no key, wherever it lands."""
    with listener({"ingest": {"workers": 2}}) as running:
        context = client_context(running.ca_path, version)
        one, other = running.pids("worker")
        os.kill(other, signal.SIGSTOP)
        try:
            status, _certificate, session, reused = event_over(running, context)
            assert (status, reused) == (b"200", False)
        finally:
            os.kill(other, signal.SIGCONT)
        os.kill(one, signal.SIGSTOP)
        try:
            status, _certificate, _session, reused = event_over(running, context, session)
            assert (status, reused) == (b"200", True)
        finally:
            os.kill(one, signal.SIGCONT)
