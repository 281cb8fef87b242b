# SPDX-License-Identifier: GPL-3.0-or-later
"""RabbitMQ, Kafka, rsyslog (TLS) and an HTTP receiver are all away for ten minutes under load, and come back.

    .venv/bin/python tests/benchmarks/sink_outage.py [--seconds 600] [--rate 200]

Ends with the first broken promise: everything arrives at each sink, in order per source, under its id. Prints how long
the JSON lines, which have no trouble, took for an event meanwhile, how long the sinks took to catch up, and how many
lines the relay's log has about each: that it fails and that it works, not each attempt.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.integration.bus.everywhere import Everywhere, RelayProcess, outage
from tests.services.kafka import Kafka
from tests.services.rabbitmq import RabbitMQ
from tests.services.rsyslog import Rsyslog


def main() -> None:
    """Run and print what happened."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--rate", type=int, default=200)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="outage-") as name,
        RabbitMQ() as rabbitmq,
        Kafka() as kafka,
        Rsyslog() as rsyslog,
        Everywhere(rabbitmq, kafka, rsyslog).connected() as everywhere,
        RelayProcess(Path(name), everywhere.sinks()) as relay,
    ):
        found = outage(everywhere, relay, options.seconds, options.rate)
    print(
        f"outage of {options.seconds:g} s: {found.fed} events, all at each sink, in order; "
        f"the JSON lines took {found.neighbour:.2f} s at most meanwhile; caught up after {found.catching_up:.1f} s; "
        f"came again {found.repeated}; lines in the log {found.said}"
    )


if __name__ == "__main__":
    main()
