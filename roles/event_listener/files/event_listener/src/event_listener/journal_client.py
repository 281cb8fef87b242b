# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker's connection to the process that writes the journal (journal_writer.py). Blocks its greenlet only."""

from __future__ import annotations

import os
import select
from collections.abc import Sequence

import msgspec
from gevent import monkey, socket

from event_listener.journal import Entry, JournalBrokenError, JournalUnavailableError
from event_listener.journal_writer import LENGTH, Outcome, frame, peer_uid

# The kernel's own: it only looks, and never waits.
_poll = monkey.get_original("select", "poll")


class JournalClient:
    """One per worker; one batch at a time."""

    def __init__(self, address: bytes) -> None:
        self._address = address
        self._socket: socket.socket | None = None

    def append(self, entries: Sequence[Entry]) -> list[int]:
        """Return the sequence numbers of `entries`, which are durable then.

        Raises JournalUnavailableError: nothing was stored, or nobody knows. JournalBrokenError: fsync failed.
        """
        try:
            outcome = self._exchange(frame(entries))
        except (OSError, msgspec.MsgspecError) as error:
            self.close()
            # Not sent again: the writer may have stored it before it went.
            raise JournalUnavailableError(
                f"the process that writes the journal is gone ({error or type(error).__name__}); it is started again"
            ) from error
        if outcome.broken:
            raise JournalBrokenError(outcome.broken)
        if outcome.unavailable:
            raise JournalUnavailableError(outcome.unavailable)
        return list(range(outcome.first, outcome.first + len(entries)))

    def _exchange(self, message: bytes) -> Outcome:
        connection = self._connected()
        connection.sendall(message)
        answer = b""
        while len(answer) < LENGTH.size or len(answer) < LENGTH.size + LENGTH.unpack_from(answer)[0]:
            part = connection.recv(65536)
            if not part:
                raise ConnectionResetError("its connection ended")
            answer += part
        return msgspec.msgpack.decode(answer[LENGTH.size :], type=Outcome)

    def _connected(self) -> socket.socket:
        if self._socket is not None and not _ended(self._socket):
            return self._socket
        self.close()
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # The master holds the name: while the writer is being started, this and what is sent waits in the kernel.
            made.connect(self._address)
            if peer_uid(made) != os.geteuid():
                raise PermissionError("its name belongs to another account")  # noqa: TRY301 - closed below
        except BaseException:
            made.close()
            raise
        self._socket = made
        return made

    def close(self) -> None:
        """End the connection; the next use makes another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _ended(connection: socket.socket) -> bool:
    """Whether the writer went while nothing was asked of it."""
    poll = _poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
