# SPDX-License-Identifier: GPL-3.0-or-later
"""What gunicorn's processes do beside serving."""

from __future__ import annotations

import signal
import subprocess
import sys


def test_a_worker_that_is_told_to_end_while_it_boots_ends():
    """A restart right after a start: it would have served on, until it was killed amid its requests."""
    program = """
import os, signal
from event_listener import serve
signal.signal(signal.SIGTERM, lambda *_: None)  # the master's, which queues it
serve._post_fork(None, None)
os.kill(os.getpid(), signal.SIGTERM)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -signal.SIGTERM
