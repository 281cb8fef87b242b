# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the event bus: what is published, which route leads where, and the sinks beyond this host."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from event_listener.event import Category, Level, Origin
from event_listener.settings_base import Required, Secret, Section

SinkName = Annotated[
    str,
    Meta(
        pattern=r"^[a-z][a-z0-9_-]{0,62}$",
        description="Names the sink in routes, commands, metrics and its cursor. A new name starts at the head.",
    ),
]
Batch = Annotated[int, Meta(ge=1, le=10000, description="Most events that are sent before their confirmation.")]
BatchInterval = Annotated[
    float,
    Meta(
        ge=0,
        le=3600,
        description="Seconds to collect events, up to `batch` of them, before they are sent; 0: sent as they come.",
    ),
]
RetainFor = Annotated[
    float,
    Meta(ge=0, description="Seconds that an event may wait for the sink before it is skipped and noted; 0: for ever."),
]
Timeout = Annotated[
    float, Meta(gt=0, le=60, description="Seconds to wait for the destination before the batch is tried again.")
]
Host = Annotated[str, Meta(pattern=r"^(\[[0-9A-Fa-f:.]+\]|[^:\s\[\]]+)(:[0-9]{1,5})?$")]


class Publish(Section, frozen=True):
    """Switches per category, for all routes: CloudStack's `publish.*.events`."""

    action: Annotated[bool, Meta(description="ActionEvent: what a user did.")] = True
    alert: Annotated[bool, Meta(description="AlertEvent: Warning and Critical.")] = True
    usage: Annotated[bool, Meta(description="UsageEvent: metric reports. Many; kept off the bus by default.")] = False
    resource_state: Annotated[bool, Meta(description="ResourceStateEvent: what changed.")] = True
    async_job: Annotated[bool, Meta(description="AsyncJobEvent: tasks.")] = True

    def categories(self) -> frozenset[Category]:
        """The categories that are on."""
        switches = {
            Category.ACTION: self.action,
            Category.ALERT: self.alert,
            Category.USAGE: self.usage,
            Category.RESOURCE_STATE: self.resource_state,
            Category.ASYNC_JOB: self.async_job,
        }
        return frozenset(category for category, on in switches.items() if on)


class Route(Section, frozen=True):
    """Events for which every condition given here holds go to `sinks`. Conditions that are left out always hold."""

    name: Annotated[str, Meta(min_length=1, description="Names the route in messages.")]
    sinks: Annotated[list[str], Meta(min_length=1, description="Names of sinks; a sink gets an event once.")]
    topics: Annotated[
        list[str],
        Meta(
            description="Patterns of `source.category.type.resourceType.resourceId`; `*` is one word, `#` any number. "
            "One of them must match."
        ),
    ] = field(default_factory=list)
    levels: Annotated[list[Level], Meta(description="INFO, WARN, ERROR.")] = field(default_factory=list)
    domains: Annotated[
        list[str], Meta(description="Domains of the source with everything below: `/dc1/` holds `/dc1/row2/`.")
    ] = field(default_factory=list)
    labels: Annotated[dict[str, str], Meta(description="Labels that the source must have in the registry.")] = field(
        default_factory=dict
    )
    origins: Annotated[list[Origin], Meta(description="live, test, backfill, import.")] = field(
        default_factory=lambda: [Origin.LIVE]
    )
    where: Annotated[
        str,
        Meta(
            description="JMESPath expression over the event as the API shows it, with the source's `labels` and "
            "`domain`; what JMESPath calls true is sent. Where it can't be evaluated, the event isn't sent."
        ),
    ] = ""


class ClientTls(Section, frozen=True):
    """TLS towards a destination; certificates are verified."""

    ca: Annotated[str | None, Meta(description="PEM file of the CAs to trust; without it the system's.")] = None
    certificate: Annotated[str | None, Meta(description="PEM file of a client certificate.")] = None
    key: Annotated[str | None, Meta(description="PEM file of its private key.")] = None
    server_name: Annotated[
        str | None, Meta(description="Name in the destination's certificate, where it isn't the host's.")
    ] = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            msg = "give certificate and key, or neither"
            raise ValueError(msg)


Facility = Literal[
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
    "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
]  # fmt: skip


class BusSink(Section, frozen=True):
    """What all sinks beyond this host have."""

    name: SinkName
    batch: Batch = 500
    batch_interval: BatchInterval = 0.0
    timeout: Timeout = 10.0
    retain_for: RetainFor = 0.0
    required: Required = False


