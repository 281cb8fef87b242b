# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a listener's files, and what can be repaired. `event-listener doctor` prints it.

Each check is a function that yields findings. Dry unless ``repair`` is given, and repairs need the listener stopped:
who else has files of the state directory open is looked up in /proc.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from event_listener import doctor_logs
from event_listener.certificate import certificates
from event_listener.commands.check import directory_problem
from event_listener.filesystems import NetworkFilesystemError, refuse_network_filesystem
from event_listener.process import PidFile, PidFileError, PrivilegeError, service_account
from event_listener.registry_snapshot import Snapshot, snapshot_path
from event_listener.settings import Settings
from event_listener.status import bounds, space

State = Literal["good", "note", "wrong", "repaired"]


class Finding(msgspec.Struct, frozen=True):
    """What was looked at, how it is, in a sentence; ``repairable`` says that `--repair` mends what is wrong."""

    what: str
    state: State
    text: str = ""
    repairable: bool = False


class Patient(msgspec.Struct, frozen=True):
    """What the checks look at."""

    settings: Settings
    repair: bool

    @property
    def state_dir(self) -> Path:
        """The directory of all files."""
        return Path(self.settings.state_dir)

    def mended(self, what: str, wrong: str, mend: Callable[[], str]) -> Finding:
        """Something wrong that can be repaired: do so, or say so. ``mend`` returns what it did."""
        if not self.repair:
            return Finding(what, "wrong", wrong, repairable=True)
        return Finding(what, "repaired", f"{wrong}: {mend()}")


def examine_place(patient: Patient) -> Iterator[Finding]:
    """Look at the directories, the disk and whose the files are; best as root. Raises OSError."""
    yield from _directories(patient)
    if patient.state_dir.is_dir():
        yield from _space(patient)
        yield from _owners(patient)


def examine_contents(patient: Patient) -> Iterator[Finding]:
    """Look into the files, as the service user: what is made anew is to be its own.

    In an order in which what is repaired first helps what comes next. Raises OSError.
    """
    settings = patient.settings
    yield from _leftovers(patient)
    for what, state, text, mend in doctor_logs.findings(settings):
        if mend is not None and state == "wrong":
            yield patient.mended(what, text, mend)
        else:
            yield Finding(what, state, text)
    yield from _certificates(patient)


def users(state_dir: Path) -> dict[int, str]:
    """Processes that have a file below the state directory open, by pid; ours isn't among them."""
    found: dict[int, str] = {}
    prefix = f"{os.path.realpath(state_dir)}/"
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) == os.getpid():
            continue
        try:
            open_files = [os.readlink(one) for one in (process / "fd").iterdir()]
            if any(path.startswith(prefix) for path in open_files):
                found[int(process.name)] = (process / "comm").read_text().strip()
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            continue  # it ended meanwhile, or is somebody else's
    return found


def _directories(patient: Patient) -> Iterator[Finding]:
    settings = patient.settings
    for name, directory in (
        ("state_dir", settings.state_dir),
        ("sinks.text_log.directory", settings.sinks.text_log.directory),
        ("sinks.json_lines.directory", settings.sinks.json_lines.directory),
    ):
        problem = directory_problem(settings, Path(directory))
        if not problem and name == "state_dir" and patient.state_dir.is_dir():
            try:
                refuse_network_filesystem(patient.state_dir)
            except NetworkFilesystemError as error:
                problem = str(error)
        if not problem and not Path(directory).exists():
            yield Finding(name, "note", f"{directory} doesn't exist yet; the first start makes it")
        else:
            yield Finding(name, "wrong" if problem else "good", problem or directory)


def _space(patient: Patient) -> Iterator[Finding]:
    states: dict[str, State] = {"ready": "good", "degraded": "note", "unready": "wrong"}
    for check in (space(patient.settings.state_dir), *bounds(patient.settings.state_dir)):
        yield Finding(check.name, states[check.status], check.reason)


def _owners(patient: Patient) -> Iterator[Finding]:
    try:
        account = service_account(patient.settings) if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    except (PrivilegeError, KeyError) as error:
        yield Finding("owners", "wrong", str(error))
        return
    if account is None:
        yield Finding("owners", "good", "the listener runs as root")
        return
    others = [
        path for path in (patient.state_dir, *patient.state_dir.rglob("*")) if path.lstat().st_uid != account.pw_uid
    ]
    if not others:
        yield Finding("owners", "good")
        return
    wrong = f"{len(others)} files don't belong to {account.pw_name}, {others[0]} first"

    def give() -> str:
        for path in others:
            os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)
        return f"given to {account.pw_name}"

    if os.geteuid() == 0:
        yield patient.mended("owners", wrong, give)
    else:
        yield Finding("owners", "wrong", f"{wrong}; run the doctor as root")


def _leftovers(patient: Patient) -> Iterator[Finding]:
    """A pid file without a process, and a registry snapshot that can't be read."""
    path = patient.state_dir / "run" / "event-listener.pid"
    try:
        held = PidFile(path).holder()
    except PidFileError as error:
        yield Finding("pid file", "wrong", str(error))
    else:
        if path.exists() and held is None:
            yield patient.mended("pid file", f"{path} is of a process that is gone", lambda: _removed(path))
    snapshot = snapshot_path(patient.state_dir)
    if not snapshot.exists():
        return
    try:
        msgspec.json.decode(snapshot.read_bytes(), type=Snapshot)
    except (OSError, msgspec.DecodeError) as error:
        yield patient.mended("registry", f"{snapshot} can't be read ({error})", lambda: _removed(snapshot))
    else:
        yield Finding("registry", "good")


def _removed(path: Path) -> str:
    path.unlink()
    return "removed; what is needed of it is written anew"


def _certificates(patient: Patient) -> Iterator[Finding]:
    states: dict[str, State] = {"good": "good", "soon": "note", "wrong": "wrong"}
    for one in certificates(patient.settings):
        yield Finding("certificate", states[one.state], one.text)
