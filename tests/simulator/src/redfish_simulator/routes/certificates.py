# SPDX-License-Identifier: GPL-3.0-or-later
"""CA certificates by which a BMC verifies listeners: at the subscription (standard) or the service (HPE, AMI)."""

from __future__ import annotations

import ssl

from cryptography import x509

from ..answer import Answer, Json, info, not_found, problem
from ..call import Call
from ..personality import Personality
from ..resources import ROOT, collection, link
from ..router import Handler

SERVICE = f"{ROOT}/EventService"
PLACES = {"hpe": f"{SERVICE}/CACertificates", "ami": f"{SERVICE}/Certificates"}


def routes(personality: Personality) -> dict[str, dict[str, Handler]]:
    """Paths of this part."""
    kind = personality.service.certificates
    if kind == "none":
        return {}
    if kind == "hpe":
        # iLO 5 1.20 and newer: the collection can be read, items deleted; an action adds to it (HPE resource
        # definitions, HpeCertificate and HpeEventService.ImportCACertificate).
        return {
            PLACES[kind]: {"GET": listing},
            f"{PLACES[kind]}/{{number}}": {"GET": one, "DELETE": remove},
            f"{SERVICE}/Actions/Oem/Hpe/HpeEventService.ImportCACertificate": {"POST": import_authority},
        }
    path = PLACES.get(kind, f"{SERVICE}/{personality.service.subscriptions_path}/{{id}}/Certificates")
    return {path: {"GET": listing, "POST": install}, f"{path}/{{number}}": {"GET": one, "DELETE": remove}}


def _installed(call: Call) -> list[str]:
    if "id" not in call.params:
        return call.bmc.certificates
    subscription = call.bmc.subscriptions.get(call.params["id"])
    if subscription is None:
        raise not_found("EventDestination", call.params["id"])
    return subscription.certificates


def _shown(personality: Personality, uri: str, number: int, pem: str) -> Json:
    if personality.service.certificates == "hpe":
        return _hpe(uri, number, x509.load_pem_x509_certificate(pem.encode()))
    return {
        "@odata.id": f"{uri}/{number}",
        "@odata.type": "#Certificate.v1_9_0.Certificate",
        "Id": str(number),
        "Name": f"Certificate {number}",
        "CertificateString": pem,
        "CertificateType": "PEM",
    }


def _hpe(uri: str, number: int, certificate: x509.Certificate) -> Json:
    """HpeCertificate tells who and when, never the certificate itself."""
    return {
        "@odata.id": f"{uri}/{number}",
        "@odata.type": "#HpeCertificate.v1_0_0.HpeCertificate",
        "Id": str(number),
        "Name": f"Certificate {number}",
        "Issuer": certificate.issuer.rfc4514_string(),
        "SerialNumber": f"{certificate.serial_number:x}".upper(),
        "Subject": certificate.subject.rfc4514_string(),
        "ValidNotAfter": f"{certificate.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}",
        "ValidNotBefore": f"{certificate.not_valid_before_utc:%Y-%m-%dT%H:%M:%SZ}",
    }


def listing(call: Call) -> Answer:
    """The certificates installed here."""
    members = [link(f"{call.path}/{n + 1}") for n in range(len(_installed(call)))]
    return Answer(body=collection(call.path, "Certificate", members))


def _pem(call: Call, name: str) -> str:
    """The certificate in the body. Raises RedfishProblem (400)."""
    pem = call.body().get(name)
    if not isinstance(pem, str):
        raise problem(400, "PropertyMissing", name, prop=name)
    try:
        ssl.create_default_context(cadata=pem)
    except (ssl.SSLError, ValueError):
        raise problem(400, "PropertyValueFormatError", "...", name, prop=name) from None
    return pem


def import_authority(call: Call) -> Answer:
    """POST {"Certificate": PEM} to HPE's action."""
    call.bmc.certificates.append(_pem(call, "Certificate"))
    return Answer(200, {"error": {"code": "iLO.0.10.ExtendedInfo", "@Message.ExtendedInfo": [info("Success")]}})


def install(call: Call) -> Answer:
    """POST a CA certificate: {"CertificateString": PEM, "CertificateType": "PEM"} (Certificate v1_9_0)."""
    pem = _pem(call, "CertificateString")
    installed = _installed(call)
    installed.append(pem)
    shown = _shown(call.bmc.personality, call.path, len(installed), pem)
    return Answer(201, shown, {"Location": shown["@odata.id"]})


def _index(call: Call) -> int:
    number = call.params["number"]
    if not number.isdigit() or not 1 <= int(number) <= len(_installed(call)):
        raise not_found("Certificate", number)
    return int(number) - 1


def one(call: Call) -> Answer:
    """One certificate."""
    index = _index(call)
    uri = call.path.rpartition("/")[0]
    return Answer(body=_shown(call.bmc.personality, uri, index + 1, _installed(call)[index]))


def remove(call: Call) -> Answer:
    """DELETE a certificate."""
    del _installed(call)[_index(call)]
    return Answer(204)
