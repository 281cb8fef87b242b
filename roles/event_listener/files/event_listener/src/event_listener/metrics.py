# SPDX-License-Identifier: GPL-3.0-or-later
"""The ingest process's counters. Its workers keep them in small shared files, which the manage process adds up.

prometheus_client decides at its first import whether values live in files, so the ingest process calls
`enable_multiprocess()` before it imports anything that counts.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_KINDS = ("counter", "histogram")
_PREALLOCATED = 1 << 20


def ingest_directory(state_dir: str | Path) -> Path:
    """Return where the ingest workers keep their counters."""
    return Path(state_dir) / "run" / "metrics-ingest"


def enable_multiprocess(state_dir: str | Path) -> None:
    """Keep this process's (and its forks') metrics in files; those of an earlier run are removed."""
    directory = ingest_directory(state_dir)
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o750, parents=True, exist_ok=True)
    os.environ[_VARIABLE] = str(directory)


def preallocate(process: int) -> None:
    """Give the files of worker `process` their disk blocks now.

    They are mapped into memory; on a full disk a write to a hole in them would kill the worker with SIGBUS, and the
    listener must answer 503 instead. Raises OSError.
    """
    directory = os.environ.get(_VARIABLE)
    if directory is None:
        return
    for kind in _KINDS:
        descriptor = os.open(Path(directory) / f"{kind}_{process}.db", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            os.posix_fallocate(descriptor, 0, _PREALLOCATED)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def in_memory() -> Iterator[None]:
    """Where the disk takes no files: those opened within count all the same, and are seen by nobody."""
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="event-listener-") as directory:
        os.environ[_VARIABLE] = directory
        yield


def collect_ingest(registry: CollectorRegistry, state_dir: str | Path) -> None:
    """Make `registry` (in the manage process) show the sum of the ingest workers' metrics."""
    from prometheus_client import multiprocess  # noqa: PLC0415 - see above: the environment is read at import

    directory = ingest_directory(state_dir)
    directory.mkdir(mode=0o750, parents=True, exist_ok=True)
    multiprocess.MultiProcessCollector(registry, path=str(directory))  # type: ignore[no-untyped-call] # the library's gap
