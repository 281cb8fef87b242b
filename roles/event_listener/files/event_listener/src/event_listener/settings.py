# SPDX-License-Identifier: GPL-3.0-or-later
"""Every setting of the listener: its name, type, default and help, each said here and nowhere else.

The file is YAML; `config_file.load()` turns it into `Settings` and explains what is wrong with it.
`settings_reference.render()` turns the same classes into docs/settings.md. The event bus
is in settings_bus.py, files are in settings_files.py.
"""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qs, urlsplit

from msgspec import Meta, field

from event_listener.settings_alerts import AlertSettings, JobSettings
from event_listener.settings_base import Secret, Section, check_login
from event_listener.settings_bus import AmqpSink, BusSink, HttpSink, KafkaSink, Publish, Route, SyslogSink
from event_listener.settings_disk import Disk
from event_listener.settings_events import EventSettings
from event_listener.settings_files import FileSink, TextLogSink
from event_listener.settings_inputs import CloudStack, CloudStackKafka, OpenStack
from event_listener.settings_nginx import Nginx
from event_listener.settings_scans import HttpScanSink, QualysSink
from event_listener.settings_sites import CloudStackWebhook, Site
from event_listener.settings_sources import SourcesSettings
from event_listener.settings_tls import Tls
from event_listener.settings_webhooks import Webhooks

# The id in /events/<id>: also part of file names, so never "." or "..".
SOURCE_ID_PATTERN = r"^(?!\.{1,2}$)[A-Za-z0-9._:-]{1,128}$"

Port = Annotated[str, Meta(min_length=1)]
Status = Annotated[int, Meta(ge=200, le=599)]


class IngestCredential(Section, frozen=True):
    """What BMCs send in the Authorization header: `username` and `password` (Basic), or `token` (Bearer)."""

    name: Annotated[str, Meta(min_length=1, description="Names the credential in logs and metrics; not secret.")]
    username: Annotated[str | None, Meta(description="User name of HTTP Basic authentication.")] = None
    password: Annotated[Secret | None, Meta(description="Password of HTTP Basic authentication.")] = None
    token: Annotated[Secret | None, Meta(description="Token of `Authorization: Bearer`.")] = None

    def __post_init__(self) -> None:
        check_login(self.username, self.password, self.token)
        if self.name.startswith(("site:", "input:")):
            msg = "a name that begins with site: or input: is for ingest.sites and for message buses"
            raise ValueError(msg)


class Ingest(Section, frozen=True):
    """The socket that BMCs post to. Nothing but POST is answered there."""

    bind: Annotated[
        list[Port],
        Meta(
            min_length=1,
            description="Addresses to listen on: `address:port`, `[address]:port` or `unix:/path`. "
            "An IPv6 wildcard is left out where the host has no IPv6. Ignored under systemd socket activation.",
        ),
    ] = field(default_factory=lambda: ["0.0.0.0:443", "[::]:443"])
    workers: Annotated[int, Meta(ge=1, le=64, description="Worker processes; one per core is enough.")] = 2
    plain_http: Annotated[
        bool, Meta(description="Speak HTTP without TLS. For a proxy in front or a closed network; never a default.")
    ] = False
    tls: Annotated[Tls, Meta(description="Certificate and limits of TLS; unused with `plain_http`.")] = field(
        default_factory=Tls
    )
    credentials: Annotated[
        list[IngestCredential],
        Meta(description="Who may post. Several are valid at once, so that they can be rotated. None means: nobody."),
    ] = field(default_factory=list)
    sites: Annotated[
        list[Site], Meta(description="Listeners of sites that forward their events here, to `POST /cloudevents`.")
    ] = field(default_factory=list)
    cloudstack_webhooks: Annotated[
        list[CloudStackWebhook],
        Meta(description="Webhooks of CloudStack that deliver here, to `POST /webhooks/cloudstack`."),
    ] = field(default_factory=list)
    registered_only: Annotated[
        bool, Meta(description="Refuse (403) sources that are not in the registry, or are retired there.")
    ] = False
    allowed_networks: Annotated[
        list[str], Meta(description="CIDR networks that may connect; empty is everybody. Others get 403.")
    ] = field(default_factory=list)
    trusted_proxies: Annotated[
        list[str],
        Meta(description="CIDR networks (or `unix`) of reverse proxies whose X-Forwarded-For is believed."),
    ] = field(default_factory=list)
    max_body: Annotated[
        int, Meta(ge=1024, description="Bytes of the largest body that is parsed; larger ones go to quarantine.")
    ] = 1048576
    quarantine_max_body: Annotated[
        int, Meta(ge=1024, description="Bytes of the largest body that is kept at all; above it the answer is 413.")
    ] = 16777216
    max_depth: Annotated[int, Meta(ge=4, le=512, description="Deepest nesting of JSON that is parsed.")] = 64
    max_records: Annotated[int, Meta(ge=1, description="Most event records or metric values in one POST.")] = 10000
    response_status: Annotated[
        int,
        Meta(
            ge=200,
            le=204,
            description="Answer to what is stored: 200 with a short JSON body, or 204. Per source in the "
            "registry too. Older iLOs reject 204.",
        ),
    ] = 200
    malformed_status: Annotated[
        Status,
        Meta(description="Answer to what is authenticated and kept in quarantine, but not a payload; 400 says so."),
    ] = 200
    keepalive: Annotated[
        int, Meta(ge=1, le=3600, description="Seconds an idle connection is kept, and a request's head may take.")
    ] = 75
    head_timeout: Annotated[
        int, Meta(ge=1, le=600, description="Seconds the first request of a connection may take to name itself.")
    ] = 20
    body_timeout: Annotated[int, Meta(ge=1, le=600, description="Seconds a request's body may take.")] = 30
    body_memory: Annotated[
        int,
        Meta(
            ge=1048576,
            description="Bytes of bodies that a worker holds at once. A body above 64 KiB waits for its share, and is "
            "answered 503 with Retry-After when there is none within `commit_timeout`.",
        ),
    ] = 67108864
    commit_timeout: Annotated[
        int,
        Meta(
            ge=1,
            le=25,
            description="Seconds to wait for the disk before the answer is 503 with Retry-After. Some BMCs give up "
            "after few seconds; of those that wait (bmcweb 30 s) a longer time saves a storm the repeats.",
        ),
    ] = 5
    retry_after: Annotated[int, Meta(ge=1, le=3600, description="Seconds that a 503 asks the BMC to wait.")] = 5
    max_connections: Annotated[
        int, Meta(ge=16, description="Connections a worker holds at once; more wait in the kernel's queue.")
    ] = 4000
    stranger_connections: Annotated[
        int,
        Meta(
            ge=1,
            description="Connections that one address may have in a worker before it showed right credentials; more "
            "are closed. Addresses that are registered, or showed them within the hour, may have half of "
            "`max_connections`; connections that showed them aren't counted.",
        ),
    ] = 128
    stranger_refusals: Annotated[
        int,
        Meta(
            ge=1,
            description="Refusals that one address gets from a worker in a minute; then 429, and new connections of an "
            "unknown address are closed until the minute is over. Right credentials are always taken.",
        ),
    ] = 300


