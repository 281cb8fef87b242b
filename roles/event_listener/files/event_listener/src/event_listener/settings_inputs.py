# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of message buses that events come from."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from event_listener.settings_base import Secret, Section
from event_listener.settings_bus import ClientTls, Host, SinkName

ExchangeName = Annotated[str, Meta(min_length=1, max_length=127)]


class AmqpInput(Section, frozen=True, kw_only=True):
    """RabbitMQ (AMQP 0-9-1), and a bounded queue of our own there."""

    hosts: Annotated[
        list[Host],
        Meta(min_length=1, description="`host:port` of the cluster's nodes, tried in turn; 5672 (TLS: 5671)."),
    ]
    virtual_host: Annotated[str, Meta(min_length=1, description="Virtual host.")] = "/"
    username: Annotated[str, Meta(description="User name.")] = "guest"
    password: Annotated[Secret | None, Meta(description="Password.")] = None
    tls: Annotated[ClientTls | None, Meta(description="Speak TLS; without this section, plain TCP.")] = None
    heartbeat: Annotated[
        int, Meta(ge=2, le=600, description="Seconds between heartbeats; a silent peer is left after two.")
    ] = 15
    timeout: Annotated[float, Meta(gt=0, le=60, description="Seconds that connecting may take.")] = 10.0
    queue: Annotated[
        str, Meta(min_length=1, max_length=200, description="Our own queue; made if it isn't there. Nobody else's.")
    ] = "redfleet-events"
    queue_type: Annotated[
        Literal["quorum", "classic"],
        Meta(description="`quorum` survives the loss of a node of a cluster; `classic` is durable on one."),
    ] = "quorum"
    max_length: Annotated[
        int,
        Meta(
            ge=100,
            le=100_000_000,
            description="Messages that wait there at most. Beyond it the oldest are dropped, counted and told by an "
            "alert: the services that send are never held up.",
        ),
    ] = 200_000
    prefetch: Annotated[
        int, Meta(ge=1, le=10000, description="Messages taken at once, before they are stored and acknowledged.")
    ] = 500


class Enrich(Section, frozen=True, kw_only=True):
    """The account that asks Neutron and Nova whom a security group change affects; it reads in all projects."""

    clouds_file: Annotated[
        str, Meta(min_length=1, description="A `clouds.yaml` that the service's account may read (openstacksdk).")
    ] = "/etc/openstack/clouds.yaml"
    cloud: Annotated[str, Meta(min_length=1, description="The name of the cloud in it.")]
    requests_per_second: Annotated[
        float, Meta(gt=0, le=1000, description="Most requests to Neutron and Nova in a second.")
    ] = 10.0
    timeout: Annotated[float, Meta(gt=0, le=600, description="Seconds that a request may take.")] = 30.0


class OpenStack(AmqpInput, frozen=True, kw_only=True):
    """OpenStack's notifications: `event-listener source openstack` (docs/openstack.md)."""

    name: Annotated[SinkName, Meta(description="The source of its events, in the event log and in the registry.")] = (
        "openstack"
    )
    exchanges: Annotated[
        list[ExchangeName],
        Meta(
            min_length=1,
            description="The services' exchanges (their `control_exchange`). They are never made here: one that isn't "
            "there is looked for again every minute.",
        ),
    ] = field(default_factory=lambda: ["neutron", "nova", "keystone", "cinder", "glance", "openstack"])
    topics: Annotated[
        list[Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,100}$")]],
        Meta(min_length=1, description="The services' notification topics; of each, all priorities."),
    ] = field(default_factory=lambda: ["notifications", "versioned_notifications"])

    security_groups: Annotated[
        Enrich | None,
        Meta(
            description="Tell of each security group change, and of the addresses it affects, by an event "
            "`RedfleetEvents.SecurityGroupChanged`. Without this section: don't."
        ),
    ] = None

    def __post_init__(self) -> None:
        if self.name == "own":  # such ids are those of the listener's own events, which are believed (scans/addresses)
            msg = "name: own is the listener's; give another"
            raise ValueError(msg)
