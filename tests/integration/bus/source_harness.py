# SPDX-License-Identifier: GPL-3.0-or-later
"""The intake of a bus in a thread, the journal and the event log behind it, and who sends."""

from __future__ import annotations

import secrets
import threading
from pathlib import Path
from typing import Any, Self

import pika
from event_listener import config_file
from event_listener.indexer import Indexer
from event_listener.inputs import opener, process
from event_listener.inputs.intake import Intake
from event_listener.inputs.report import Report, reported
from event_listener.journal import Journal
from event_listener.store import open_store

from tests.services.service import wait_until


class RunningSource:
    """An intake of ``kind`` between a peer and a journal, in this process. ``settings`` are those of its section.

    Entering it again goes on with the same state. ``events()`` are those of the event log, indexed first.
    """

    def __init__(self, directory: Path, kind: str, settings: dict[str, Any], **others: Any) -> None:
        self.kind = kind
        self.data = {"state_dir": str(directory / "state"), kind: settings, **others}
        self.settings = config_file.convert(self.data)
        self.section = getattr(self.settings, kind)
        self.journal = Journal(self.settings.state_dir)
        self.store = open_store(self.settings.state_dir, self.settings.event_log)
        self._indexer = Indexer(self.settings.state_dir, self.store, 1000)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._stop = threading.Event()
        report = Report(self.settings.state_dir, self.section.name)
        opened = opener(self.kind)(self.section)

        def lost(count: int) -> None:
            process.tell_lost(self.settings, self.section, count)

        def run() -> None:
            journal = Journal(self.settings.state_dir)
            Intake(self.kind, opened, journal, report, self._stop, lost).run()
            journal.close()

        self._thread = threading.Thread(target=run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        assert self._thread is not None
        self._thread.join(60)
        assert not self._thread.is_alive()

    def close(self) -> None:
        self._indexer.close()
        self.store.close()
        self.journal.close()

    @property
    def report(self):
        return next(iter(reported(self.settings.state_dir)), None)

    def wait_up(self) -> None:
        wait_until(lambda: self.report is not None and self.report.up, lambda: f"not connected: {self.report}", 60)

    def events(self):
        while self._indexer.step():
            pass
        return self.store.log.read_events_after(0, 1_000_000)

    def wait_for(self, count: int, seconds: float = 60):
        """The events, once there are so many."""
        wait_until(lambda: len(self.events()) >= count, lambda: f"{len(self.events())} events, not {count}", seconds)
        return self.events()


def rabbit_url(rabbitmq: Any) -> str:
    """A RabbitMQ as oslo.messaging writes it."""
    return f"rabbit://{rabbitmq.username}:{rabbitmq.password}@{rabbitmq.address}//"


class Cloud:
    """An OpenStack of our own at a shared RabbitMQ: exchanges with names that no other test has."""

    def __init__(self, rabbitmq: Any, directory: Path) -> None:
        self.rabbitmq, self.tag = rabbitmq, f"os{secrets.token_hex(4)}"
        self.topic = f"{self.tag}.notifications"
        self.password = directory / "rabbitmq-password"
        self.password.write_text(rabbitmq.password)

    def settings(self, *services: str, **changes: Any) -> dict[str, Any]:
        return {
            "hosts": [str(self.rabbitmq.address)],
            "username": self.rabbitmq.username,
            "password": {"file": str(self.password)},
            "queue": self.tag,
            "exchanges": [f"{self.tag}.{service}" for service in services or ("neutron",)],
            "topics": [self.topic],
            **changes,
        }

    def order(self, service: str = "neutron", **order: Any) -> dict[str, Any]:
        """What ``OsloSender.notify`` is told beside type and payload."""
        return {"exchange": f"{self.tag}.{service}", "topic": self.topic, **order}

    def channel(self) -> Any:
        """A channel of a connection of its own, which the caller closes (``channel.connection``)."""
        return pika.BlockingConnection(pika.URLParameters(self.rabbitmq.url())).channel()

    def count(self, queue: str) -> int:
        channel = self.channel()
        try:
            return channel.queue_declare(queue, passive=True).method.message_count
        finally:
            channel.connection.close()