class ApiToken(Section, frozen=True):
    """A token that may read the management API."""

    name: Annotated[str, Meta(min_length=1, description="Names the token in logs; not secret.")]
    token: Annotated[Secret, Meta(description="Token of `Authorization: Bearer`.")]


class Manage(Section, frozen=True):
    """The management socket: API, health and metrics."""

    bind: Annotated[Port, Meta(description="Address to listen on: `address:port` or `unix:/path`.")] = "127.0.0.1:9440"
    threads: Annotated[int, Meta(ge=1, le=64, description="Requests answered at once.")] = 8
    max_streams: Annotated[
        int, Meta(ge=0, le=1000, description="Live streams (`/api/v1/events/stream`) at once; more get 503.")
    ] = 100
    stream_heartbeat: Annotated[
        float, Meta(ge=0.5, le=300, description="Seconds between signs of life on a stream without events.")
    ] = 15.0
    stream_timeout: Annotated[
        float, Meta(ge=1, le=300, description="Seconds after which a client that takes nothing is cut; it can resume.")
    ] = 30.0
    tokens: Annotated[
        list[ApiToken],
        Meta(description="Who may use the API. None means: nobody; health and metrics may still be open."),
    ] = field(default_factory=list)
    public_health: Annotated[bool, Meta(description="Answer `/health/*` without a token.")] = True
    public_metrics: Annotated[bool, Meta(description="Answer `/metrics` without a token.")] = True
    metrics_sources: Annotated[
        int,
        Meta(ge=0, le=100000, description="Most sources that `/metrics` shows by name: those that were heard last."),
    ] = 1000


class Relay(Section, frozen=True):
    """The process that writes the event log from the journal and feeds the sinks."""

    poll_interval: Annotated[
        float, Meta(gt=0, le=10, description="Seconds between looks at the journal when nothing arrives.")
    ] = 0.05
    batch: Annotated[
        int,
        Meta(ge=1, le=10000, description="Most payloads indexed, or units given to a sink, at once."),
    ] = 1000
    stand_back: Annotated[
        float,
        Meta(
            ge=0,
            le=3600,
            description="While events pour in and processors are too few for all, indexing rests so that they are "
            "acknowledged: seconds that they may be behind because of that, in the event log and at the sinks, "
            "once in a storm. 0: never.",
        ),
    ] = 30.0


class EventLogSettings(Section, frozen=True):
    """The database of the event log: SQLite in `state_dir`, or a PostgreSQL that several listeners share."""

    url: Annotated[
        str,
        Meta(
            description="`postgresql://user@host/database?sslmode=verify-full`, as libpq takes it, without a password. "
            "Empty: SQLite. See postgresql.md."
        ),
    ] = ""
    password: Annotated[Secret | None, Meta(description="Password of the user in `url`.")] = None

    def __post_init__(self) -> None:
        if not self.url:
            return
        try:
            parts = urlsplit(self.url)
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in ("postgresql", "postgres"):
            msg = "the URL begins with postgresql://"
            raise ValueError(msg)
        if ":" in parts.netloc.rpartition("@")[0] or "password" in parse_qs(parts.query):
            msg = "a password is never written into the URL; refer to it by event_log.password"
            raise ValueError(msg)


