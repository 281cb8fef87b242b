# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL's own `pg_dump` and `pg_restore`, on the database of the event log. The password is never an argument."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from event_listener.secrets import SecretError, read_secret
from event_listener.settings import EventLogSettings


def dump(event_log: EventLogSettings, path: Path) -> None:
    """Write one consistent view of the database into a file, while it is used. Raises OSError."""
    _run(event_log, ["pg_dump", "--format=custom", "--no-owner", f"--file={path}", f"--dbname={event_log.url}"])


def restore(event_log: EventLogSettings, path: Path) -> None:
    """Replace the event log's tables by those of a dump, all or nothing. Raises OSError."""
    options = ["--clean", "--if-exists", "--no-owner", "--single-transaction", "--exit-on-error"]
    _run(event_log, ["pg_restore", *options, f"--dbname={event_log.url}", str(path)])


def _run(event_log: EventLogSettings, command: Sequence[str]) -> None:
    if shutil.which(command[0]) is None:
        raise OSError(
            f"{command[0]} isn't installed; install PostgreSQL's client programs, as new as the server "
            "(Debian: postgresql-client)"
        )
    try:
        secret = {} if event_log.password is None else {"PGPASSWORD": read_secret(event_log.password)}
    except SecretError as error:
        raise OSError(f"event_log.password: {error}") from error
    done = subprocess.run(
        command, env={**os.environ, **secret}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = "; ".join(line for line in done.stderr.splitlines() if line.strip())[-1000:]
        raise OSError(f"{command[0]} ended with {done.returncode}: {said}")
