# SPDX-License-Identifier: GPL-3.0-or-later
"""Does ingest feel a thousand idle and slow connections? How long do answers take at half of the maximum?

    PYTHONPATH=. python tests/benchmarks/slow_clients.py [--rounds 5] [--seconds 3] [--idle 1000] [--state-dir DIR]

Rounds with and without them take turns; medians. Half of them have sent an event and then nothing, half are in the
middle of a head. It takes a minute. Plain keep-alive connections of wrk, which shares the machine.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import re
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.ingest import PASSWORD, Server

MODE = "keep-alive, 32 connections"
CONNECTIONS = 64
LEAST_OF_WITHOUT = 0.9
MOST_P99_MS = 50.0
# Each connection waits so long between its requests, so that all together ask for a certain rate.
PACE = "\nfunction delay() return math.random({least}, {most}) end\n"
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


@contextlib.contextmanager
def idle(server: Server, count: int) -> Iterator[None]:
    """Hold `count` connections that do nothing; half of them have been authenticated."""
    basic = base64.b64encode(f"bmc:{PASSWORD}".encode()).decode()
    head = f"POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {basic}\r\n"
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 30)) for _ in range(count)]
        for number, one in enumerate(held):
            one.sendall(f"{head}Content-Length: 2\r\n\r\n{{}}".encode() if number % 2 else head.encode())
        for one in held[1::2]:
            if not one.recv(4096).startswith(b"HTTP/1.1 200"):
                sys.exit("a connection that was to be idle wasn't served")
        yield


def paced(server: Server, rate: float, seconds: int) -> tuple[float, float]:
    """Ask for `rate` events per second; returns what was reached, and the p99 in milliseconds."""
    pause = CONNECTIONS / rate * 1000
    script = server.directory / "paced.lua"
    script.write_text(server.script.read_text() + PACE.format(least=int(pause * 0.5), most=max(1, int(pause * 1.5))))
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", "-s", str(script)]
    done = subprocess.run([*command, f"http://127.0.0.1:{server.port}/"], capture_output=True, text=True, check=True)
    number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", done.stdout).groups()
    return float(re.search(r"Requests/sec:\s*([\d.]+)", done.stdout)[1]), float(number) * _UNITS[unit]


def rounds(server: Server, options: argparse.Namespace) -> tuple[list[float], list[float]]:
    """Events per second without and with idle connections; runs that one worker served aren't counted."""
    without, beside = [], []
    for _ in range(options.rounds):
        without.append(server.measure(options.seconds))
        with idle(server, options.idle):
            beside.append(server.measure(options.seconds))
    return [rate for rate in without if rate], [rate for rate in beside if rate]


def main() -> None:
    """Measure; exit status 1 when an aim is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--idle", type=int, default=1000)
    parser.add_argument("--state-dir", type=Path, help="where the journal goes; default: the temporary directory")
    options = parser.parse_args()
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory(dir=options.state_dir) as name:
        server = Server("durable", MODE, Path(name), {})
        try:
            server.measure(1)
            without, beside = rounds(server, options)
            if not without or not beside:
                sys.exit("one worker did most of the work in every run; run it again")
            most = statistics.median(without)
            runs = [paced(server, most / 2, options.seconds) for _ in range(options.rounds)]
        finally:
            server.stop()
    ratio = statistics.median(beside) / most
    reached, p99 = (statistics.median(found) for found in zip(*runs, strict=True))
    print(
        f"without {most:,.0f}/s, beside {options.idle:,} idle and slow connections {statistics.median(beside):,.0f}/s"
    )
    print(f"  ratio {ratio:.2f} (aim {LEAST_OF_WITHOUT}: {'met' if ratio >= LEAST_OF_WITHOUT else 'MISSED'})")
    print(f"at {reached:,.0f}/s, {reached / most:.0%} of the maximum: p99 {p99:.1f} ms (aim {MOST_P99_MS:g})")
    sys.exit(0 if ratio >= LEAST_OF_WITHOUT and p99 <= MOST_P99_MS else 1)


if __name__ == "__main__":
    main()
