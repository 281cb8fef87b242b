# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A private certificate authority for one fleet, and the leaf certificates it issues.

Only builds and judges keys and certificates; files are the business of M(redfleet.events.fleet_certificate).
Every private key that leaves this file is PEM, PKCS#8, encrypted with the fleet's passphrase.
"""

from __future__ import annotations

import datetime
import ipaddress
import traceback

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    CRYPTOGRAPHY_IMPORT_ERROR = None
except ImportError:
    CRYPTOGRAPHY_IMPORT_ERROR = traceback.format_exc()

# Clocks of BMCs are often minutes off, and some have only a date: a certificate is valid from a day before its issue.
BACKDATE = datetime.timedelta(days=1)


class CertificateError(Exception):
    """What is wrong with a key or certificate, where, and what to do about it, in one sentence."""


def utcnow():
    """Return the current time as the aware UTC datetime that certificates are compared with."""
    return datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)


def make_key(key_type):
    """Return a new private key: C(ecdsa) is P-256, C(rsa) is 3072 bits, for BMCs that know nothing newer."""
    if key_type == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=3072)
    return ec.generate_private_key(ec.SECP256R1())


def encrypt_key(key, passphrase):
    """Return the private key as encrypted PKCS#8 PEM (bytes)."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase.encode("utf-8")),
    )


def decrypt_key(pem, passphrase, where):
    """Return the private key object of an encrypted PEM; O(where) names it in the error."""
    try:
        return serialization.load_pem_private_key(pem, passphrase.encode("utf-8"))
    except (ValueError, TypeError) as error:
        # The library's text never holds the passphrase, but it does hold OpenSSL's internals: say it in our words.
        raise CertificateError(
            f"The private key in {where} can't be opened with the given passphrase. "
            "Give the passphrase it was made with, or move the file away to have a new one made."
        ) from error


def plain_key(pem, passphrase, where):
    """Return an encrypted key as unencrypted PKCS#8 PEM text, for the server that has to use it."""
    key = decrypt_key(pem, passphrase, where)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode("ascii")


def to_pem(certificate):
    """Return a certificate as PEM (bytes)."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def load_certificate(pem, where):
    """Return the first certificate of a PEM file's bytes."""
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise CertificateError(
            f"{where} doesn't hold a PEM certificate. Restore it, or move it away to have a new one made."
        ) from error


def not_after(certificate):
    """Return the end of validity as an aware UTC datetime, whichever release of cryptography is installed."""
    if hasattr(certificate, "not_valid_after_utc"):
        return certificate.not_valid_after_utc
    return certificate.not_valid_after.replace(tzinfo=datetime.timezone.utc)


def fingerprint(certificate):
    """Return C(sha256:) and the lower-case hex digest of the certificate's DER form."""
    return "sha256:" + certificate.fingerprint(hashes.SHA256()).hex()


def general_names(names):
    """Return the names as SAN entries: what reads as an IP address becomes an IP SAN, the rest DNS."""
    return [_general_name(name) for name in names]


def _general_name(name):
    bare = name.strip("[]")
    try:
        return x509.IPAddress(ipaddress.ip_address(bare)) if _is_address(bare) else x509.DNSName(_ascii(name))
    except UnicodeError as error:
        raise CertificateError(
            f"{name!r} is neither an IP address nor a host name. Correct it in the list of names."
        ) from error


def _is_address(text):
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _ascii(name):
    return name.encode("idna").decode("ascii")


def names_of(certificate):
    """Return the certificate's SAN entries as a set of strings."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {str(entry.value) for entry in extension}


def _subject(common_name):
    # X.520 limits a common name to 64 characters; clients look at the SANs anyway.
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])


def _usage(authority):
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _subtree(name):
    try:
        return x509.IPAddress(ipaddress.ip_network(name))
    except ValueError as error:
        if "/" in name or _is_address(name):
            raise CertificateError(f"{name!r} is not a network. Write it as 192.0.2.0/24 or 2001:db8::/32.") from error
        return x509.DNSName(_ascii(name.lstrip(".")))


def not_permitted(authority, names):
    """Return those of the names that the authority's name constraints (RFC 5280, 4.2.1.10) exclude."""
    try:
        constraints = authority.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return []
    trees = [entry.value for entry in constraints.permitted_subtrees or ()]
    return [name for name, entry in zip(names, general_names(names)) if not _is_below(entry.value, trees)]


def _is_below(value, trees):
    if isinstance(value, str):
        return any(isinstance(tree, str) and ("." + value.lower()).endswith("." + tree.lower()) for tree in trees)
    return any(not isinstance(tree, str) and value in tree for tree in trees)


def _constraints(permitted):
    """Return name constraints. Of a kind that isn't named nothing is allowed: RFC 5280 would allow all of it."""
    trees = [_subtree(name) for name in permitted]
    kinds = {type(tree) for tree in trees}
    excluded = [] if x509.DNSName in kinds else [x509.DNSName("")]
    if x509.IPAddress not in kinds:
        excluded += [x509.IPAddress(ipaddress.ip_network(every)) for every in ("0.0.0.0/0", "::/0")]
    return x509.NameConstraints(permitted_subtrees=trees, excluded_subtrees=excluded or None)


def make_authority(key, common_name, days, permitted=(), now=None):
    """Return a self-signed CA certificate that may sign leaf certificates only, for what is permitted (empty: all)."""
    now = now or utcnow()
    public = key.public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(_subject(common_name))
        .issuer_name(_subject(common_name))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )
    if permitted:
        builder = builder.add_extension(_constraints(permitted), critical=True)
    return builder.sign(key, hashes.SHA256())


def make_leaf(key, names, days, authority, authority_key, now=None):
    """Return a server certificate for the names, signed by the authority and never outliving it."""
    now = now or utcnow()
    public = key.public_key()
    issuer_id = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        x509.CertificateBuilder()
        .subject_name(_subject(names[0]))
        .issuer_name(authority.subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(min(now + datetime.timedelta(days=days), not_after(authority)))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(general_names(names)), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_id), critical=False)
        .sign(authority_key, hashes.SHA256())
    )


def key_type_of(certificate):
    """Return C(rsa) or C(ecdsa), what the certificate's public key is."""
    return "rsa" if isinstance(certificate.public_key(), rsa.RSAPublicKey) else "ecdsa"


def is_signed_by(certificate, authority):
    """Return whether the authority's key signed the certificate."""
    try:
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def reason_to_issue(certificate, names, key_type, authority, renew_days, now=None):
    """Return why a leaf certificate has to be issued again, or an empty string when it is as declared."""
    now = now or utcnow()
    wanted = {str(entry.value) for entry in general_names(names)}
    if names_of(certificate) != wanted:
        return "names differ"
    if key_type_of(certificate) != key_type:
        return "key type differs"
    if not is_signed_by(certificate, authority):
        return "another authority signed it"
    remaining = not_after(certificate) - now
    # A leaf that already lives as long as its authority gains nothing from being issued again.
    if remaining < datetime.timedelta(days=renew_days) and not_after(certificate) < not_after(authority):
        return "expires soon"
    if remaining <= datetime.timedelta(0):
        return "expired"
    return ""
