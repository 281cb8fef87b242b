# SPDX-License-Identifier: GPL-3.0-or-later
"""A few seconds of coverage-guided fuzzing; tests/fuzz/fuzz.py runs for as long as it is told to."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).parents[1] / "fuzz" / "fuzz.py"


@pytest.mark.parametrize("target", ["body", "normalise", "request"])
def test_bytes_of_strangers_break_nothing(target, tmp_path):
    """No exception, no 500."""
    command = [sys.executable, str(FUZZ), target, "3"]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", cwd=tmp_path, timeout=300)
    assert done.returncode == 0, done.stderr[-4000:]
    assert int(re.search(r"Done (\d+) runs", done.stderr)[1]) > 10
