# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The CA certificates by which a BMC verifies event destinations: where they are kept, what is there, add and remove.

Standard: EventDestination.Certificates (since v1_9_0), one collection per subscription. HPE and AMI have one per
EventService. A store that is for something else (log-ins of users, say) is never used.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from typing import Any

from ansible_collections.redfleet.events.plugins.module_utils import _certificate
from ansible_collections.redfleet.events.plugins.module_utils._capabilities import vendor_of
from ansible_collections.redfleet.events.plugins.module_utils._collection import members_of
from ansible_collections.redfleet.events.plugins.module_utils._errors import (
    InvalidInputError,
    RedfishError,
    UnsupportedError,
    error_for,
)
from ansible_collections.redfleet.events.plugins.module_utils._event_service import EventService
from ansible_collections.redfleet.events.plugins.module_utils._subscription import normal_destination, uri_of

try:
    from cryptography import x509
except ImportError:
    CRYPTOGRAPHY_MISSING: str | None = traceback.format_exc()
else:
    CRYPTOGRAPHY_MISSING = None

Resource = dict[str, Any]
END = "-----END CERTIFICATE-----"
# Why a vendor's BMCs are refused; what can't be known from public sources is said as such.
REFUSED = {
    "OPENBMC": "OpenBMC has no place for it: Managers/bmc/Truststore holds the CAs of users who log in with a "
    "certificate, and a CA there could log in. Use a listener certificate of a CA that its image trusts, "
    "or set verify_certificate to false.",
    "DELL": "No public source says how an iDRAC is taught a CA for event destinations. Use a certificate of a CA "
    "that it knows, or switch the check off by the option ignore_certificate_errors of event_service.",
}


@dataclass(frozen=True)
class Authority:
    """A CA certificate. `serial` is lower case hex without zeros in front, `until` a date (YYYY-MM-DD)."""

    pem: str
    subject: str
    serial: str
    fingerprint: str
    until: str

    def described(self) -> Resource:
        """What results and diffs show."""
        return {"subject": self.subject, "serial": self.serial, "fingerprint": self.fingerprint, "until": self.until}


@dataclass(frozen=True)
class CaStore:
    """A collection of CA certificates; `target` is the action that adds to it, where POST to it doesn't."""

    kind: str
    uri: str
    target: str | None = None


def authorities(texts: list[str]) -> list[Authority]:
    """The certificates in PEM texts, which may hold several each.

    :raises InvalidInputError: no certificate, one that can't be read, or one that is no CA's.
    """
    if CRYPTOGRAPHY_MISSING:
        raise InvalidInputError("The Python package cryptography is missing.", "Install it where this task runs.")
    found = {}
    for text in texts:
        for part in text.split(END)[:-1]:
            authority = _authority(part[part.find("-----BEGIN") :] + END + "\n")
            found[authority.fingerprint] = authority
    if not found:
        raise InvalidInputError("certificates holds no PEM certificate.", "Give the text of a file such as ca.pem.")
    return list(found.values())


def _authority(pem: str) -> Authority:
    try:
        certificate = _certificate.load_certificate(pem.encode(), "certificates")
    except _certificate.CertificateError as error:
        raise InvalidInputError(str(error)) from error
    if not _may_sign(certificate):
        raise InvalidInputError(
            f"{certificate.subject.rfc4514_string()} is no CA certificate.",
            "Give the certificate of the authority that issued the listener's.",
        )
    return _described(certificate, pem)


