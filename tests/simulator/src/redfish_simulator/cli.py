# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `redfish-simulator`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import resource
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .mix import parse_mix
from .simulation import Options, Simulation


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="redfish-simulator",
        description="A fleet of simulated Redfish services (BMCs) on loopback addresses, each with TLS, credentials "
        "and the habits of its vendor. Stops at Ctrl-C.",
    )
    add = parser.add_argument
    add("--count", type=int, help="number of BMCs (the sum of --mix, else 24)")
    add("--mix", type=parse_mix, help="personalities and their numbers: openbmc=8,idrac9=4")
    add("--network", default=Options.network, help="loopback or private network, one address per BMC (%(default)s)")
    add("--port", type=int, default=Options.port, help="port of all BMCs, 0 finds a free one (%(default)s)")
    add("--control", default="127.0.0.1:0", help="address of the control API (%(default)s: a free port)")
    add("--state", type=Path, help="write addresses, credentials and fingerprints here, as JSON, once all listens")
    add("--inventory", type=Path, help="write an Ansible inventory here (.yml)")
    add("--seed", type=int, default=Options.seed, help="identities and events derive from it (%(default)s)")
    certificates = parser.add_mutually_exclusive_group()
    certificates.add_argument("--self-signed", action="store_true", help="self-signed certificates (the default)")
    certificates.add_argument("--ca-dir", type=Path, help="issue certificates from ca.pem here; made where missing")
    add("--listener-ca", type=Path, help="CA certificates (PEM) that BMCs verify listeners with")
    add("--time-scale", type=float, default=1.0, help="factor for the BMCs' own waits, as between retries (1)")
    add("--delivery-timeout", type=float, default=30.0, help="seconds that a BMC waits for a listener (%(default)s)")
    add("--until-eof", action="store_true", help="stop, too, when standard input ends: when the parent is gone")
    add("--verbose", action="store_true", help="say why connections and deliveries failed")
    return parser


@dataclass(frozen=True)
class Manner:
    """How the command behaves, whatever the fleet is."""

    verbose: bool = False
    until_eof: bool = False


def options(arguments: Sequence[str]) -> tuple[Options, Manner]:
    """Read the command line. Exits with 2 where it is wrong."""
    parser = _parser()
    given = parser.parse_args(arguments)
    host, colon, port = given.control.rpartition(":")
    if not colon or not port.isdigit():
        parser.error(f"--control must be ADDRESS:PORT, not {given.control!r}.")
    if host not in ("127.0.0.1", "localhost", "[::1]"):
        parser.error("--control must be on loopback: the API shows passwords and has none itself.")
    count = given.count if given.count is not None else sum(given.mix.values()) if given.mix else Options.count
    if count < 1:
        parser.error("--count must be at least 1.")
    chosen = Options(
        count=count,
        mix=given.mix,
        network=given.network,
        port=given.port,
        control_host=host.strip("[]"),
        control_port=int(port),
        state=given.state,
        inventory=given.inventory,
        seed=given.seed,
        ca_dir=given.ca_dir,
        listener_ca=given.listener_ca,
        time_scale=given.time_scale,
        delivery_timeout=given.delivery_timeout,
    )
    return chosen, Manner(given.verbose, given.until_eof)


async def serve(chosen: Options, until_eof: bool = False) -> None:
    """Run a fleet until SIGINT or SIGTERM, or until nobody holds our standard input any more."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    if until_eof:
        loop.add_reader(sys.stdin.fileno(), _at_eof, stop)
    simulation = Simulation(chosen)
    await simulation.start()
    first = next(iter(simulation.bmcs.values()))
    print(f"{chosen.count} BMCs listen from {first.identity.baseuri} on; control API {simulation.control}", flush=True)
    try:
        await stop.wait()
    finally:
        await simulation.stop()


def _at_eof(stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        stop.set()


def raise_file_limit() -> None:
    """A BMC needs a socket or three: take what the system grants."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or soft < hard:
        wanted = 1 << 20 if hard == resource.RLIM_INFINITY else hard
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point."""
    chosen, manner = options(sys.argv[1:] if arguments is None else arguments)
    logging.basicConfig(level=logging.DEBUG if manner.verbose else logging.WARNING, format="%(levelname)s %(message)s")
    raise_file_limit()
    try:
        asyncio.run(serve(chosen, manner.until_eof))
    except (OSError, ValueError) as error:
        sys.exit(f"redfish-simulator: {error}")