class SyslogSink(BusSink, frozen=True, kw_only=True):
    """RFC 5424 messages over UDP, TCP or TLS. Syslog has no acknowledgement: see docs/sinks/syslog.md."""

    host: Annotated[Host, Meta(description="Where to: `host:port`; 514 (TLS: 6514) without a port.")]
    transport: Annotated[Literal["udp", "tcp", "tls"], Meta(description="`udp`, `tcp` or `tls`.")] = "tls"
    tls: Annotated[ClientTls, Meta(description="For `transport: tls`.")] = field(default_factory=ClientTls)
    framing: Annotated[
        Literal["octet-counting", "newline"],
        Meta(description="How TCP and TLS tell messages apart: octet-counting (RFC 5425, RFC 6587), or newline."),
    ] = "octet-counting"
    facility: Annotated[Facility, Meta(description="Facility of all messages.")] = "local0"
    app_name: Annotated[str, Meta(pattern=r"^[!-~]{1,48}$", description="APP-NAME of all messages.")] = "event-listener"
    structured_data_id: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9_-]{1,20}@[0-9.]{1,11}$",
            description="SD-ID of the event's fields; 32473 is the number for examples (RFC 5612), use your own.",
        ),
    ] = "redfish@32473"
    body: Annotated[
        Literal["text", "json", "cloudevents", "osel"],
        Meta(
            description="The message: the event's own text, the event as the API's JSON, or as a CloudEvent. `osel`: "
            "security group changes of OpenStack as osel wrote them, a message per address; of other events none."
        ),
    ] = "text"
    source_type: Annotated[
        str, Meta(pattern=r"^[!-~]{1,64}$", description="`source_type` in the messages of `body: osel`.")
    ] = "osel1.1"
    max_size: Annotated[
        int,
        Meta(ge=480, le=65000, description="Bytes of the longest message; text is cut, JSON goes without its record."),
    ] = 8000
    resend: Annotated[
        int, Meta(ge=0, le=100000, description="Messages that TCP and TLS send again after a lost connection.")
    ] = 1000


class AmqpSink(BusSink, frozen=True, kw_only=True):
    """A topic exchange of RabbitMQ (AMQP 0-9-1), with publisher confirms."""

    hosts: Annotated[
        list[Host],
        Meta(min_length=1, description="`host:port` of the cluster's nodes, tried in turn; 5672 (TLS: 5671)."),
    ]
    virtual_host: Annotated[str, Meta(min_length=1, description="Virtual host.")] = "/"
    username: Annotated[str, Meta(description="User name.")] = "guest"
    password: Annotated[Secret | None, Meta(description="Password.")] = None
    tls: Annotated[ClientTls | None, Meta(description="Speak TLS; without this section, plain TCP.")] = None
    exchange: Annotated[
        str, Meta(min_length=1, max_length=127, description="Topic exchange; made durable if it isn't there.")
    ] = "redfleet-events"
    declare: Annotated[
        bool, Meta(description="Make the exchange. Off: it must be there, and the user needs no right to make it.")
    ] = True
    body: Annotated[
        Literal["cloudevents", "cloudevents-binary", "cloudstack", "record"],
        Meta(
            description="The message: a CloudEvent (structured JSON, or binary: attributes as headers), CloudStack's "
            "JSON of the category, or the record as the BMC sent it."
        ),
    ] = "cloudevents"
    header_prefix: Annotated[
        Literal["ce-", "cloudEvents_", "cloudEvents:"],
        Meta(
            description="Prefix of a binary CloudEvent's headers: of the RabbitMQ binding, or of AMQP 1.0's, for "
            "consumers that read RabbitMQ over AMQP 1.0."
        ),
    ] = "ce-"
    unroutable: Annotated[
        Literal["count", "retry"],
        Meta(description="What to do with a message that no queue is bound for: count it, or wait for a queue."),
    ] = "count"
    heartbeat: Annotated[
        int, Meta(ge=2, le=600, description="Seconds between heartbeats; a silent peer is left after two.")
    ] = 15


class KafkaSink(BusSink, frozen=True, kw_only=True):
    """A topic of Apache Kafka, with acks=all and idempotence."""

    topic: Annotated[
        str, Meta(pattern=r"^[A-Za-z0-9._-]{0,249}$", description="Topic; empty: the `topic` of `properties_file`.")
    ] = ""
    properties: Annotated[
        dict[str, str | int | float | bool],
        Meta(description="librdkafka's properties, `bootstrap.servers` for one; they win over everything else."),
    ] = field(default_factory=dict)
    secrets: Annotated[
        dict[str, Secret], Meta(description="Properties that are secret: `sasl.password`, `ssl.key.password`.")
    ] = field(default_factory=dict)
    properties_file: Annotated[
        str, Meta(description="A Java `producer.properties`, such as CloudStack's `kafka.producer.properties`.")
    ] = ""
    body: Annotated[
        Literal["cloudevents", "cloudevents-binary", "cloudstack", "record"],
        Meta(description="The value; as for AMQP."),
    ] = "cloudevents-binary"
    batch: Batch = 5000


class HttpSink(BusSink, frozen=True, kw_only=True):
    """CloudEvents in batches, by HTTP POST."""

    url: Annotated[str, Meta(pattern=r"^https?://[^\s]+$", description="Where to. https, unless it is this host.")]
    token: Annotated[Secret | None, Meta(description="Token of `Authorization: Bearer`.")] = None
    username: Annotated[str, Meta(description="User name of Basic authentication.")] = ""
    password: Annotated[Secret | None, Meta(description="Password of Basic authentication.")] = None
    headers: Annotated[dict[str, str], Meta(description="Further headers. No secrets: they are shown.")] = field(
        default_factory=dict
    )
    tls: Annotated[ClientTls, Meta(description="For https.")] = field(default_factory=ClientTls)
    batch: Batch = 100
    timeout: Timeout = 15.0

    def __post_init__(self) -> None:
        if (self.username != "") != (self.password is not None) or (self.token is not None and self.username):
            msg = "give username and password (Basic), or token (Bearer), or neither"
            raise ValueError(msg)