class Sinks(Section, frozen=True):
    """Where events go beside the event log."""

    text_log: Annotated[
        TextLogSink, Meta(description="`Events_<address>.txt`, as the DMTF Redfish Event Listener writes them.")
    ] = field(default_factory=TextLogSink)
    json_lines: Annotated[
        FileSink, Meta(description="`Events_<address>.jsonl`: one JSON object per event record and line.")
    ] = field(default_factory=FileSink)
    syslog: Annotated[list[SyslogSink], Meta(description="Syslog servers.")] = field(default_factory=list)
    amqp: Annotated[list[AmqpSink], Meta(description="RabbitMQ topic exchanges.")] = field(default_factory=list)
    kafka: Annotated[list[KafkaSink], Meta(description="Kafka topics.")] = field(default_factory=list)
    http: Annotated[list[HttpSink], Meta(description="HTTP endpoints for CloudEvents.")] = field(default_factory=list)
    qualys: Annotated[list[QualysSink], Meta(description="Qualys scans of affected addresses.")] = field(
        default_factory=list
    )
    http_scan: Annotated[list[HttpScanSink], Meta(description="Other scanners, which get affected addresses.")] = field(
        default_factory=list
    )

    def bus(self) -> list[BusSink]:
        """The sinks that get events by routes."""
        sections = (getattr(self, name) for name in self.__struct_fields__)
        return [item for section in sections if isinstance(section, list) for item in section]


class Settings(Section, frozen=True):
    """The configuration file of the listener."""

    state_dir: Annotated[
        str,
        Meta(
            min_length=1, description="Journal, event log and registry. A local disk: network file systems are refused."
        ),
    ] = "/var/lib/event-listener"
    user: Annotated[
        str,
        Meta(
            description="Account that commands started by root change to. Empty: `event-listener` where it exists, "
            "otherwise the owner of `state_dir`. `root` keeps root."
        ),
    ] = ""
    log_level: Annotated[
        str,
        Meta(pattern="^(debug|info|warning|error)$", description="Least level of our own log lines (standard error)."),
    ] = "info"
    ingest: Annotated[Ingest, Meta(description="The socket that BMCs post to.")] = field(default_factory=Ingest)
    nginx: Annotated[Nginx, Meta(description="nginx in front of ingest.")] = field(default_factory=Nginx)
    manage: Annotated[Manage, Meta(description="API, health and metrics.")] = field(default_factory=Manage)
    relay: Annotated[Relay, Meta(description="The process between the journal and the sinks.")] = field(
        default_factory=Relay
    )
    event_log: Annotated[EventLogSettings, Meta(description="The event log's database.")] = field(
        default_factory=EventLogSettings
    )
    disk: Annotated[Disk, Meta(description="Bounds of what is kept on the disk.")] = field(default_factory=Disk)
    event: Annotated[EventSettings, Meta(description="How long events are kept.")] = field(
        default_factory=EventSettings
    )
    sinks: Annotated[Sinks, Meta(description="Where events go beside the event log.")] = field(default_factory=Sinks)
    sources: Annotated[
        SourcesSettings, Meta(description="What the listener finds out about BMCs and adds to their events.")
    ] = field(default_factory=SourcesSettings)
    alert: Annotated[
        AlertSettings, Meta(description="What an administrator should know of and do something about.")
    ] = field(default_factory=AlertSettings)
    job: Annotated[JobSettings, Meta(description="Long-running jobs.")] = field(default_factory=JobSettings)
    openstack: Annotated[
        OpenStack | None, Meta(description="OpenStack's notifications as a source; without this section there is none.")
    ] = None
    cloudstack: Annotated[
        CloudStack | None, Meta(description="CloudStack's bus on RabbitMQ as a source; without this section none.")
    ] = None
    cloudstack_kafka: Annotated[
        CloudStackKafka | None, Meta(description="CloudStack's bus on Kafka as a source; without this section none.")
    ] = None
    publish: Annotated[Publish, Meta(description="Categories that are published at all.")] = field(
        default_factory=Publish
    )
    webhook: Annotated[Webhooks, Meta(description="Events posted to whom users of the API name.")] = field(
        default_factory=Webhooks
    )
    routes: Annotated[
        list[Route],
        Meta(description="Which events go where. Without any, each sink beyond this host gets every live event."),
    ] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.nginx.enabled:
            return
        ingest = self.ingest
        behind = len(ingest.bind) == 1 and ingest.bind[0].startswith("unix:/") and ingest.plain_http
        if not behind or "unix" not in ingest.trusted_proxies:
            msg = (
                "with nginx.enabled, ingest listens on one Unix socket alone: set ingest.bind to [unix:/path], "
                "ingest.plain_http to true and ingest.trusted_proxies to [unix]"
            )
            raise ValueError(msg)
