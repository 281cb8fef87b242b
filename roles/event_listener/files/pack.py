# SPDX-License-Identifier: GPL-3.0-or-later
"""Pack the listener into one wheel, the same bytes for the same sources: pack.py PROJECT_DIR [OUTPUT_DIR].

The package travels as one archive because copying its files one by one takes half a minute. It is built here, with
nothing but the standard library, so that neither the controller nor a host without internet needs a build tool.
Prints JSON: version, digest (of names and contents, so that every controller computes the same), requires and extras
(what it depends on, see PEP 508) and, with OUTPUT_DIR, the wheel's path.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
import tomllib
import zipfile
from pathlib import Path

SKIPPED = {"__pycache__"}
# Zip can't say "no date"; its first day is the convention of reproducible wheels.
EPOCH = (1980, 1, 1, 0, 0, 0)


def package_files(source: Path) -> dict[str, bytes]:
    """Return {path in the wheel: content} of the package's own files."""
    files = {}
    for path in sorted(source.rglob("*")):
        relative = path.relative_to(source)
        hidden = any(part in SKIPPED or part.endswith((".egg-info", ".pyc")) for part in relative.parts)
        if path.is_file() and not hidden:
            files[relative.as_posix()] = path.read_bytes()
    return files


def metadata(project: dict, version: str) -> str:
    """Return METADATA (core metadata 2.1) of the project table of pyproject.toml."""
    lines = ["Metadata-Version: 2.1", f"Name: {project['name']}", f"Version: {version}"]
    lines += [f"Summary: {project['description']}", f"Requires-Python: {project['requires-python']}"]
    lines += [f"Requires-Dist: {requirement}" for requirement in project.get("dependencies", [])]
    for extra, requirements in project.get("optional-dependencies", {}).items():
        lines.append(f"Provides-Extra: {extra}")
        lines += [f'Requires-Dist: {requirement}; extra == "{extra}"' for requirement in requirements]
    return "\n".join(lines) + "\n"


def entry_points(project: dict) -> str:
    """Return entry_points.txt with the project's commands."""
    return "\n".join(["[console_scripts]", *(f"{name} = {call}" for name, call in project["scripts"].items())]) + "\n"


def record(files: dict[str, bytes], own_path: str) -> str:
    """Return RECORD: path, hash and size of every file; its own line has neither hash nor size."""
    lines = []
    for path, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={digest},{len(content)}")
    return "\n".join([*lines, f"{own_path},,"]) + "\n"


def wheel_files(root: Path) -> tuple[str, str, dict[str, bytes]]:
    """Return (file name of the wheel, version, {path: content}) of the project at root."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    package = project["scripts"]["event-listener"].split(".")[0]
    version = re.search(r'^__version__ = "(.+)"$', (root / "src" / package / "__init__.py").read_text(), re.MULTILINE)[
        1
    ]
    distribution = f"{re.sub('[-_.]+', '_', project['name'])}-{version}"
    files = package_files(root / "src")
    info = f"{distribution}.dist-info"
    files[f"{info}/METADATA"] = metadata(project, version).encode()
    files[f"{info}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: redfleet.events\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    files[f"{info}/entry_points.txt"] = entry_points(project).encode()
    files[f"{info}/RECORD"] = record(files, f"{info}/RECORD").encode()
    return f"{distribution}-py3-none-any.whl", version, files


def write_wheel(path: Path, files: dict[str, bytes]) -> None:
    """Write the files as a zip archive."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)


def main(arguments: list[str]) -> None:
    """Pack, and print what was packed."""
    name, version, files = wheel_files(Path(arguments[0]))
    whole = hashlib.sha256()
    for path, content in files.items():
        whole.update(f"{path}\0{len(content)}\0".encode() + content)
    project = tomllib.loads((Path(arguments[0]) / "pyproject.toml").read_text())["project"]
    answer = {"version": version, "digest": whole.hexdigest()}
    answer |= {"requires": project["dependencies"], "extras": project["optional-dependencies"]}
    if len(arguments) > 1:
        answer["path"] = str(Path(arguments[1]) / name)
        write_wheel(Path(answer["path"]), files)
    print(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1:])
