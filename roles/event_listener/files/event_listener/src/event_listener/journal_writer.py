# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that writes the journal for all ingest workers: one transaction and one fsync for all that wait.

The master of ingest forks it, and again whenever it is gone. Workers send it their batches over a Unix socket
(journal_client.py); what arrived while the disk worked is the next transaction. It has an interpreter of its own: a
thread that syncs within a busy worker fights for the interpreter's lock at each step (docs/adr/0003-journal.md).

The socket has an abstract name that the kernel chose, held by the master and refused to other accounts. Messages are
a length of four bytes (network order) and MessagePack: a list of entries one way, an Outcome the other.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import select
import selectors
import signal
import socket
import struct
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

import msgspec

from event_listener.journal import Entry, Journal, JournalBrokenError, JournalUnavailableError
from event_listener.journal_bound import BoundedJournal
from event_listener.reserve import Reserve
from event_listener.settings_disk import Disk

logger = logging.getLogger(__name__)

NAME = "journal-writer"
LENGTH = struct.Struct(">I")
# Entries per transaction: readers of the journal get their turn in between. A batch is never split.
MAX_TRANSACTION = 1024
_CHUNK = 262144
_CREDENTIALS = struct.Struct("3i")
_PR_SET_NAME = 15  # <linux/prctl.h>
_IGNORED = (
    signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH,
    signal.SIGTTIN, signal.SIGTTOU,
)  # fmt: skip

Append = Callable[[Sequence[Entry]], list[int]]


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of a batch: the sequence number of its first entry, or why there is none."""

    first: int = 0
    unavailable: str = ""
    broken: str = ""


def frame(message: object) -> bytes:
    """Return a message as it is sent."""
    data = msgspec.msgpack.encode(message)
    return LENGTH.pack(len(data)) + data


def peer_uid(connection: socket.socket) -> int:
    """Return the account at the other end of a Unix socket."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(credentials)[1])


