# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL is down for ten minutes under load: no answer but 2xx, and then everything is caught up, once.

`database_down.py [--minutes N]`. Ends with status 1 and the first broken promise.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.integration.crash_traffic import EVENTS, Traffic, check, database, outage, register
from tests.integration.listener_process import RunningListener, issue_certificates
from tests.services.postgresql import PostgreSQL


def main() -> None:
    """Run and print one line of result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="down-") as directory, PostgreSQL(durable=True) as server:
        base = Path(directory)
        settings = database(server, base)
        with RunningListener(
            base, issue_certificates(base), settings, host="127.0.0.1", arguments=[]
        ).start() as running:
            register(running)
            with Traffic(running) as traffic:
                seconds = outage(running, traffic, server, options.minutes * 60)
            check(running, traffic)
    print(
        f"database down for {options.minutes:g} min: {traffic.total() * EVENTS} events acknowledged, nothing refused "
        f"or unanswered, all stored once; caught up in {seconds:.0f} s with traffic going on"
    )


if __name__ == "__main__":
    main()
