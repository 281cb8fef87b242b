# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian root file systems for the hosts, built once by mmdebstrap and kept in a cache.

A tree holds what an administrator may expect of a plain Debian server that is managed by Ansible: systemd, sshd, sudo,
Python with venv. Nothing in it belongs to a single run: keys, addresses and names are laid over it by each host.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from .errors import EstateUnavailable

RELEASES = {"bookworm": "Debian 12", "trixie": "Debian 13"}
MIRROR = "http://deb.debian.org/debian"
PACKAGES = (
    "systemd,systemd-sysv,libpam-systemd,dbus,python3,python3-venv,sudo,openssh-server,"
    "iproute2,netbase,procps,ca-certificates,nftables,nginx-light"
)
# What one release is enough to test: an address that two hosts share, their database, a firewall that isn't nft's own.
PACKAGES_OF = {"bookworm": "keepalived,curl,postgresql,firewalld"}
USER = "deploy"
UNUSED_SECONDS = 86400  # after this long a tree of an older recipe goes

# Laid over the packages, the same on every host. Values are file texts.
FILES = {
    "etc/sudoers.d/deploy": f"{USER} ALL=(ALL) NOPASSWD: ALL\n",
    # The key of a run is laid into /etc, because an overlay of /home would need the user's numeric id.
    "etc/ssh/sshd_config.d/estate.conf": (
        "AuthorizedKeysFile /etc/ssh/authorized_keys.d/%u\nPasswordAuthentication no\nUseDNS no\n"
        "HostKey /etc/ssh/ssh_host_ed25519_key\n"
    ),
    "etc/machine-id": "",
    "etc/resolv.conf": "",
}
HOOKS = (
    f'chroot "$1" useradd --create-home --shell /bin/bash {USER}',
    'rm -f "$1"/etc/ssh/ssh_host_*',
    # Hosts have no uplink: timers that want one only make noise.
    'chroot "$1" systemctl mask --quiet apt-daily.timer apt-daily-upgrade.timer systemd-resolved.service',
    'chroot "$1" systemctl enable --quiet systemd-networkd.service ssh.service',
    # What an administrator's own nginx serves isn't ours; the role's has units of its own.
    'chroot "$1" systemctl disable --quiet nginx.service',
)
HOOKS_OF = {
    "bookworm": ('chroot "$1" systemctl disable --quiet postgresql.service keepalived.service firewalld.service',)
}
# Further programs for hosts that are something else: their trees hold these beside the usual packages, not running.
KINDS = {"": "", "peers": "rabbitmq-server,rsyslog"}
HOOKS_OF_KIND = {
    "peers": ('chroot "$1" systemctl disable --quiet rabbitmq-server.service epmd.socket rsyslog.service',)
}
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")


def cache_directory() -> Path:
    """Where trees are kept between runs (about 250 MB each)."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "redfleet-events" / "trees"


def tree(release: str, progress: Callable[[str], None] = print, kind: str = "") -> Path:
    """Return the root file system of a release, built first where the cache doesn't hold it; `kind` is one of KINDS.

    Raises EstateUnavailable with the end of mmdebstrap's output if it can't be built.
    """
    if release not in RELEASES or kind not in KINDS:
        raise EstateUnavailable(f"There is no tree for {release!r} {kind}: known are {', '.join(RELEASES)}.")
    cache = cache_directory()
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / f"{release}-{_recipe_id(release, kind)}"
    with (cache / f"{release}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs at once build it once
        if not path.is_dir():
            _build(release, kind, path, progress)
        os.utime(path)  # when it was last used
    return path


def _recipe_id(release: str, kind: str) -> str:
    """A tree is built again when its recipe changes."""
    recipe = (MIRROR, _packages(release, kind), USER, FILES, _hooks(release, kind), LEFT_OUT)
    return hashlib.sha256(repr(recipe).encode()).hexdigest()[:12]


def _packages(release: str, kind: str) -> str:
    return ",".join(filter(None, (PACKAGES, PACKAGES_OF.get(release), KINDS[kind])))


def _hooks(release: str, kind: str) -> tuple[str, ...]:
    return (*HOOKS, *HOOKS_OF.get(release, ()), *HOOKS_OF_KIND.get(kind, ()))


def _build(release: str, kind: str, path: Path, progress: Callable[[str], None]) -> None:
    started = time.monotonic()
    progress(f"estate: building the {RELEASES[release]} tree in {path.parent} (once, about half a minute)")
    for old in path.parent.glob(f"{release}-*"):
        # Hosts of another checkout, with another recipe, may be standing on it.
        if time.time() - old.stat().st_mtime > UNUSED_SECONDS:
            shutil.rmtree(old)
    # Built under another name, so that an interrupted build is never taken for a tree.
    work = Path(tempfile.mkdtemp(prefix=".building-", dir=path.parent))
    try:
        _bootstrap(release, kind, work)
        for name, text in FILES.items():
            target = work / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)  # resolv.conf may be a link
            target.write_text(text)
        (work / "etc/sudoers.d/deploy").chmod(0o440)
        work.chmod(0o755)
        work.rename(path)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    progress(f"estate: {RELEASES[release]} tree built in {time.monotonic() - started:.0f} s")


def _bootstrap(release: str, kind: str, work: Path) -> None:
    mirror = os.environ.get("ESTATE_MIRROR", MIRROR)
    command = ["mmdebstrap", "--mode=root", "--variant=minbase", f"--include={_packages(release, kind)}"]
    command += [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
    command += [f"--customize-hook={hook}" for hook in _hooks(release, kind)]
    done = subprocess.run(
        [*command, release, str(work), mirror], capture_output=True, text=True, timeout=900, stdin=subprocess.DEVNULL
    )
    if done.returncode != 0:
        end = "\n".join(done.stderr.splitlines()[-10:])
        raise EstateUnavailable(
            f"mmdebstrap could not build Debian {release} from {mirror} (ESTATE_MIRROR names another):\n{end}"
        )
