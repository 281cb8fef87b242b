# SPDX-License-Identifier: GPL-3.0-or-later
"""Java programs from Maven Central, resolved by Maven itself and kept in ``.build``."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from pathlib import Path

from tests.services.service import ServiceError, program

_ROOT = Path(__file__).resolve().parents[2]
_BUILD = _ROOT / ".build" / "services"


def class_path(name: str) -> str:
    """The class path of ``poms/NAME.xml``; fetched again only when that file changed."""
    pom = Path(__file__).with_name("poms") / f"{name}.xml"
    folder = _BUILD / name
    stamp = folder / "pom.xml"
    _BUILD.mkdir(parents=True, exist_ok=True)
    with (_BUILD / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_bytes() != pom.read_bytes():
            shutil.rmtree(folder, ignore_errors=True)
            _copy_dependencies(pom, folder)
            stamp.write_bytes(pom.read_bytes())
    return f"{folder}/*"


def _copy_dependencies(pom: Path, folder: Path) -> None:
    maven = [program("mvn", "maven"), "--quiet", "--batch-mode", "--file", str(pom)]
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={folder}", "-DincludeScope=runtime"]
    run = subprocess.run([*maven, *goal], capture_output=True, text=True, timeout=900)
    if run.returncode != 0:
        raise ServiceError(f"Maven could not fetch what {pom} lists:\n{run.stdout[-2000:]}{run.stderr[-1000:]}")
