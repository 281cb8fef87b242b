# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill parts of the listener two hundred times during traffic; what is acknowledged must be stored exactly once.

`crash.py [--kills N] [--seed N]`. Ends with status 1 and the first broken promise.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

import trustme

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.integration.crash_traffic import Traffic, check, kill_parts, register
from tests.integration.listener_process import RunningListener


def certificates(directory: Path) -> dict[str, Path]:
    """Return the files of a CA and of a listener on loopback."""
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    paths = {name: directory / f"{name}.pem" for name in ("ca", "certificate", "key")}
    authority.cert_pem.write_to_path(str(paths["ca"]))
    issued.private_key_pem.write_to_path(str(paths["key"]))
    for blob in issued.cert_chain_pems:
        blob.write_to_path(str(paths["certificate"]), append=True)
    return paths


def main() -> None:
    """Run and print one line of result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    print(f"crash: {options.kills} kills, seed {options.seed}", flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="crash-") as directory:
        base = Path(directory)
        with RunningListener(base, certificates(base), {}, host="127.0.0.1", arguments=[]).start() as running:
            register(running)
            with Traffic(running) as traffic:
                killed = kill_parts(running, traffic, options.kills, random.Random(options.seed))
            check(running, traffic)
    share = ", ".join(f"{name} {number}" for name, number in sorted(killed.items()))
    print(
        f"crash: {sum(killed.values())} kills ({share}) in {time.monotonic() - began:.0f} s: "
        f"{traffic.total()} acknowledged, none lost, none twice; {sum(traffic.refused.values())} asked to come again"
    )


if __name__ == "__main__":
    main()
