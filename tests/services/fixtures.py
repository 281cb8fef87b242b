# SPDX-License-Identifier: GPL-3.0-or-later
"""The peers as fixtures, started once per session and only if a test asks. A conftest.py imports what it needs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.services.kafka import Kafka
from tests.services.postgresql import PostgreSQL
from tests.services.rabbitmq import RabbitMQ
from tests.services.rsyslog import Rsyslog


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMQ]:
    """A RabbitMQ. A test that stops or blocks it puts it back."""
    with RabbitMQ() as service:
        yield service


@pytest.fixture(scope="session")
def kafka() -> Iterator[Kafka]:
    """An Apache Kafka. A test that stops it puts it back."""
    with Kafka() as service:
        yield service


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A PostgreSQL without fsync. Tests make databases of their own in it."""
    with PostgreSQL() as service:
        yield service


@pytest.fixture(scope="session")
def rsyslog() -> Iterator[Rsyslog]:
    """An rsyslog. Tests tell their messages from others' by what is in them."""
    with Rsyslog() as service:
        yield service
