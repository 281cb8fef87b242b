# SPDX-License-Identifier: GPL-3.0-or-later
"""CA certificates by which a BMC verifies listeners: at the subscription (standard) or the service (HPE, AMI)."""

from __future__ import annotations

import ssl

from ..answer import Answer, Json, not_found, problem
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
    path = PLACES.get(kind, f"{SERVICE}/{personality.service.subscriptions_path}/{{id}}/Certificates")
    return {path: {"GET": listing, "POST": install}, f"{path}/{{number}}": {"GET": one, "DELETE": remove}}


def _installed(call: Call) -> list[str]:
    if "id" not in call.params:
        return call.bmc.certificates
    subscription = call.bmc.subscriptions.get(call.params["id"])
    if subscription is None:
        raise not_found("EventDestination", call.params["id"])
    return subscription.certificates


def _shown(uri: str, number: int, pem: str) -> Json:
    return {
        "@odata.id": f"{uri}/{number}",
        "@odata.type": "#Certificate.v1_9_0.Certificate",
        "Id": str(number),
        "Name": f"Certificate {number}",
        "CertificateString": pem,
        "CertificateType": "PEM",
    }


def listing(call: Call) -> Answer:
    """The certificates installed here."""
    members = [link(f"{call.path}/{n + 1}") for n in range(len(_installed(call)))]
    return Answer(body=collection(call.path, "Certificate", members))


def install(call: Call) -> Answer:
    """POST a CA certificate: {"CertificateString": PEM, "CertificateType": "PEM"}; HPE says X509Certificate."""
    body = call.body()
    pem = body.get("CertificateString", body.get("X509Certificate"))
    if not isinstance(pem, str):
        raise problem(400, "PropertyMissing", "CertificateString", prop="CertificateString")
    try:
        ssl.create_default_context(cadata=pem)
    except ssl.SSLError:
        raise problem(400, "PropertyValueFormatError", "...", "CertificateString", prop="CertificateString") from None
    installed = _installed(call)
    installed.append(pem)
    shown = _shown(call.path, len(installed), pem)
    return Answer(201, shown, {"Location": shown["@odata.id"]})


def _index(call: Call) -> int:
    number = call.params["number"]
    if not number.isdigit() or not 1 <= int(number) <= len(_installed(call)):
        raise not_found("Certificate", number)
    return int(number) - 1


def one(call: Call) -> Answer:
    """One certificate."""
    index = _index(call)
    return Answer(body=_shown(call.path.rpartition("/")[0], index + 1, _installed(call)[index]))


def remove(call: Call) -> Answer:
    """DELETE a certificate."""
    del _installed(call)[_index(call)]
    return Answer(204)
