# SPDX-License-Identifier: GPL-3.0-or-later
"""A thousand BMCs of all personalities, 5 % of them faulty in every way the simulator knows; not a speed, a proof.

    .venv/bin/python tests/benchmarks/fleet_faulty.py [--bmcs 1000] [--share 0.05] [--forks 50]

subscribe.yml, half of the faulty ones heal, subscribe.yml, all heal, unsubscribe.yml. It ends with an error unless the
healthy ones converged, each faulty one had its true reason in the summary, those that healed were repaired, and no
foreign subscription was touched. `make test` does the same with a hundred.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from redfish_simulator.client import Fleet

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.integration.fleet_scenario import Scenario, mix, play_out


def main() -> int:
    """Play the scenario and print what was not as it has to be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bmcs", type=int, default=1000)
    parser.add_argument("--share", type=float, default=0.05, help="part of the fleet that is faulty")
    parser.add_argument("--forks", type=int, default=50)
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with Fleet(mix=mix(options.bmcs), directory=directory / "fleet", time_scale=0.01) as fleet:
            scenario = Scenario(fleet, directory, options.share, options.forks)
            vendors = Counter(bmc.vendor for bmc in fleet.bmcs)
            trouble = play_out(scenario)
            print(f"{len(fleet.bmcs)} BMCs of {len(vendors)} personalities, {time.monotonic() - began:.0f} s in all")
            print(f"faults: {', '.join(f'{count} {kind}' for kind, count in sorted(scenario.met.items()))}")
    print("\n".join(trouble) or "every BMC as it has to be")
    return 1 if trouble else 0


if __name__ == "__main__":
    raise SystemExit(main())
