# SPDX-License-Identifier: GPL-3.0-or-later
"""CloudStack's event bus on Apache Kafka. A record's key is the resource's id; there are no headers."""

from __future__ import annotations

from event_listener.inputs.base import Opened
from event_listener.inputs.kafka import KafkaBus, problems
from event_listener.normalise.cloudstack_secrets import clean
from event_listener.settings_inputs import CloudStackKafka


def opened(settings: CloudStackKafka) -> Opened:
    """The input."""
    return Opened(settings.name, lambda: KafkaBus(settings), clean, problems=lambda: problems(settings))
