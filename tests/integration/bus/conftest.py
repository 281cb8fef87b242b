# SPDX-License-Identifier: GPL-3.0-or-later
"""The real peers, for every test in this folder."""

from tests.services.fixtures import kafka, postgresql, rabbitmq, rsyslog

__all__ = ["kafka", "postgresql", "rabbitmq", "rsyslog"]
