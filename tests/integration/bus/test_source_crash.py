# SPDX-License-Identifier: GPL-3.0-or-later
"""The source as a process of `event-listener run`, killed while oslo.messaging sends: each notification once."""

from argparse import Namespace

from tests.benchmarks import notifications


def test_notifications_with_kills(tmp_path, rabbitmq):
    """The short version of tests/benchmarks/notifications.py."""
    assert notifications.run(tmp_path, rabbitmq, Namespace(count=800, kills=4, broker_kills=0, seed=7)) == 0