def _may_sign(certificate: Any) -> bool:
    try:
        return bool(certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
    except x509.ExtensionNotFound:
        return certificate.issuer == certificate.subject  # version 1 roots


def _described(certificate: Any, pem: str) -> Authority:
    return Authority(
        pem=pem,
        subject=certificate.subject.rfc4514_string(),
        serial=f"{certificate.serial_number:x}",
        fingerprint=_certificate.fingerprint(certificate),
        until=f"{_certificate.not_after(certificate):%Y-%m-%d}",
    )


def stores(service: EventService, destination: str) -> list[CaStore]:
    """Where this BMC keeps the CAs for the destination.

    :raises UnsupportedError: nowhere, or nobody knows.
    """
    shared = _service_store(service)
    if shared:
        return [shared]
    wanted = normal_destination(destination)
    members = [one for one in service.subscriptions() if normal_destination(str(one.get("Destination"))) == wanted]
    links = [link for link in (one.get("Certificates") for one in members) if isinstance(link, dict) and uri_of(link)]
    if links:
        return [CaStore("subscription", uri_of(link)) for link in links]
    vendor = vendor_of(service.client.root)
    if vendor.upper() in REFUSED:
        raise UnsupportedError(f"{service.where} can't be given a CA for event destinations.", REFUSED[vendor.upper()])
    if not members:
        raise UnsupportedError(
            f"{service.where} has no subscription to {destination}.",
            "By the standard its certificates belong to the subscription, so subscribe first.",
        )
    raise UnsupportedError(
        f"{service.where} shows no place for CA certificates.", "Its firmware may be too old; see docs/trust.md."
    )


def _service_store(service: EventService) -> CaStore | None:
    """The vendor's collection for the whole EventService.

    HPE, iLO 5 1.20 and newer: Oem.Hpe.CACertificates, read and delete, and the action ImportCACertificate (HPE's
    resource definitions of HpeEventService and HpeCertificate). AMI MegaRAC: Oem.Ami.Certificates (gofish).
    """
    oem = service.settings.get("Oem")
    hpe = oem.get("Hpe") if isinstance(oem, dict) else None
    if isinstance(hpe, dict) and isinstance(hpe.get("CACertificates"), dict):
        action = (hpe.get("Actions") or {}).get("#HpeEventService.ImportCACertificate") or {}
        return CaStore("hpe", uri_of(hpe["CACertificates"]), action.get("target"))
    ami = oem.get("Ami") if isinstance(oem, dict) else None
    if isinstance(ami, dict) and isinstance(ami.get("Certificates"), dict):
        return CaStore("ami", uri_of(ami["Certificates"]))
    return None


def installed(service: EventService, store: CaStore) -> list[Resource]:
    """The certificates of a store, as the BMC shows them."""
    return members_of(service.client, store.uri)


def same(authority: Authority, member: Resource) -> bool:
    """Whether a member of a store is this certificate. HPE shows serial number and dates, not the certificate."""
    pem = member.get("CertificateString")
    if isinstance(pem, str) and END in pem:
        try:
            shown = _certificate.load_certificate(pem.encode(), uri_of(member))
        except _certificate.CertificateError:
            return False
        return _certificate.fingerprint(shown) == authority.fingerprint
    serial = str(member.get("SerialNumber") or "").lower().replace(":", "").replace(" ", "").removeprefix("0x")
    until = str(member.get("ValidNotAfter") or authority.until)
    return serial.lstrip("0") == authority.serial.lstrip("0") and until.startswith(authority.until)


def install(service: EventService, store: CaStore, authority: Authority) -> None:
    """Add a certificate, and look whether it is there.

    :raises RedfishError: the BMC refuses it, or takes it and doesn't show it.
    """
    if store.target:
        answer = service.client.ask("POST", store.target, {"Certificate": authority.pem})
    else:
        body = {"CertificateString": authority.pem, "CertificateType": "PEM"}
        answer = service.client.ask("POST", store.uri, body)
    if not answer.ok:
        raise error_for(answer)
    if not any(same(authority, member) for member in installed(service, store)):
        raise UnsupportedError(
            f"{service.where} accepted the CA {authority.subject} but does not show it in {store.uri}.",
            "Look at its firmware's notes; it may take only one certificate.",
            answer.status,
        )


def remove(service: EventService, member: Resource) -> None:
    """Delete a certificate; one that is gone already is fine.

    :raises RedfishError: the BMC refuses.
    """
    answer = service.client.ask("DELETE", uri_of(member))
    if not answer.ok and answer.status not in (404, 410):
        raise error_for(answer)


def apply_trust(service: EventService, params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Have the CAs in the BMC's stores, or not; the keys of the module's result."""
    wanted, present = authorities(params["certificates"]), params["state"] == "present"
    found = stores(service, params["destination"])
    changed: list[Resource] = []
    try:
        for store in found:
            changed += _applied(service, store, wanted, present, check_mode)
    except RedfishError as error:
        error.changed = bool(changed) and not check_mode
        raise
    shown = [authority.described() for authority in wanted]
    touched = [item["authority"] for item in changed]
    before, after = (touched, []) if not present else ([], touched)
    verb = ("would be " if check_mode else "was ") + ("installed" if present else "removed")
    kind = found[0].kind
    return {
        "changed": bool(changed),
        "place": kind,
        "stores": [store.uri for store in found],
        "certificates": shown,
        "diff": {"before": {"certificates": before}, "after": {"certificates": after}},
        "msg": f"{len(touched)} certificates: {verb} on {service.where}."
        if touched
        else f"{service.where} already is as declared.",
        "service": service.identity(),
    }


def _applied(
    service: EventService, store: CaStore, wanted: list[Authority], present: bool, check_mode: bool
) -> list[Resource]:
    """Make one store as declared; what was done, or would be."""
    members, done = installed(service, store), []
    for authority in wanted:
        there = [member for member in members if same(authority, member)]
        if present is bool(there):
            continue
        if not check_mode and present:
            install(service, store, authority)
        for member in [] if check_mode or present else there:
            remove(service, member)
        done.append({"store": store.uri, "authority": authority.described()})
    return done
