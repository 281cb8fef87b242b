# SPDX-License-Identifier: GPL-3.0-or-later
"""A recurring thing is logged once per source and minute, over all processes."""

from __future__ import annotations

import logging
import os

import pytest
from event_listener.notices import Notices


def test_once_per_key(caplog: pytest.LogCaptureFixture):
    """Again is silent, another key is not."""
    notices = Notices(logging.getLogger("test.notices"))
    for _ in range(100):
        notices.warn("wrong 10.0.0.1", "refused 10.0.0.1")
    notices.warn("wrong 10.0.0.2", "refused 10.0.0.2")
    assert [record.getMessage().split()[1] for record in caplog.records] == ["10.0.0.1", "10.0.0.2"]


def test_a_fork_knows_what_its_sibling_said(caplog: pytest.LogCaptureFixture):
    """Two workers don't say it twice."""
    notices = Notices(logging.getLogger("test.notices"))
    child = os.fork()
    if child == 0:
        notices.warn("key", "said by the child")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    notices.warn("key", "said by the parent")
    assert caplog.records == []
