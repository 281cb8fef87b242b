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

    @property
    def place(self) -> str:
        """Where messages wait for us."""
        return self.queue

    def lost(self, count: int) -> str:
        """What to tell when the bus gave up messages."""
        return (
            f"The queue {self.queue} at RabbitMQ was full ({self.max_length}): at least {count} of its oldest messages "
            "were dropped. Raise its max_length, or see why they weren't taken."
        )


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
        _check_name(self.name)


class CloudStack(AmqpInput, frozen=True, kw_only=True):
    """CloudStack's event bus on RabbitMQ: `event-listener source cloudstack` (docs/cloudstack.md)."""

    name: Annotated[SinkName, Meta(description="The source of its events, in the event log and in the registry.")] = (
        "cloudstack"
    )
    queue: Annotated[
        str, Meta(min_length=1, max_length=200, description="Our own queue; made if it isn't there. Nobody else's.")
    ] = "redfleet-cloudstack"
    exchange: Annotated[
        ExchangeName, Meta(description="The exchange of its event bus; never made here, and looked for every minute.")
    ] = "cloudstack-events"
    keys: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=255)]],
        Meta(
            min_length=1,
            description="Patterns of `source.category.type.resourceType.resourceId` that are wanted; `*` is one word, "
            "`#` any number. One that is taken out stays bound until it is unbound at RabbitMQ.",
        ),
    ] = field(default_factory=lambda: ["#"])

    def __post_init__(self) -> None:
        _check_name(self.name)


class CloudStackKafka(Section, frozen=True, kw_only=True):
    """CloudStack's event bus on Apache Kafka: `event-listener source cloudstack_kafka` (docs/cloudstack.md)."""

    name: Annotated[SinkName, Meta(description="The source of its events; not that of another source.")] = (
        "cloudstack-kafka"
    )
    topic: Annotated[
        str, Meta(pattern=r"^[A-Za-z0-9._-]{1,249}$", description="The topic of its event bus; never made here.")
    ] = "cloudstack"
    group: Annotated[str, Meta(min_length=1, max_length=200, description="Our consumer group; nobody else's.")] = (
        "redfleet-events"
    )
    properties: Annotated[
        dict[str, str | int | float | bool],
        Meta(description="librdkafka's properties for a consumer, `bootstrap.servers` for one."),
    ]
    secrets: Annotated[
        dict[str, Secret], Meta(description="Properties that are secret: `sasl.password`, `ssl.key.password`.")
    ] = field(default_factory=dict)
    timeout: Annotated[float, Meta(gt=0, le=60, description="Seconds that connecting and committing may take.")] = 10.0
    prefetch: Annotated[
        int, Meta(ge=1, le=10000, description="Messages taken at once, before they are stored and committed.")
    ] = 500

    def __post_init__(self) -> None:
        _check_name(self.name)
        if "bootstrap.servers" not in self.properties:
            msg = "properties: bootstrap.servers is missing"
            raise ValueError(msg)
        if taken := sorted({"group.id", "enable.auto.commit", "enable.auto.offset.store"} & set(self.properties)):
            msg = f"properties: {', '.join(taken)} is set here, since nothing may be committed before it is stored"
            raise ValueError(msg)

    @property
    def place(self) -> str:
        """Where messages wait for us."""
        return self.topic

    def lost(self, count: int) -> str:
        """What to tell when the bus gave up messages."""
        return (
            f"Kafka removed at least {count} messages of the topic {self.topic} before they were taken: they were "
            "older or more than it keeps. Raise its retention.ms or retention.bytes, or see why they waited."
        )


def _check_name(name: str) -> None:
    if name == "own":  # such ids are those of the listener's own events, which are believed (scans/addresses)
        msg = "name: own is the listener's; give another"
        raise ValueError(msg)
