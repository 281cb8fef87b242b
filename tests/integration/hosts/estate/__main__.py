# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m tests.integration.hosts.estate build|up|cleanup`: the estate by hand."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys

from . import RELEASES, Estate, EstateUnavailable, check_machine, remove_stale, tree


def _up(release: str, count: int) -> None:
    with Estate(count=count, release=release) as estate:
        inside = f"nsenter --net={estate.namespaces.network_path}"
        print(f"Inventory: {estate.inventory_path}")
        print(f"Controller: {inside} ansible all -i {estate.inventory_path} -m ping")
        for host in estate.hosts:
            print(f"Shell: {inside} ssh -F {estate.directory}/ssh_config {host.name}")
        print(f"BMC network: {estate.bmc_network}. Ctrl-C ends the estate.", flush=True)
        signal.pause()


def main() -> int:
    """Build trees, hold an estate until Ctrl-C, or remove what killed runs left."""
    parser = argparse.ArgumentParser(prog="python -m tests.integration.hosts.estate", description=main.__doc__)
    parser.add_argument("action", choices=["build", "up", "cleanup"])
    parser.add_argument("--release", choices=sorted(RELEASES), default="bookworm")
    parser.add_argument("--count", type=int, default=1)
    options = parser.parse_args()
    try:
        if options.action == "cleanup":
            print(f"removed: {', '.join(remove_stale()) or 'nothing'}")
        elif options.action == "build":
            check_machine()
            print(tree(options.release))
        else:
            signal.signal(signal.SIGTERM, signal.default_int_handler)
            _up(options.release, options.count)
    except EstateUnavailable as error:
        print(f"estate: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
