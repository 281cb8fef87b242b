# SPDX-License-Identifier: GPL-3.0-or-later
"""`/metrics` in Prometheus's format: what the event log knows, and the sum of what the ingest workers counted."""

from __future__ import annotations

import time
from collections.abc import Iterator

from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from event_listener import __version__, inputs, status
from event_listener.certificate import certificates
from event_listener.clock import cautious_ns
from event_listener.disk_use import published
from event_listener.inputs.report import reported
from event_listener.journal import JournalBrokenError, JournalUnavailableError
from event_listener.lanes import OK
from event_listener.manage.connection import Connection
from event_listener.manage.describe import describe
from event_listener.manage.metric_families import PREFIX, counter, gauge
from event_listener.manage.webhook_metrics import webhooks
from event_listener.metrics import collect_ingest
from event_listener.settings import Settings
from event_listener.source_view import heartbeats_missed, here
from event_listener.store import Store, StoreUnavailableError
from event_listener.store.alerts import by_level
from event_listener.upkeep import FINDINGS

INPUT_STALE_SECONDS = 30.0  # a source says every few seconds that it is there


def blueprint(settings: Settings, connection: Connection) -> Blueprint:
    """The route."""
    routes = Blueprint("metrics", __name__)
    registry = CollectorRegistry()
    registry.register(LogCollector(settings, connection))
    collect_ingest(registry, settings.state_dir)

    @routes.get("/metrics")
    @describe("Metrics in Prometheus's format.", media="text/plain")
    def metrics() -> Response:
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    return routes


class LogCollector(Collector):
    """Read at each scrape. Labels are bounded: sinks are few, sources by ``manage.metrics_sources``."""

    def __init__(self, settings: Settings, connection: Connection) -> None:
        self._settings, self._connection = settings, connection

    def describe(self) -> Iterator[Metric]:
        """Nothing: registering must not read the event log."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """All metrics; without the event log only that it can't be read."""
        yield gauge("info", "The version that runs.", {__version__: 1}, "version")
        ends = {one.path: one.ends for one in certificates(self._settings)}
        yield gauge("tls_not_after_seconds", "When a certificate ends (Unix time); 0: unreadable.", ends, "certificate")
        yield from _inputs(self._settings)
        try:
            found = list(self._log(self._connection.store))
        except StoreUnavailableError:
            yield gauge("log_up", "Whether the event log can be read.", {"": 0})
            return
        yield gauge("log_up", "Whether the event log can be read.", {"": 1})
        yield from found

    def _log(self, store: Store) -> Iterator[Metric]:
        rows = {name: float(count) for name, count in store.queries.counts().items()}
        yield gauge("log_rows", "Rows of the event log, by table.", rows, "table")
        yield counter("events_total", "Events that the log ever had.", {"": store.log.head()})
        yield from self._journal(store)
        yield from _disk(self._settings.state_dir)
        lost = {what: float(count) for what, count in store.given_up.counts().items()}
        yield counter("given_up_total", "What was given up at a bound of the disk, by what.", lost, "what")
        if (age := status.relay_age(store)) is not None:
            yield gauge("relay_heartbeat_age_seconds", "Since the relay last said that it is alive.", {"": age})
        yield from _sinks(store)
        yield from self._sources(store)
        yield from _upkeep(store)
        yield from self._alerts(store)
        yield from webhooks(store, self._settings.manage.metrics_sources)
        jobs = {state: float(count) for state, count in store.jobs.counts().items()}
        yield gauge("jobs_hanging", "Jobs without a sign of life for too long.", {"": jobs.pop("hanging")})
        yield gauge("jobs", "Long-running jobs that are kept, by state.", jobs, "state")

    def _alerts(self, store: Store) -> Iterator[Metric]:
        counts = store.alerts.open_counts()
        levels = {level: float(count) for level, count in by_level(counts).items()}
        yield gauge("alerts_open", "Open alerts, by level.", levels, "level")
        text = "Open alerts, by rule, source and level; as many series as manage.metrics_sources."
        family = GaugeMetricFamily(PREFIX + "alert", text, labels=["rule", "source", "level"])
        for labels, count in sorted(counts.items())[: self._settings.manage.metrics_sources]:
            family.add_metric(list(labels), count)
        yield family

    def _journal(self, store: Store) -> Iterator[Metric]:
        try:
            depth = status.journal_depth(self._settings.state_dir, store)
        except (JournalUnavailableError, JournalBrokenError):
            yield gauge("journal_up", "Whether the journal can be read.", {"": 0})
            return
        yield gauge("journal_up", "Whether the journal can be read.", {"": 1})
        yield gauge("journal_depth", "Acknowledged payloads that aren't indexed yet.", {"": depth})

    def _sources(self, store: Store) -> Iterator[Metric]:
        states: dict[str, float] = {}
        for source in store.sources.list():
            states[source.state] = states.get(source.state, 0) + 1
        yield gauge("sources", "Registered sources, by state.", states, "state")
        limit = self._settings.manage.metrics_sources
        heard = store.sources.activity(limit).values() if limit else ()
        seen = {item.source: item.last_seen_ns / 1e9 for item in heard}
        yield gauge("source_last_seen_timestamp_seconds", "When a source was last heard.", seen, "source")
        events = {item.source: float(item.events) for item in heard}
        yield counter("source_events_total", "Events of a source.", events, "source")
        yield _last_proven(store, limit)
        told = here(self._settings.state_dir)
        rates = {name: told.rates[name] for name in seen if name in told.rates}
        yield gauge("source_events_per_minute", "Lately, as a load average of five minutes.", rates, "source")
        refused = sorted(told.refused.items(), key=lambda item: item[1].last_ns, reverse=True)[:limit]
        counts = {name: float(one.count) for name, one in refused}
        yield counter("source_refused_total", "Refused attempts, by source or address.", counts, "source")
        yield _heartbeats(store, limit)
        silent = sorted(name for name, one in store.health.all().items() if one.silent)
        yield gauge("sources_silent", "Sources that were not heard for too long.", {"": len(silent)})
        yield gauge("source_silent", "1 for each silent source.", dict.fromkeys(silent[:limit], 1.0), "source")


