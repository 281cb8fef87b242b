# SPDX-License-Identifier: GPL-3.0-or-later
"""An estate: hosts, the network between them and the controller, a BMC network, and an inventory of it all."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import itertools
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

import yaml

from .errors import EstateUnavailable
from .host import Host
from .namespaces import ControlGroup, Namespaces
from .tree import USER, tree

CONTROLLER = "10.79.0.1"
CONTROLLER6 = "fd79::1"
BMC_NETWORK = "10.79.128.0/17"
RUNS = Path("/var/tmp")  # short, for SSH's sockets; on a disk; every run makes its own directory with mode 0700
PREFIX = "redfleet-estate-"
NEEDED = {
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "ssh": "openssh-client",
    "ip": "iproute2",
    "unshare": "util-linux",
    "nsenter": "util-linux",
}


def check_machine() -> None:
    """Raise EstateUnavailable if this machine lacks what an estate stands on."""
    if os.geteuid() != 0:
        raise EstateUnavailable("Booting hosts takes root (namespaces, mounts, control groups).")
    missing = sorted({package for command, package in NEEDED.items() if shutil.which(command) is None})
    if missing:
        raise EstateUnavailable(f"Not installed: {' '.join(missing)} (tests/tools/install-debian-packages does).")
    if "overlay" not in Path("/proc/filesystems").read_text():
        raise EstateUnavailable("The kernel has no overlayfs: hosts are overlays on a common tree.")


class Estate:
    """`count` hosts of a release, booted; use it as a context manager.

    The controller is this machine, inside the estate's network: run commands there with `run`, or anything else in a
    `with estate.network():` block. It has address 10.79.0.1, hosts have 10.79.0.11 and up, and every address of
    10.79.128.0/17 is at home on the controller's side for simulated BMCs. There is no way out of that network.
    The last of the hosts are in groups of their own where `others` says how many each has, as {"event_databases": 1}.
    Hosts of a group in `kinds` have what a tree of that kind holds, as {"event_peers": "peers"}.
    """

    def __init__(
        self, count: int = 1, release: str = "bookworm", group: str = "event_listeners",
        progress: Callable[[str], None] = print, others: Mapping[str, int] | None = None,
        kinds: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.release = release
        self.bmc_network = BMC_NETWORK
        self.hosts: list[Host] = []
        self._names = [f"{release}{number}" for number in range(1, count + 1)]
        self._groups = {group: count - sum((others or {}).values()), **(others or {})}
        self._kinds = dict(kinds or {})
        self._progress = progress
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Estate:
        check_machine()
        remove_stale()
        # What a host's unprivileged services must read is made here: the caller's mask must not take it from them.
        mask = os.umask(0o022)
        try:
            self._build()
        except BaseException:
            self.close()
            raise
        finally:
            os.umask(mask)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _build(self) -> None:
        lowers = {name: tree(self.release, self._progress, self._kinds.get(name, "")) for name in self._groups}
        started = time.monotonic()
        atexit.register(self.close)
        self.directory = Path(tempfile.mkdtemp(prefix=PREFIX, dir=RUNS))
        # Held while the run lives: `remove_stale` takes only directories whose lock is free.
        lock = self._stack.enter_context((self.directory / "lock").open("w"))
        fcntl.flock(lock, fcntl.LOCK_EX)
        self._stack.callback(shutil.rmtree, self.directory)
        self._stack.callback(ControlGroup(self.directory.name).remove)
        self._stack.callback(self._switch_off)
        self.namespaces = Namespaces(f"{CONTROLLER}/24", f"{CONTROLLER6}/64", BMC_NETWORK)
        # A clean shutdown serves nobody: the end of the namespaces ends all that is in them.
        self._stack.callback(self.namespaces.close)
        self._make_hosts([lowers[name] for name, count in self._groups.items() for _ in range(count)])
        for host in self.hosts:
            host.start()
        for host in self.hosts:
            host.wait()
        self._progress(f"estate: {', '.join(self._names)} booted in {time.monotonic() - started:.1f} s")

    def _make_hosts(self, lowers: Sequence[Path]) -> None:
        key = self.directory / "id_ed25519"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "estate", "-f", key], check=True)
        for number, (name, lower) in enumerate(zip(self._names, lowers, strict=True), 1):
            self.hosts.append(Host(name, number, self.directory / name, lower, self.namespaces))
        names = [("127.0.0.1", "localhost"), (CONTROLLER, "controller"), *((h.address, h.name) for h in self.hosts)]
        hosts_file = "".join(f"{address} {name}\n" for address, name in names)
        for host in self.hosts:
            host.prepare(key.with_suffix(".pub").read_text(), hosts_file)
        (self.directory / "known_hosts").write_text(
            "".join(f"{host.name},{host.address} {host.public_host_key}" for host in self.hosts)
        )
        (self.directory / "ssh_config").write_text(self._ssh_config())
        self.inventory_path = self.write_inventory()

    def _ssh_config(self) -> str:
        common = (
            f"Host *\n  User {USER}\n  IdentityFile {self.directory}/id_ed25519\n  IdentitiesOnly yes\n"
            f"  UserKnownHostsFile {self.directory}/known_hosts\n  StrictHostKeyChecking yes\n  BatchMode yes\n"
            "  ConnectTimeout 5\n  ServerAliveInterval 5\n  LogLevel ERROR\n"
        )
        return "".join(f"Host {host.name}\n  HostName {host.address}\n" for host in self.hosts) + common

    def write_inventory(self, **variables: object) -> Path:
        """Write the controller's view of the hosts, with `variables` for their groups beside the connection's."""
        ssh = f"-F {self.directory}/ssh_config -o ControlMaster=auto -o ControlPersist=30s"
        connection = {"ansible_user": USER, "ansible_ssh_common_args": ssh, "ansible_python_interpreter": "auto_silent"}
        everywhere = {**connection, "ansible_control_path_dir": f"{self.directory}/cp", **variables}
        hosts = iter(self.hosts)
        groups = {
            name: {
                "hosts": {host.name: {"ansible_host": host.address} for host in itertools.islice(hosts, count)},
                "vars": everywhere,
            }
            for name, count in self._groups.items()
        }
        path = self.directory / "inventory.yml"
        path.write_text(yaml.safe_dump(groups, sort_keys=False))
        return path

    def network(self) -> contextlib.AbstractContextManager[None]:
        """Within the block this thread, and what it starts, is in the estate's network."""
        return self.namespaces.network()

    def run(
        self, command: Sequence[str | Path], *, timeout: float = 600, cwd: Path | None = None,
        env: dict[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:  # fmt: skip
        """Run a command on the controller, output captured as one text; `env` is added to the environment."""
        return subprocess.run(
            self.namespaces.inside(*map(str, command), network_only=True),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=timeout, cwd=cwd, env={**os.environ, **(env or {})},
        )  # fmt: skip

    def close(self) -> None:
        """Switch the hosts off and remove every trace of the run. Safe to call twice."""
        atexit.unregister(self.close)
        self._stack.close()

    def _switch_off(self) -> None:
        for host in self.hosts:
            host.kill()
        # Ansible keeps its SSH connections for a while; they would keep the network namespace.
        for socket in self.directory.glob("cp/*"):
            subprocess.run(["ssh", "-O", "exit", "-o", f"ControlPath={socket}", "host"], capture_output=True)


def remove_stale() -> list[str]:
    """Remove what runs left whose owner was killed; returns their names. Their processes are gone already."""
    removed = []
    for directory in RUNS.glob(f"{PREFIX}*"):
        with contextlib.suppress(FileNotFoundError), _lock_of(directory) as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # in use
            ControlGroup(directory.name).remove()
            shutil.rmtree(directory)
            removed.append(directory.name)
    return removed


def _lock_of(directory: Path) -> IO[str]:
    return (directory / "lock").open("r+")
