# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics as Prometheus's client takes them, from dictionaries by the value of a label."""

from __future__ import annotations

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

PREFIX = "event_listener_"


def gauge(name: str, text: str, values: dict[str, float], label: str = "") -> Metric:
    """What goes up and down."""
    return _filled(GaugeMetricFamily(PREFIX + name, text, labels=[label] if label else []), values, label)


def counter(name: str, text: str, values: dict[str, float], label: str = "") -> Metric:
    """What only rises."""
    return _filled(CounterMetricFamily(PREFIX + name, text, labels=[label] if label else []), values, label)


def _filled(family: GaugeMetricFamily | CounterMetricFamily, values: dict[str, float], label: str) -> Metric:
    """Values by the label's value; without a label there is one, under the empty text."""
    for key, value in values.items():
        family.add_metric([key] if label else [], value)
    return family
