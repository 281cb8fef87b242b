# SPDX-License-Identifier: GPL-3.0-or-later
"""The source as a process of `event-listener run`, killed while oslo.messaging sends: each notification once."""

from argparse import Namespace

from tests.benchmarks import notifications


def test_notifications_with_kills(tmp_path, rabbitmq, postgresql):
    """The short version of tests/benchmarks/notifications.py: source, relay, RabbitMQ and database, once each."""
    options = Namespace(count=800, kills=4, queue_type="quorum", seed=7, minutes=5)
    assert notifications.Run(options, tmp_path, rabbitmq, postgresql)() == 0
