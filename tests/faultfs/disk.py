# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk for tests that loses power, fills up, becomes read-only, slow, or fails an fsync. Needs root and /dev/fuse.

    with FaultDisk(directory) as disk:
        disk.set(sync_seconds=0.005)     # each fsync takes 5 ms
        ...use disk.path...
        disk.cut_power()                 # from now on everything fails
        ...kill who uses it...
        disk.restore()                   # mounted again, without what was not fsynced

For a benchmark on a slow disk, from a shell::

    python tests/faultfs/disk.py MOUNTPOINT --sync-ms 5     # until its standard input ends or Ctrl-C
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

_SECONDS = 60


class FaultDiskError(Exception):
    """It can't be mounted, or didn't obey."""


def unusable() -> str:
    """Why no such disk can be made here; "" where it can."""
    if os.geteuid() != 0:
        return "only root mounts a disk that fails on purpose"
    return "" if Path("/dev/fuse").exists() else "this machine has no /dev/fuse"


class FaultDisk:
    """``path`` is where it is mounted, below ``directory``. A context manager."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "disk"
        self._backing = directory / "backing"
        self._log = directory / "faultfs.log"
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.path.mkdir(parents=True)
        self._backing.mkdir()
        self._mount()
        return self

    def __exit__(self, *_: object) -> None:
        self._unmount()

    def set(self, **values: float) -> None:
        """``sync_seconds``, ``failing_syncs``, ``read_only``, ``capacity`` (bytes), ``cut_after_syncs``."""
        self._order(do="set", values=values)

    def heal(self) -> None:
        """A good disk again."""
        self.set(sync_seconds=0.0, failing_syncs=0, read_only=False, capacity=1 << 40)

    def state(self) -> dict[str, Any]:
        """``syncs`` so far, whether the power is ``cut``, bytes ``used``."""
        found: dict[str, Any] = self._order(do="look")
        return found

    def cut_power(self) -> None:
        """Nothing is written, read or synced from now on."""
        self.set(cut=True)

    def restore(self, rng: random.Random | None = None) -> int:
        """Power is back. Returns how much is lost: all that was not synced, or with ``rng`` a random part of it.

        Nobody may use the disk meanwhile: end them first.
        """
        lost: int = self._order(do="lose", seed=None if rng is None else rng.randrange(1 << 30))
        self._unmount()
        self._mount()
        return lost

    def _mount(self) -> None:
        server = Path(__file__).with_name("filesystem.py")
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(server), str(self._backing), str(self.path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        deadline = time.monotonic() + _SECONDS
        while not os.path.ismount(self.path):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise FaultDiskError(f"{self.path} can't be mounted; is fuse3 installed? {self._log.read_text()}")
            time.sleep(0.02)

    def _unmount(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        subprocess.run(["umount", "--lazy", str(self.path)], capture_output=True, check=False)
        if process.stdin is not None:
            process.stdin.close()
        process.wait(_SECONDS)
        if process.stdout is not None:
            process.stdout.close()

    def _order(self, **order: Any) -> Any:
        if self._process is None or self._process.stdin is None or self._process.stdout is None:
            raise FaultDiskError("it isn't mounted")
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline() or '{"error": "it ended"}')
        if "error" in answer:
            raise FaultDiskError(answer["error"])
        return answer["answer"]


def main() -> None:
    """Mount a slow disk until the input ends."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("directory", type=Path, help="an empty directory; the disk is DIRECTORY/disk")
    parser.add_argument("--sync-ms", type=float, default=5.0)
    options = parser.parse_args()
    with FaultDisk(options.directory) as disk:
        disk.set(sync_seconds=options.sync_ms / 1000)
        print(disk.path, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
