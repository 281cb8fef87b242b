# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill the relay a hundred times while it feeds RabbitMQ, Kafka, rsyslog (TLS) and HTTP: nothing may be lost anywhere.

    .venv/bin/python tests/benchmarks/sink_crash.py [--kills N] [--seed N]

Ends with the first broken promise: everything arrives at each sink, in order per source; what comes again has the id
that it had; the text log has each payload once.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.integration.bus.everywhere import (
    Everywhere,
    RelayProcess,
    assert_text_log_once,
    kill_again_and_again,
)
from tests.services.kafka import Kafka
from tests.services.rabbitmq import RabbitMQ
from tests.services.rsyslog import Rsyslog
from tests.services.service import wait_until


def main() -> None:
    """Run and print one line of result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    print(f"sink_crash: {options.kills} kills, seed {options.seed}", flush=True)
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="sink-crash-") as name,
        RabbitMQ() as rabbitmq,
        Kafka() as kafka,
        Rsyslog() as rsyslog,
        Everywhere(rabbitmq, kafka, rsyslog).connected() as everywhere,
    ):
        directory = Path(name)
        sinks = {**everywhere.sinks(), "text_log": {"directory": str(directory / "logs")}}
        with RelayProcess(directory, sinks) as relay:
            rng = random.Random(options.seed)
            busy = kill_again_and_again(relay, list(everywhere.peers), options.kills, rng)
            repeated = everywhere.check(relay)
            wait_until(lambda: relay.cursor("text_log") == relay.fed, "the text log is written", 60)
        assert_text_log_once(relay)
    again = ", ".join(f"{name} {count}" for name, count in repeated.items())
    print(
        f"sink_crash: {options.kills} kills ({busy} with something to send) in {time.monotonic() - began:.0f} s: "
        f"{relay.fed} events, all at each sink, in order; came again under their ids: {again}; text log: each once"
    )


if __name__ == "__main__":
    main()
