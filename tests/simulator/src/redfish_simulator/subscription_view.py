# SPDX-License-Identifier: GPL-3.0-or-later
"""A subscription as the BMC shows it: HttpHeaders hidden, and what else a vendor hides or bends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .answer import Json
from .subscription import Subscription

if TYPE_CHECKING:
    from .bmc import Bmc


def shown(bmc: Bmc, subscription: Subscription) -> Json:
    """The EventDestination resource."""
    traits = bmc.personality.read
    body: Json = {
        "@odata.id": bmc.subscription_uri(subscription),
        "@odata.type": traits.type,
        "Id": int(subscription.id) if traits.integer_ids and subscription.id.isdigit() else subscription.id,
        "Name": f"Event Destination {subscription.id}",
        **{name: value for name, value in subscription.properties.items() if name not in traits.hides},
    }
    if traits.context == "empty":
        body["Context"] = ""
    headers: Json = {
        "null": None,
        "empty": [],
        "readable": [{name: value} for name, value in subscription.http_headers],
    }
    if bmc.personality.create.headers_object:
        headers["readable"] = dict(subscription.http_headers)
    if traits.headers in headers:
        body["HttpHeaders"] = headers[traits.headers]
    if traits.status:
        body["Status"] = {"State": "Enabled" if subscription.enabled else "Disabled", "Health": "OK"}
    if bmc.personality.update.suspends:
        uri = bmc.subscription_uri(subscription)
        body["Actions"] = {
            f"#EventDestination.{name}": {"target": f"{uri}/Actions/EventDestination.{name}"}
            for name in ("SuspendSubscription", "ResumeSubscription")
        }
    if bmc.personality.service.certificates == "subscription":
        body["Certificates"] = {"@odata.id": f"{bmc.subscription_uri(subscription)}/Certificates"}
    return body
