# SPDX-License-Identifier: GPL-3.0-or-later
"""The namespaces and the control group of one run, and the way into them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from .errors import EstateUnavailable

CLONE_NEWNET = 0x40000000
KEEPER = Path(__file__).with_name("keeper.py")


def cgroup_root() -> Path:
    """Where the version 2 hierarchy is mounted, on pure and on mixed systems."""
    for line in Path("/proc/mounts").read_text().splitlines():
        _, where, kind, options = line.split()[:4]
        if kind == "cgroup2" and "rw" in options.split(","):
            return Path(where)
    raise EstateUnavailable("No writable cgroup2 hierarchy is mounted: systemd in the hosts needs one.")


class ControlGroup:
    """A control group below the root: kills and removes all that it holds, and nothing else."""

    def __init__(self, name: str) -> None:
        self.path = cgroup_root() / name

    def make(self) -> None:
        """Create it."""
        self.path.mkdir(parents=True, exist_ok=True)

    def kill(self) -> None:
        """End every process in it at once, with no chance to clean up: a power cut."""
        if self.path.is_dir():
            (self.path / "cgroup.kill").write_text("1")

    def remove(self, timeout: float = 10) -> None:
        """Kill what is left and remove the group; raises EstateUnavailable if the kernel keeps it busy."""
        self.kill()
        deadline = time.monotonic() + timeout
        while self.path.is_dir():
            try:
                for directory, _, _ in os.walk(self.path, topdown=False):
                    os.rmdir(directory)
            except OSError as error:  # killed processes take a moment to go
                if time.monotonic() > deadline:
                    raise EstateUnavailable(f"Control group {self.path} can't be removed: {error}") from error
                time.sleep(0.05)


class Namespaces:
    """Process, mount and network namespaces of their own, held by the keeper."""

    def __init__(self, address: str, address6: str, bmc_network: str) -> None:
        self._keeper = subprocess.Popen(
            ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation=private",
             "--", sys.executable, "-I", str(KEEPER), address, address6, bmc_network],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip
        assert self._keeper.stdout is not None
        if self._keeper.stdout.readline() != "ready\n":
            self._keeper.kill()
            _, reason = self._keeper.communicate()
            raise EstateUnavailable(f"This machine gives no namespaces of our own: {reason.strip().splitlines()[-1:]}")
        children = Path(f"/proc/{self._keeper.pid}/task/{self._keeper.pid}/children")
        self.pid = int(children.read_text().split()[0])  # of the keeper itself, as seen from here

    @property
    def network_path(self) -> str:
        """The file that names the network namespace (for `nsenter --net=`)."""
        return f"/proc/{self.pid}/ns/net"

    def inside(self, *command: str, network_only: bool = False) -> list[str]:
        """The command line that runs `command` inside: with the estate's network only, or wholly."""
        if network_only:
            return ["nsenter", f"--net={self.network_path}", "--", *command]
        return ["nsenter", f"--target={self.pid}", "--mount", "--net", "--pid", "--", *command]

    @contextlib.contextmanager
    def network(self) -> Iterator[None]:
        """This thread, and what it starts, uses the estate's network within the block."""
        with open("/proc/thread-self/ns/net", "rb") as home, open(self.network_path, "rb") as estate:
            _set_network(estate.fileno())
            try:
                yield
            finally:
                _set_network(home.fileno())

    def close(self) -> None:
        """End the keeper and with it everything that runs in the namespaces."""
        for stream in (self._keeper.stdin, self._keeper.stdout, self._keeper.stderr):
            if stream is not None:
                stream.close()
        try:
            self._keeper.wait(10)
        except subprocess.TimeoutExpired:
            self._keeper.kill()  # --kill-child: the keeper goes with it
            self._keeper.wait()


def _set_network(descriptor: int) -> None:
    """os.setns, which Python has only since 3.12."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
