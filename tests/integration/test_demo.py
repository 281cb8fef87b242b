# SPDX-License-Identifier: GPL-3.0-or-later
"""`make demo`, as somebody types it who has just cloned the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534


def tracked_files() -> list[str]:
    """Return the files of the checkout, also those that are not committed yet."""
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout.decode()
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture
def clone() -> Iterator[Path]:
    """Yield a copy of the checkout without anything built; where we are root, it is nobody's."""
    # pytest's own folders are closed to other users.
    with tempfile.TemporaryDirectory(prefix="demo-") as base:
        Path(base).chmod(0o755)
        yield copy_of_checkout(Path(base) / "clone")


def copy_of_checkout(target: Path) -> Path:
    """Copy what a clone would have."""
    for name in tracked_files():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target / name)
    if os.geteuid() == 0:
        for directory, _folders, files in os.walk(target):
            for path in (directory, *(os.path.join(directory, file) for file in files)):
                os.chown(path, NOBODY, NOBODY)
    return target


@pytest.mark.slow
def test_demo_on_a_fresh_clone(clone: Path):
    """From nothing, not as root, with an account whose home can't be written; and nothing is left running."""
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": "/nonexistent"}
    environment |= {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    identity = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    done = subprocess.run(
        ["make", "demo"], cwd=clone, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=400, **identity,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert done.stdout.rstrip().splitlines()[-1] == "demo: 24 of 24 sources verified"
    running = [
        entry.name
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and str(clone).encode() in command_line(entry)
    ]
    assert running == []


def command_line(process: Path) -> bytes:
    """Return a process's command line; nothing for one that has just ended."""
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""