def _disk(state_dir: str) -> Iterator[Metric]:
    """As the relay measured it last."""
    use = published(state_dir)
    if use is None:
        return
    used = {part.name: float(part.used) for part in use.parts}
    yield gauge("disk_used_bytes", "What the parts of this host take of its disks.", used, "part")
    bounds = {part.name: float(part.bound) for part in use.parts if part.bound}
    yield gauge("disk_bound_bytes", "What they may take (section disk of the settings).", bounds, "part")
    yield gauge("disk_measured_timestamp_seconds", "When that was measured.", {"": use.measured_ns / 1e9})


def _inputs(settings: Settings) -> Iterator[Metric]:
    """The message buses that this host reads; known without the event log."""
    kinds = {getattr(settings, kind).name for kind in inputs.configured(settings)}
    found = [one for one in reported(settings.state_dir) if one.name in kinds]
    if not found:
        return
    fresh = time.time_ns() - int(INPUT_STALE_SECONDS * 1e9)
    up = {one.name: float(one.up and one.at_ns > fresh) for one in found}
    yield gauge("input_up", "Whether a source is connected to its bus, and stores what it gets.", up, "source")
    depth = {one.name: float(one.depth) for one in found if one.depth is not None}
    yield gauge("input_queue_depth", "Messages that wait on the bus for us.", depth, "source")
    received = {one.name: float(one.received) for one in found}
    yield counter("input_received_total", "Messages stored and confirmed to the bus.", received, "source")
    lost = {one.name: float(one.lost) for one in found}
    yield counter("input_lost_total", "Messages that the bus gave up since too many waited.", lost, "source")
    partly = {one.name: float(len(one.warnings)) for one in found}
    yield gauge("input_warnings", "What of a source doesn't work, such as missing exchanges.", partly, "source")


def _upkeep(store: Store) -> Iterator[Metric]:
    """When the listener was away, and what the last look at the whole fleet found."""
    seconds = sum(outage.ended_ns - outage.began_ns for outage in store.upkeep.outages()) / 1e9
    yield gauge("outage_seconds", "Seconds of the last 90 days without ingest, all listeners.", {"": seconds})
    found = store.upkeep.coverage()
    if found is None:
        return
    document, at_ns = found
    yield gauge("coverage_timestamp_seconds", "When the playbook coverage last looked.", {"": at_ns / 1e9})
    yield gauge("coverage_bmcs", "BMCs that it asked.", {"": document["asked"]})
    yield gauge("coverage_free_slots", "Unused slots of BMCs that have a fixed number.", {"": document["free_slots"]})
    counts = {name: float(len(document["findings"].get(name, ()))) for name in FINDINGS}
    yield gauge("coverage_findings", "What it found, see docs/reports.md.", counts, "finding")


def _heartbeats(store: Store, limit: int) -> Metric:
    """Of the sources that should send them: how many are missing since each was last heard."""
    heard, now = store.sources.activity(), cautious_ns()
    missed = {
        source.name: float(found)
        for source in store.sources.list()
        if (found := heartbeats_missed(source, heard.get(source.name), now)) is not None
    }
    some = dict(sorted(missed.items(), key=lambda item: -item[1])[:limit])
    return gauge("source_heartbeats_missed", "Heartbeats missing since a source was last heard.", some, "source")


def _last_proven(store: Store, limit: int) -> Metric:
    """For every source that should send; 0 for one that was never proven, so that an alert on its age sees it."""
    proven = store.proofs.last_proven()
    names = [source.name for source in store.sources.list() if source.state == "active"][:limit]
    text = "When the last test event of a source arrived (Unix time); 0: never."
    family = GaugeMetricFamily("redfleet_source_last_proven_seconds", text, labels=["source"])
    for name in names:
        family.add_metric([name], proven.get(name, 0) / 1e9)
    return family


def _sinks(store: Store) -> Iterator[Metric]:
    found = status.sinks(store)
    lag = {sink.name: float(sink.lag) for sink in found}
    yield gauge("sink_lag", "Units (payloads or events) that a sink hasn't confirmed yet.", lag, "sink")
    behind = {sink.name: sink.behind for sink in found}
    yield gauge("sink_behind_seconds", "How long the first of these has waited; 0 where none waits.", behind, "sink")
    passed = {sink.name: float(sink.position) for sink in found}
    yield counter("sink_passed_total", "Units of the log that a sink confirmed or its routes left out.", passed, "sink")
    up = {sink.name: float(sink.state == OK) for sink in found}
    yield gauge("sink_up", "Whether a sink works.", up, "sink")
    rejected = {sink.name: float(sink.rejected) for sink in found}
    yield counter("sink_rejected_total", "Units that a sink refused for good.", rejected, "sink")
    counted = CounterMetricFamily(
        PREFIX + "sink_counts_total", "What a sink counted: sent, unroutable, skipped, ...", labels=["sink", "what"]
    )
    for labels, count in store.cursors.counts().items():
        counted.add_metric(list(labels), count)
    yield counted
