# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates and TLS contexts of a fleet.

The fleet shares one P-256 key (a signature costs 0.05 ms; RSA 2048 costs 1 ms). Each BMC has a certificate of its own,
made at start because its fingerprint is published; its SSLContext is made when somebody first connects.
"""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import ssl
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID_FOR = datetime.timedelta(days=825)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _pem_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


class CertificateAuthority:
    """Signs BMC certificates; kept in a folder as ca.pem and ca-key.pem, so that a fleet can come back under it."""

    def __init__(self, folder: Path) -> None:
        certificate_file, key_file = folder / "ca.pem", folder / "ca-key.pem"
        if certificate_file.exists():
            self.certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
            key = serialization.load_pem_private_key(key_file.read_bytes(), None)
            if not isinstance(key, ec.EllipticCurvePrivateKey):
                raise ValueError(f"The key in {key_file} is no EC key; remove it and ca.pem to get new ones.")
            self.key = key
            return
        folder.mkdir(parents=True, exist_ok=True)
        self.key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name("Simulated fleet CA"))
            .issuer_name(_name("Simulated fleet CA"))
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + VALID_FOR)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.KeyUsage(True, False, False, False, False, True, True, False, False), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
        )
        self.certificate = builder.sign(self.key, hashes.SHA256())
        key_file.touch(mode=0o600)
        key_file.write_bytes(_pem_key(self.key))
        certificate_file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))


class FleetTls:
    """One key for all, one certificate per BMC: self-signed, or issued by a CA."""

    def __init__(self, authority: CertificateAuthority | None = None) -> None:
        self._authority = authority
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._pem_key = _pem_key(self._key)
        self._not_before = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)

    def certificate(self, name: str, address: str) -> BmcTls:
        """Issue the certificate of a BMC: CN its name, SAN its name and address."""
        issuer = self._authority.certificate.subject if self._authority else _name(name)
        signer = self._authority.key if self._authority else self._key
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(issuer)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._not_before)
            .not_valid_after(self._not_before + VALID_FOR)
            .add_extension(
                x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ipaddress.ip_address(address))]),
                critical=False,
            )
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        )
        if self._authority:
            builder = builder.add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._authority.key.public_key()), critical=False
            )
        return BmcTls(builder.sign(signer, hashes.SHA256()), self._pem_key)


class BmcTls:
    """The certificate of one BMC and the context that serves it."""

    def __init__(self, certificate: x509.Certificate, pem_key: bytes) -> None:
        self._certificate = certificate
        self._pem_key = pem_key
        self._context: ssl.SSLContext | None = None

    @property
    def pem(self) -> bytes:
        """The certificate in PEM."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def fingerprint(self) -> str:
        """`sha256:` and the digest of the DER certificate in lowercase hex."""
        der = self._certificate.public_bytes(serialization.Encoding.DER)
        return "sha256:" + hashlib.sha256(der).hexdigest()

    @property
    def context(self) -> ssl.SSLContext:
        """The server context, made on first use."""
        if self._context is None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.num_tickets = 0  # nobody resumes a session: saves a write per handshake
            with tempfile.NamedTemporaryFile(prefix="redfish-simulator-") as chain:  # mode 0600; ssl reads files only
                chain.write(self._pem_key + self.pem)
                chain.flush()
                context.load_cert_chain(chain.name)
            self._context = context
        return self._context


class ListenerTrust:
    """What BMCs know about listeners' certificates: contexts with and without verification, shared by the fleet."""

    def __init__(self, ca_file: str | None = None) -> None:
        self._unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._unverified.check_hostname = False
        self._unverified.verify_mode = ssl.CERT_NONE
        self._verified = ssl.create_default_context(cafile=ca_file)
        self._added: list[str] = []
        self._by_installed: dict[tuple[str, ...], ssl.SSLContext] = {}

    def trust(self, pem: str) -> None:
        """Accept listeners whose certificates chain to these CAs, too. Raises ssl.SSLError where it isn't PEM."""
        self._verified.load_verify_locations(cadata=pem)
        self._added.append(pem)
        self._by_installed.clear()

    def context(self, verify: bool, installed: tuple[str, ...] = ()) -> ssl.SSLContext:
        """The client context for deliveries; `installed` are CA certificates (PEM) of this BMC alone."""
        if not verify:
            return self._unverified
        if not installed:
            return self._verified
        if installed not in self._by_installed:
            context = ssl.create_default_context(cadata="\n".join((*installed, *self._added)))
            self._by_installed[installed] = context
        return self._by_installed[installed]
