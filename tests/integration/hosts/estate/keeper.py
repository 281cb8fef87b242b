# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs as process 1 of the estate's own process, mount and network namespaces, and holds them open.

Everything of a run lives in these namespaces. This process ends when its standard input does, that is, when whoever
started it is gone, however that happened; the kernel then ends all processes of the namespace and takes down its
mounts, bridge and interfaces. So nothing of an estate can outlive its owner.

Arguments: address of the controller on the bridge, its IPv6 address, the BMC network.
"""

import signal
import subprocess
import sys

BRIDGE = "estate0"


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


def prepare(address: str, address6: str, bmc_network: str) -> None:
    """Make the namespaces a place for nspawn: a pure cgroup v2 tree, a private /run/systemd, and a bridge."""
    # systemd 256 and newer refuse the mixed hierarchy that some machines still have.
    _run("umount", "--lazy", "--recursive", "/sys/fs/cgroup")
    _run("mount", "-t", "cgroup2", "cgroup2", "/sys/fs/cgroup")
    _run("mkdir", "-p", "/run/systemd")
    _run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run/systemd")
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "link", "add", BRIDGE, "type", "bridge", "forward_delay", "0")
    _run("ip", "link", "set", BRIDGE, "up")
    _run("ip", "address", "add", address, "dev", BRIDGE)
    _run("ip", "address", "add", address6, "dev", BRIDGE, "nodad")
    # Every address of the BMC network is local here, so that a simulator binds to any of them without configuring it.
    _run("ip", "route", "add", "local", bmc_network, "dev", "lo")


def main() -> None:
    """Prepare, say so, and wait for the owner to go."""
    prepare(*sys.argv[1:])
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # process 1 inherits orphans; ignored children are reaped
    print("ready", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
