# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates for the peers: a server's for the loopback address and a client's, of one authority."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)


class Certificates(NamedTuple):
    """PEM files. ``other_ca`` signed none of them: who trusts it alone must refuse the server."""

    ca: Path
    server_certificate: Path
    server_key: Path
    client_certificate: Path
    client_key: Path
    other_ca: Path


def _write(path: Path, *blobs: bytes) -> Path:
    path.write_bytes(b"".join(blobs))
    path.chmod(0o644)  # the peers run as users of their own; these keys protect nothing
    return path


def _pkcs8(key: trustme.Blob) -> bytes:
    """The key in the one format that Java reads too."""
    loaded = load_pem_private_key(key.bytes(), password=None)
    return loaded.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def issue(directory: Path) -> Certificates:
    """Write a set of them into an existing directory."""
    authority = trustme.CA()
    return Certificates(
        _write(directory / "ca.pem", authority.cert_pem.bytes()),
        *_issue(authority, directory, "server"),
        *_issue(authority, directory, "client"),
        _write(directory / "other-ca.pem", trustme.CA().cert_pem.bytes()),
    )


def _issue(authority: trustme.CA, directory: Path, name: str) -> tuple[Path, Path]:
    issued = authority.issue_cert("localhost", "127.0.0.1", common_name=f"redfleet test {name}")
    chain = (blob.bytes() for blob in issued.cert_chain_pems)
    return _write(directory / f"{name}.pem", *chain), _write(directory / f"{name}.key", _pkcs8(issued.private_key_pem))
