# SPDX-License-Identifier: GPL-3.0-or-later
"""One booted machine of the estate: an overlay on a tree, under systemd-nspawn, reached over SSH."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import time
from pathlib import Path

from .errors import HostError
from .keeper import BRIDGE
from .namespaces import ControlGroup, Namespaces
from .tree import USER

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b\][^\x07]*\x07")  # colours and titles of the boot screen
POWER_OFF = signal.SIGRTMIN + 4  # systemd(1): start poweroff.target


class Host:
    """A host. Its disk survives `kill` and `start`, and goes with the estate."""

    def __init__(self, name: str, number: int, directory: Path, lower: Path, namespaces: Namespaces) -> None:
        self.name = name
        self.address = f"10.79.0.{number + 10}"
        self.address6 = f"fd79::{number + 10:x}"
        self.directory = directory
        self.root = directory / "root"
        self._lower = lower
        self._namespaces = namespaces
        self._group = ControlGroup(f"{directory.parent.name}/{name}")
        self._process: subprocess.Popen[bytes] | None = None

    def lay(self, path: str, text: str, mode: int = 0o644) -> None:
        """Put a file onto the host's disk before its first boot."""
        target = self.directory / "upper" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)

    def prepare(self, public_key: str, hosts_file: str) -> None:
        """Lay what makes this host itself: name, address, SSH keys; then mount its disk."""
        for part in ("upper", "work", "root"):
            (self.directory / part).mkdir(parents=True, exist_ok=True)
        key = self.directory / "host_key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", self.name, "-f", key], check=True)
        self.lay("etc/hostname", f"{self.name}\n")
        self.lay("etc/hosts", hosts_file)
        self.lay("etc/ssh/ssh_host_ed25519_key", key.read_text(), 0o600)
        self.lay("etc/ssh/ssh_host_ed25519_key.pub", self.public_host_key)
        self.lay(f"etc/ssh/authorized_keys.d/{USER}", public_key)
        self.lay(
            "etc/systemd/network/10-estate.network",
            f"[Match]\nName=host0\n\n[Network]\nAddress={self.address}/24\nAddress={self.address6}/64\n"
            "Gateway=10.79.0.1\nLinkLocalAddressing=ipv6\nIPv6AcceptRA=no\n",
        )
        layers = f"lowerdir={self._lower},upperdir={self.directory}/upper,workdir={self.directory}/work"
        mount = self._namespaces.inside("mount", "-t", "overlay", "-o", layers, self.name, str(self.root))
        subprocess.run(mount, check=True)

    @property
    def public_host_key(self) -> str:
        """The host's SSH key, as known_hosts wants it behind the name."""
        return (self.directory / "host_key.pub").read_text()

    @property
    def console(self) -> str:
        """All that the host wrote to its console so far, its log at boot among it."""
        text = (self.directory / "console.log").read_text(errors="replace")
        return ESCAPES.sub("", text).replace("\r", "")

    @property
    def running(self) -> bool:
        """Whether the machine is switched on."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Switch the machine on; `wait` waits until it is up."""
        self._group.make()
        # The shell enters the host's control group, because nspawn (--keep-unit) builds the host's below its own.
        enter = ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(self._group.path)]
        nspawn = self._namespaces.inside(
            "systemd-nspawn", f"--directory={self.root}", f"--machine={self.name}", "--boot", "--register=no",
            "--keep-unit", f"--network-bridge={BRIDGE}", "--resolv-conf=off", "--timezone=off", "--link-journal=no",
            "--console=read-only",
        )  # fmt: skip
        with (self.directory / "console.log").open("ab") as console:
            self._process = subprocess.Popen(
                [*enter, *nspawn], stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the owner, who then ends the hosts in order
            )  # fmt: skip

    def wait(self, timeout: float = 60) -> None:
        """Wait until SSH answers and systemd has started everything; raises HostError with the end of the console."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline and self.running:
            if self._ssh("true", 10).returncode == 0:
                state = self._ssh("systemctl is-system-running --wait", timeout).stdout.strip()
                if state == "running":
                    return
                failed = self._ssh("systemctl --failed --no-legend --plain", 20).stdout
                raise HostError(f"{self.name} is {state or 'not up'}: {failed}")
            time.sleep(0.1)
        raise HostError(f"{self.name} did not come up in {timeout:.0f} s. Its console says:\n{self.console[-3000:]}")

    def stop(self, timeout: float = 30) -> None:
        """Shut the machine down in order; switch it off if it takes too long."""
        if not self.running:
            return
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):  # already on its way down
            os.kill(self._init(), POWER_OFF)
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
        self._group.remove()

    def kill(self) -> None:
        """Cut its power: every process ends at once. What it had handed to the file system stays on its disk."""
        if self._process is not None:
            self._group.kill()
            self._process.wait(30)
            self._group.remove()

    def unplug(self, *, far: bool = False) -> None:
        """Cut its network cable: the host sees it. `far`: a cable between switches, of which the host sees nothing."""
        self._link("nomaster" if far else "down")

    def plug(self) -> None:
        """Put the cable back."""
        self._link("master", BRIDGE)
        self._link("up")

    def _link(self, *change: str) -> None:
        # nspawn calls the bridge's end of a host's cable so, in at most 15 characters.
        link = ["ip", "link", "set", f"vb-{self.name}"[:15], *change]
        subprocess.run(self._namespaces.inside(*link, network_only=True), check=True, capture_output=True)

    def ssh(self, command: str, *, root: bool = False, check: bool = True, timeout: float = 60) -> str:
        """Run a shell command on the host, as the deploying user or as root, and return what it printed.

        Raises HostError with its output if it fails, unless `check` is off.
        """
        done = self._ssh(f"sudo sh -c {shlex.quote(command)}" if root else command, timeout)
        if check and done.returncode != 0:
            raise HostError(f"{self.name}: {command!r} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def succeeds(self, command: str, *, root: bool = False) -> bool:
        """Whether a shell command ends with 0 on the host."""
        return self._ssh(f"sudo sh -c {shlex.quote(command)}" if root else command, 60).returncode == 0

    def _ssh(self, command: str, timeout: float) -> subprocess.CompletedProcess[str]:
        config = str(self.directory.parent / "ssh_config")
        argv = self._namespaces.inside("ssh", "-F", config, self.name, command, network_only=True)
        return subprocess.run(argv, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL)

    def _init(self) -> int:
        """The host's process 1, as numbered here."""
        processes = self._group.path / "payload" / "init.scope" / "cgroup.procs"
        for pid in processes.read_text().split():
            status = Path(f"/proc/{pid}/status").read_text()
            if any(line.startswith("NSpid:") and line.split()[-1] == "1" for line in status.splitlines()):
                return int(pid)
        raise FileNotFoundError(f"{processes} names no process 1")
