# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that writes the journal for all workers, here in a thread; tests/integration kills the process."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import gevent
import pytest
from event_listener import journal_client
from event_listener.journal import Entry, Journal, JournalBrokenError, JournalReader, JournalUnavailableError
from event_listener.journal_client import JournalClient
from event_listener.journal_writer import WriterLoop


def entry(source: str, number: int, body: bytes = b"{}") -> Entry:
    """Return an entry that can be told from others."""
    return Entry(number, source, "10.0.0.1", "basic", "application/json", "ok", "", body)


class Served:
    """A WriterLoop in a thread; `address` for clients. A context manager, which ends it as the master's end does."""

    def __init__(self, append: Callable, address: bytes | str = "") -> None:
        self._append = append
        self.listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listening.bind(address)
        self.listening.listen()
        self.address = self.listening.getsockname()
        self.raised: Exception | None = None

    def _run(self) -> None:
        append = self._append()
        try:
            WriterLoop(append, self.listening, self._lifeline).run()
        except JournalBrokenError as error:
            self.raised = error
        finally:
            if isinstance(getattr(append, "__self__", None), Journal):
                append.__self__.close()

    def __enter__(self) -> Served:
        self._lifeline, self._held = os.pipe()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._held)
        self._thread.join()
        os.close(self._lifeline)
        self.listening.close()


def test_batches_of_several_workers_are_numbered_each_on_its_own(tmp_path: Path):
    """Every worker gets the numbers of its own entries, in their order, whatever shared its transaction."""
    with Served(lambda: Journal(tmp_path).append) as served:
        clients = {name: JournalClient(served.address) for name in ("a", "b", "c")}
        got: dict[int, tuple[str, int]] = {}

        def work(name: str) -> None:
            for start in range(0, 60, 3):
                numbers = clients[name].append([entry(name, start + offset) for offset in range(3)])
                got.update({number: (name, start + offset) for offset, number in enumerate(numbers)})

        gevent.joinall([gevent.spawn(work, name) for name in clients], raise_error=True)
        for client in clients.values():
            client.close()
        with JournalReader(tmp_path) as reader:
            kept = {number: (item.source, item.received_ns) for number, item in reader.read_after(0, 1000)}
        assert got == kept
        assert len(kept) == 180


def test_a_large_body_arrives_whole(tmp_path: Path):
    """More than any buffer between the two."""
    body = os.urandom(5_000_000)
    with Served(lambda: Journal(tmp_path).append) as served:
        client = JournalClient(served.address)
        assert client.append([entry("a", 1, body)]) == [1]
        client.close()
        with JournalReader(tmp_path) as reader:
            assert reader.read_after(0)[0][1].body == body


def test_errors_reach_the_worker():
    """Unavailable is for this batch; broken is the end of both."""
    errors = iter([JournalUnavailableError("full"), None, JournalBrokenError("fsync")])

    def append(entries):
        error = next(errors)
        if error:
            raise error
        return list(range(7, 7 + len(entries)))

    with Served(lambda: append) as served:
        client = JournalClient(served.address)
        with pytest.raises(JournalUnavailableError, match="full"):
            client.append([entry("a", 1)])
        assert client.append([entry("a", 1), entry("a", 2)]) == [7, 8]
        with pytest.raises(JournalBrokenError, match="fsync"):
            client.append([entry("a", 1)])
        client.close()
    assert isinstance(served.raised, JournalBrokenError)


def test_a_new_writer_is_found_by_itself():
    """Its predecessor went while nobody asked: nothing fails."""
    with Served(lambda: lambda _entries: [1]) as served:
        client = JournalClient(served.address)
        assert client.append([entry("a", 1)]) == [1]
    with Served(lambda: lambda _entries: [2], served.address):
        assert client.append([entry("a", 2)]) == [2]
        client.close()


def test_a_writer_that_goes_with_a_batch_is_an_error():
    """Not sent again: it may be stored, and would be twice."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind("")
    listening.listen()
    client = JournalClient(listening.getsockname())
    asking = gevent.spawn(client.append, [entry("a", 1)])
    gevent.sleep(0)
    listening.accept()[0].close()
    asking.join(10)
    assert isinstance(asking.exception, JournalUnavailableError)
    assert "started again" in str(asking.exception)
    listening.close()


def test_another_account_is_nobodys_writer(monkeypatch: pytest.MonkeyPatch):
    """The name of the socket is everybody's; who answers there, and who asks, has to be this account."""
    with Served(lambda: lambda _entries: [1]) as served:
        stranger = JournalClient(served.address)
        monkeypatch.setattr(journal_client.os, "geteuid", lambda: 12345)
        with pytest.raises(JournalUnavailableError, match="another account"):
            stranger.append([entry("a", 1)])
