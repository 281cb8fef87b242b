# SPDX-License-Identifier: GPL-3.0-or-later
"""Prove from the listener's host that it works: prove.py SECONDS MANAGE_BIND CERTIFICATE BIND [BIND ...].

Waits up to SECONDS until every address answers a POST without credentials with 401 (or 403, where this host isn't in
`ingest.allowed_networks`), over TLS with the very certificate in the PEM file CERTIFICATE (empty: over plain HTTP), and
`/health/ready` answers 200. Prints one line per address; exits with 1 and the reason when one of them doesn't.
"""

from __future__ import annotations

import hashlib
import http.client
import socket
import ssl
import sys
import time
from pathlib import Path

LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  (compared, never bound)


class NotProvenError(Exception):
    """What the listener did instead of what it should; the text says it in full."""


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket; the host name is its path."""

    def connect(self) -> None:
        """Connect to the path."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.host)


def connection(bind: str, tls: bool) -> http.client.HTTPConnection:
    """Return a connection to an address as the settings write it; a wildcard is asked on loopback."""
    if bind.startswith("unix:"):
        plain = UnixConnection("localhost", timeout=5)
        plain.host = bind.removeprefix("unix:")
        return plain
    host, _colon, port = bind.rpartition(":")
    host = LOOPBACK.get(host.strip("[]"), host.strip("[]"))
    if not tls:
        return http.client.HTTPConnection(host, int(port), timeout=5)
    # The name in the certificate is the BMCs' view, not loopback's; what counts here is that it is the deployed one.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, int(port), timeout=5, context=context)


def fingerprint(pem: str) -> str:
    """Return the SHA-256 of the first certificate of a PEM text."""
    end = "-----END CERTIFICATE-----"
    return hashlib.sha256(
        ssl.PEM_cert_to_DER_cert(pem[pem.index("-----BEGIN") : pem.index(end) + len(end)])
    ).hexdigest()


def prove_ingest(bind: str, certificate: str) -> str:
    """Return a line of proof. Raises NotProvenError, OSError or HTTPException."""
    client = connection(bind, tls=bool(certificate))
    try:
        client.connect()
        if isinstance(client.sock, ssl.SSLSocket):
            served = hashlib.sha256(client.sock.getpeercert(binary_form=True) or b"").hexdigest()
            if served != fingerprint(Path(certificate).read_text()):
                raise NotProvenError(f"{bind} serves another certificate than {certificate}")
        client.request("POST", "/", body=b"{}", headers={"Content-Type": "application/json"})
        status = client.getresponse().status
    finally:
        client.close()
    refusals = {
        http.HTTPStatus.UNAUTHORIZED: "asks for credentials",
        http.HTTPStatus.FORBIDDEN: "refuses this host, which isn't in ingest.allowed_networks",
    }
    if status not in refusals:
        raise NotProvenError(f"{bind} answers a POST without credentials with {status} instead of 401")
    return f"{bind} answers {'with the deployed certificate' if certificate else 'without TLS'} and {refusals[status]}"


def prove_ready(bind: str) -> str:
    """Return a line of proof. Raises NotProvenError, OSError or HTTPException."""
    client = connection(bind, tls=False)
    try:
        client.request("GET", "/health/ready")
        answer = client.getresponse()
        text = answer.read(2000).decode(errors="replace")
    finally:
        client.close()
    # 401: the settings keep health for those with a token; that it answers is what can be seen from here.
    if answer.status not in (http.HTTPStatus.OK, http.HTTPStatus.UNAUTHORIZED):
        raise NotProvenError(f"{bind}/health/ready answers {answer.status}: {text.strip()}")
    return f"{bind} is ready"


def absent_family(bind: str) -> bool:
    """Return whether the address is the IPv6 wildcard on a host without IPv6, which the listener leaves out."""
    if not bind.startswith("[::]"):
        return False
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return True
    return False


def main(arguments: list[str]) -> int:
    """Prove everything, or say what could not be proven."""
    deadline = time.monotonic() + float(arguments[0])
    manage, certificate, binds = arguments[1], arguments[2], arguments[3:]
    while True:
        try:
            lines = [prove_ingest(bind, certificate) for bind in binds if not absent_family(bind)]
            lines.append(prove_ready(manage))
        except (OSError, http.client.HTTPException, NotProvenError) as error:
            if time.monotonic() > deadline:
                print(f"{type(error).__name__}: {error}", file=sys.stderr)
                return 1
            time.sleep(0.25)
        else:
            print("\n".join(lines))
            return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
