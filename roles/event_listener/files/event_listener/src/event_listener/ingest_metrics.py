# SPDX-License-Identifier: GPL-3.0-or-later
"""What the ingest process counts. Label values are few and ours (or the configuration's), never a client's text."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

PAYLOADS = Counter(
    "event_listener_ingest_payloads_total", "Payloads stored and acknowledged, by status (ok, malformed).", ["status"]
)
FORWARDED = Counter(
    "event_listener_ingest_forwarded_total", "Events that sites forwarded, stored and acknowledged.", ["site"]
)
BYTES = Counter("event_listener_ingest_bytes_total", "Bytes of stored payloads.")
REFUSED = Counter(
    "event_listener_ingest_refused_total", "Requests refused, by reason; nothing of them was stored.", ["reason"]
)
CUT_SHORT = Counter(
    "event_listener_ingest_cut_short_total", "Bodies that ended early or came too slowly; dropped, never stored."
)
UNAVAILABLE = Counter("event_listener_ingest_unavailable_total", "Requests answered 503: the journal failed.")
TURNED_AWAY = Counter(
    "event_listener_ingest_turned_away_total",
    "Connections closed at once, by what their address had too many of (connections, refusals) without credentials.",
    ["reason"],
)
TLS_FAILURES = Counter("event_listener_ingest_tls_failures_total", "TLS handshakes that failed or took too long.")
COMMIT_SECONDS = Histogram(
    "event_listener_ingest_commit_seconds",
    "Time to make a batch durable.",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
COMMIT_BATCH = Histogram(
    "event_listener_ingest_commit_batch",
    "Payloads made durable by one fsync.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
)


def observe_commit(entries: int, seconds: float) -> None:
    """Count one batch."""
    COMMIT_BATCH.observe(entries)
    COMMIT_SECONDS.observe(seconds)
