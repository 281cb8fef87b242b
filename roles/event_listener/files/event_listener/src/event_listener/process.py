# SPDX-License-Identifier: GPL-3.0-or-later
"""What a process does to itself: give up root, die with its parent, hold a pid file."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import pwd
import signal
from pathlib import Path

from event_listener.settings import Settings

SERVICE_USER = "event-listener"
_BEHIND = 5  # niceness: a third of the share of who is at 0
_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


class PrivilegeError(Exception):
    """Root can't be given up; the text says what to do."""


def service_account(settings: Settings) -> pwd.struct_passwd | None:
    """Return the account that root changes to; None is: stay root. Raises PrivilegeError."""
    if settings.user:
        try:
            account = pwd.getpwnam(settings.user)
        except KeyError as error:
            raise PrivilegeError(
                f"the account {settings.user} (setting `user`) doesn't exist; create it or correct the setting"
            ) from error
        return account if account.pw_uid else None
    try:
        return pwd.getpwnam(SERVICE_USER)
    except KeyError:
        return _owner(Path(settings.state_dir))


def _owner(directory: Path) -> pwd.struct_passwd | None:
    try:
        uid = directory.stat().st_uid
        return pwd.getpwuid(uid) if uid else None
    except (FileNotFoundError, NotADirectoryError, KeyError):
        return None


def may_write(directory: Path, account: pwd.struct_passwd | None) -> bool:
    """Whether an account (None: who we are) may make files in a directory, and its disk takes writes."""
    if not os.access(directory, os.W_OK | os.X_OK):
        return False
    if account is None:
        return True
    status = directory.stat()
    if status.st_uid == account.pw_uid:
        return status.st_mode & 0o300 == 0o300
    if status.st_gid in os.getgrouplist(account.pw_name, account.pw_gid):
        return status.st_mode & 0o030 == 0o030
    return status.st_mode & 0o003 == 0o003


def drop_privileges(settings: Settings) -> None:
    """Change from root to the service user for good, so that no command leaves root-owned files behind.

    Does nothing for another user than root. Raises PrivilegeError.
    """
    os.umask(0o027)
    if os.geteuid() != 0:
        return
    account = service_account(settings)
    if account is None:
        return
    try:
        os.initgroups(account.pw_name, account.pw_gid)
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
    except OSError as error:
        raise PrivilegeError(f"can't change from root to {account.pw_name}: {error.strerror}") from error
    os.environ["HOME"] = account.pw_dir
    os.environ["USER"] = os.environ["LOGNAME"] = account.pw_name


def give_to_service_user(settings: Settings, bind: str) -> None:
    """Let the service user connect to a Unix socket that root has just opened. Raises PrivilegeError or OSError."""
    account = service_account(settings)
    if os.geteuid() == 0 and account is not None:
        os.chown(bind.removeprefix("unix:"), account.pw_uid, account.pw_gid)


def die_with_parent(parent: int) -> None:
    """Ask the kernel to send SIGTERM when the process `parent` ends. Call it after changing user: that clears it."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        # It ended before the kernel knew of our wish.
        os.kill(os.getpid(), signal.SIGTERM)


def step_back() -> None:
    """Leave the processors to other processes while there are too few for all. Call it as root, before changing user.

    A session of its own has its own share of them (sched(7), autogroups): there the niceness is the session's.
    """
    with contextlib.suppress(PermissionError):  # system calls are filtered, as by our unit, which says Nice= itself
        os.setpriority(os.PRIO_PROCESS, 0, max(_BEHIND, os.getpriority(os.PRIO_PROCESS, 0)))
    if os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):  # a kernel without them
            Path("/proc/self/autogroup").write_text(str(_BEHIND), encoding="ascii")


class PidFileError(Exception):
    """The pid file can't be taken; the text says why."""


class PidFile:
    """A file with our pid, locked as long as we live: a stale file is never mistaken for a running listener."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1

    def take(self) -> None:
        """Lock the file and write our pid. Raises PidFileError when another process holds it."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise self._taken(self.path.read_text(encoding="ascii").strip()) from error
        except OSError as error:
            raise PidFileError(f"the pid file {self.path} can't be written: {error.strerror}") from error
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, f"{os.getpid()}\n".encode())

    def refuse_second(self) -> None:
        """Raise PidFileError when another process holds the file."""
        holder = self.holder()
        if holder is not None:
            raise self._taken(str(holder))

    def _taken(self, holder: str) -> PidFileError:
        return PidFileError(
            f"a listener is running already (pid {holder}, {self.path}); stop it with `event-listener stop`"
        )

    def release(self) -> None:
        """Remove the file."""
        self.path.unlink(missing_ok=True)
        os.close(self._descriptor)

    def holder(self) -> int | None:
        """Return the pid of the process that holds the lock; None when nobody does. Raises PidFileError."""
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise PidFileError(f"the pid file {self.path} can't be read: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(os.read(descriptor, 32) or b"0") or None
        finally:
            os.close(descriptor)
        return None
