# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmarks run for minutes and by hand: here only that each of them still finds what it imports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted(path.stem for path in (ROOT / "tests" / "benchmarks").glob("*.py"))


def test_every_benchmark_can_be_imported() -> None:
    """In a process of its own, since some patch the standard library for gevent."""
    program = "import importlib, sys; [importlib.import_module(f'tests.benchmarks.{name}') for name in sys.argv[1:]]"
    done = subprocess.run([sys.executable, "-c", program, *SCRIPTS], cwd=ROOT, capture_output=True, text=True)
    assert SCRIPTS
    assert done.returncode == 0, done.stderr