class _Worker:
    """A connection of a worker, and what of a message has arrived."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._buffer = bytearray()

    def receive(self) -> list[list[Entry]] | None:
        """Return the batches that are complete; None when the worker is gone. Raises OSError."""
        data = self.connection.recv(_CHUNK, socket.MSG_DONTWAIT)
        if not data:
            return None
        self._buffer += data
        found = []
        while len(self._buffer) >= LENGTH.size:
            end = LENGTH.size + LENGTH.unpack_from(self._buffer)[0]
            if len(self._buffer) < end:
                break
            found.append(msgspec.msgpack.decode(memoryview(self._buffer)[LENGTH.size : end], type=list[Entry]))
            del self._buffer[:end]
        return found


class WriterLoop:
    """Serves until nobody holds the other end of `lifeline`, and all that was received is written."""

    def __init__(self, append: Append, listening: socket.socket, lifeline: int) -> None:
        self._append = append
        self._listening = listening
        self._lifeline = lifeline
        self._waiting: deque[tuple[_Worker, list[Entry]]] = deque()
        self._selector = selectors.DefaultSelector()
        self._selector.register(listening, selectors.EVENT_READ)
        self._selector.register(lifeline, selectors.EVENT_READ)

    def run(self) -> None:
        """Serve. Raises JournalBrokenError after a failed fsync, once who waited was told."""
        try:
            while not self._turn():
                while self._waiting:
                    self._commit()
        finally:
            for key in list(self._selector.get_map().values()):
                if isinstance(key.data, _Worker):
                    key.data.connection.close()
            self._selector.close()

    def _turn(self) -> bool:
        """Wait for something and take it; return whether it was the end, before which nobody waits."""
        ending = False
        for key, _events in self._selector.select():
            if key.fileobj is self._listening:
                self._accept()
            elif key.fileobj == self._lifeline:
                ending = True
            else:
                self._receive(key.data)
        return ending and not self._waiting

    def _accept(self) -> None:
        connection, _address = self._listening.accept()
        if peer_uid(connection) != os.geteuid():
            logger.warning("refused a stranger's connection to the journal (uid %s)", peer_uid(connection))
            connection.close()
            return
        self._selector.register(connection, selectors.EVENT_READ, _Worker(connection))

    def _receive(self, worker: _Worker) -> None:
        try:
            batches = worker.receive()
        except (OSError, msgspec.MsgspecError) as error:
            logger.error("dropped the connection of a worker: %s", error)  # noqa: TRY400 - one line says it
            batches = None
        if batches is None:
            self._selector.unregister(worker.connection)
            worker.connection.close()
            return
        self._waiting.extend((worker, batch) for batch in batches)

    def _commit(self) -> None:
        taken: list[tuple[_Worker, list[Entry]]] = []
        size = 0
        while self._waiting and (not taken or size + len(self._waiting[0][1]) <= MAX_TRANSACTION):
            taken.append(self._waiting.popleft())
            size += len(taken[-1][1])
        try:
            numbers = self._append([entry for _worker, batch in taken for entry in batch])
        except JournalUnavailableError as error:
            self._answer([(worker, Outcome(unavailable=str(error))) for worker, _batch in taken])
            return
        except JournalBrokenError as error:
            self._answer([(worker, Outcome(broken=str(error))) for worker, _batch in taken])
            raise
        first = numbers[0] if numbers else 0
        answers = []
        for worker, batch in taken:
            answers.append((worker, Outcome(first=first)))
            first += len(batch)
        self._answer(answers)

    @staticmethod
    def _answer(answers: list[tuple[_Worker, Outcome]]) -> None:
        for worker, outcome in answers:
            try:
                # A few bytes to somebody who waits for them: they always fit.
                worker.connection.sendall(frame(outcome), socket.MSG_DONTWAIT)
            except OSError as error:
                logger.debug("a worker is gone before its answer: %s", error)


class JournalWriter:
    """The master's side: `ensure` forks the writer where there is none. Raises OSError."""

    def __init__(self, state_dir: str | Path, disk: Disk) -> None:
        self._state_dir, self._disk = state_dir, disk
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listening.bind("")  # the kernel chooses a free abstract name
        self._listening.listen(128)
        self.address: bytes = self._listening.getsockname()
        # Held open by the master and, inherited, by its workers: at its end nobody is left to write for.
        self._lifeline, self._held = os.pipe()
        self._alive = -1
        self._process = 0

    def ensure(self, close: Callable[[], None] = lambda: None) -> None:
        """Fork the writer unless it runs. `close` is called in it: the listening ports are not its own."""
        if self._alive >= 0:
            if not select.select([self._alive], [], [], 0)[0]:
                return
            logger.warning("the process that writes the journal is gone; starting it again")
            os.close(self._alive)
        self._alive, held = os.pipe()
        self._process = os.fork()
        if self._process:
            os.close(held)
            return
        os.close(self._held)
        close()
        self._be_the_writer()

    def finish(self) -> None:
        """Wait for its end, when the workers have ended. The master's last deed."""
        os.close(self._held)
        if self._process:
            with contextlib.suppress(ChildProcessError):  # killed, and buried already
                os.waitpid(self._process, 0)

    def _be_the_writer(self) -> NoReturn:
        status = 1
        try:
            for number in _IGNORED:
                # It ends after those that it writes for, whom such signals are meant for too.
                signal.signal(number, signal.SIG_IGN)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            ctypes.CDLL(None).prctl(_PR_SET_NAME, NAME.encode())
            journal = Journal(self._state_dir, create=False)
            bounded = BoundedJournal(journal, self._disk.journal, Reserve(self._state_dir, self._disk.reserve))
            WriterLoop(bounded.append, self._listening, self._lifeline).run()
            status = 0
        except JournalBrokenError as error:
            logger.critical("%s", error)
        except Exception:
            logger.exception("the process that writes the journal failed in an unforeseen way; please report this")
        finally:
            os._exit(status)
