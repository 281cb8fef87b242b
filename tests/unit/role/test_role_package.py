# SPDX-License-Identifier: GPL-3.0-or-later
"""The archive in which the listener travels."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

FILES = Path(__file__).resolve().parents[3] / "roles" / "event_listener" / "files"
PROJECT = FILES / "event_listener"


def pack(project: Path, *output: Path) -> dict:
    """Run the script as the role does."""
    command = [sys.executable, str(FILES / "pack.py"), str(project), *map(str, output)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of the project that a test may change."""
    return Path(
        shutil.copytree(PROJECT, tmp_path / "project", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    )


def test_the_same_sources_are_the_same_bytes(copy: Path, tmp_path: Path) -> None:
    """A second run must not call it changed, whatever caches and dates lie beside the sources."""
    cache = copy / "src" / "event_listener" / "__pycache__"
    cache.mkdir()
    (cache / "x.pyc").write_bytes(b"x")
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = pack(PROJECT, tmp_path / "a"), pack(copy, tmp_path / "b")
    assert first["digest"] == second["digest"]
    digests = {hashlib.sha256(Path(one["path"]).read_bytes()).hexdigest() for one in (first, second)}
    assert len(digests) == 1


@pytest.mark.parametrize("name", ["src/event_listener/cli.py", "pyproject.toml"])
def test_a_changed_source_is_another_release(copy: Path, name: str) -> None:
    """The digest covers code and dependencies."""
    before = pack(copy)["digest"]
    path = copy / name
    text = path.read_text()
    path.write_text(text.replace('"click>=', '"click>=8,>=') if name == "pyproject.toml" else text + "\n# changed\n")
    assert pack(copy)["digest"] != before


def test_the_archive_is_a_wheel_that_pip_installs(tmp_path: Path) -> None:
    """Everything of the package is in it, with its command and its dependencies."""
    wheel = pack(PROJECT, tmp_path)["path"]
    target = tmp_path / "target"
    install = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(target), wheel]
    subprocess.run([sys.executable, *install], check=True)
    sources = {path.relative_to(PROJECT / "src") for path in (PROJECT / "src" / "event_listener").rglob("*.py")}
    assert sources <= {path.relative_to(target) for path in target.rglob("*.py")}
    assert (target / "bin" / "event-listener").is_file()
    with zipfile.ZipFile(wheel) as archive:
        metadata = next(name for name in archive.namelist() if name.endswith("METADATA"))
        assert "Requires-Dist: flask" in archive.read(metadata).decode()
