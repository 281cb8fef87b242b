# SPDX-License-Identifier: GPL-3.0-or-later
"""All sinks at once: kill -9 of the relay while they work, and all peers away.

tests/benchmarks/sink_crash.py kills a hundred times.
"""

from __future__ import annotations

import random

import pytest

from tests.integration.bus.everywhere import (
    Everywhere,
    RelayProcess,
    assert_text_log_once,
    kill_again_and_again,
    outage,
)
from tests.services.service import wait_until

pytestmark = pytest.mark.slow

KILLS = 6


def test_nothing_is_lost_at_any_sink(tmp_path, rabbitmq, kafka, rsyslog):
    """Everything arrives everywhere, in order, what comes again under its id; the text log has each once."""
    with Everywhere(rabbitmq, kafka, rsyslog).connected() as everywhere:
        sinks = {**everywhere.sinks(), "text_log": {"directory": str(tmp_path / "logs")}}
        with RelayProcess(tmp_path, sinks) as relay:
            names = list(everywhere.peers)
            assert kill_again_and_again(relay, names, KILLS, random.Random(11)) > 0
            everywhere.check(relay)
            wait_until(lambda: relay.cursor("text_log") == relay.fed, "the text log is written", 60)
        assert_text_log_once(relay)


def test_all_peers_are_away_for_a_while(tmp_path, rabbitmq, kafka, rsyslog):
    """Everything waits and arrives; who has no trouble isn't delayed; the log says it once, not once per attempt.

    tests/benchmarks/sink_outage.py does it for ten minutes.
    """
    with (
        Everywhere(rabbitmq, kafka, rsyslog).connected() as everywhere,
        RelayProcess(tmp_path, everywhere.sinks()) as relay,
    ):
        found = outage(everywhere, relay, seconds=6, rate=200)
    assert found.fed > 200
    assert all(count <= 6 for count in found.said.values()), (tmp_path / "relay.log").read_text()  # by change of state
