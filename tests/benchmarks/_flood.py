# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole listener on plain HTTP, and wrk, which sends it as much as goes over connections that stay open."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.benchmarks.ingest import EVENT, SCRIPT
from tests.integration.listener_process import RunningListener, issue_certificates

CONNECTIONS = 32


class Flooded(RunningListener):
    """A listener in ``directory`` with these settings, not started yet."""

    def __init__(self, directory: Path, settings: dict[str, Any]) -> None:
        settings = {"ingest": {"plain_http": True}, **settings}
        super().__init__(directory, issue_certificates(directory), settings, host="127.0.0.1", arguments=[])
        basic = base64.b64encode(":".join(self.credentials).encode()).decode()
        self._script = directory / "post.lua"
        self._script.write_text(SCRIPT.format(body=json.dumps(EVENT), credentials=basic, close=""))

    def flood(self, seconds: int) -> float:
        """Return the answers per second; ends the benchmark where one was a refusal."""
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(self._script), self.url + "/"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        if "Non-2xx" in done.stdout:
            sys.exit(f"events were refused:\n{done.stdout}")
        return float(re.search(r"Requests/sec:\s*([\d.]+)", done.stdout)[1])
