# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of webhooks. Where CloudStack has the same setting, its path here is CloudStack's name."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from msgspec import Meta, field

from event_listener.settings_base import Section


class WebhookCleanup(Section, frozen=True):
    """When old deliveries are removed."""

    interval: Annotated[float, Meta(ge=0.05, le=86400, description="Seconds between clean-ups.")] = 3600
    initial_delay: Annotated[
        float, Meta(ge=0, le=86400, description="Seconds from the start of the relay to the first one.")
    ] = 180


class WebhookDeliveries(Section, frozen=True):
    """How many deliveries are kept."""

    limit: Annotated[
        int,
        Meta(ge=0, le=10000, description="Deliveries kept per webhook that are delivered or failed, the newest ones."),
    ] = 10
    pending: Annotated[
        int,
        Meta(
            ge=1,
            le=100000,
            description="Deliveries that wait per webhook; more events stay in the event log until there is room.",
        ),
    ] = 1000
    cleanup: Annotated[WebhookCleanup, Meta(description="Removing old ones.")] = field(default_factory=WebhookCleanup)


class WebhookDelivery(Section, frozen=True):
    """How events are delivered."""

    thread_pool_size: Annotated[
        int,
        Meta(
            ge=2,
            le=256,
            description="Webhooks that are sent to at once; slow and failing ones get half of it, so they stop nobody.",
        ),
    ] = 16
    tries: Annotated[int, Meta(ge=1, le=100, description="Attempts of one delivery before it has failed.")] = 15
    timeout: Annotated[
        float, Meta(gt=0, le=60, description="Seconds that one attempt may take, from connecting to the answer's end.")
    ] = 10
    retry_base: Annotated[
        float,
        Meta(
            gt=0, le=3600, description="Seconds between the first two attempts; doubled after each, half of it chance."
        ),
    ] = 5
    retry_longest: Annotated[float, Meta(gt=0, le=86400, description="Most seconds between two attempts.")] = 21600
    disable_after: Annotated[
        float,
        Meta(
            ge=0,
            description="Seconds for which every attempt failed until a webhook is disabled, with an alert; 0: never.",
        ),
    ] = 432000
    response_limit: Annotated[int, Meta(ge=0, le=1048576, description="Bytes of an answer that are read and kept.")] = (
        8192
    )
    allow_http: Annotated[
        bool, Meta(description="Take URLs without TLS. Who listens in sees events, and can answer.")
    ] = False


Networks = list[str]


class Webhooks(Section, frozen=True):
    """Events posted to whom users of the API name. See webhooks.md."""

    limit: Annotated[int, Meta(ge=0, le=10000, description="Most webhooks of one owner: an account, or a domain.")] = 50
    deliveries: Annotated[WebhookDeliveries, Meta(description="What is kept.")] = field(
        default_factory=WebhookDeliveries
    )
    delivery: Annotated[WebhookDelivery, Meta(description="How it is sent.")] = field(default_factory=WebhookDelivery)
    user_networks: Annotated[
        Networks,
        Meta(
            description="Private CIDR networks that users may give URLs in. Admins may give any; nobody those that are "
            "always refused."
        ),
    ] = field(default_factory=list)
    blocklist: Annotated[
        Networks, Meta(description="CIDR networks that nothing is sent to, beside those that are always refused.")
    ] = field(default_factory=list)
    exempt_networks: Annotated[
        Networks,
        Meta(
            description="CIDR networks that are not refused though they would be (this host, loopback, next to BMCs). "
            "The listener's own ports, its database and brokers are refused all the same."
        ),
    ] = field(default_factory=list)
    bmc_prefix: Annotated[
        int,
        Meta(ge=8, le=32, description="Prefix length of the IPv4 networks around registered BMCs that are refused."),
    ] = 24

    def __post_init__(self) -> None:
        for name in ("user_networks", "blocklist", "exempt_networks"):
            for network in getattr(self, name):
                try:
                    ipaddress.ip_network(network)
                except ValueError as error:
                    msg = f"{name}: {error}"
                    raise ValueError(msg) from error
