# SPDX-License-Identifier: GPL-3.0-or-later
"""The relay process: the indexer in front, one lane per sink behind it, each in a thread of its own."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import logging
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from event_listener import backoff
from event_listener.bookkeeper import Bookkeeper, BookkeeperThread
from event_listener.feed import feed_for
from event_listener.indexer import Indexer
from event_listener.journal import JournalBrokenError, JournalUnavailableError
from event_listener.judge import Judge, JudgeThread, is_behind
from event_listener.lanes import Lane, Wake, lane_for
from event_listener.lifeline import tell_broken_off
from event_listener.pace import Pace
from event_listener.places import Keeper, admit
from event_listener.probe import ingest_answers
from event_listener.repeats import Recent
from event_listener.scans.worker import workers
from event_listener.settings import Settings
from event_listener.sinks import configured
from event_listener.sinks.base import LocalSink
from event_listener.source_health import Expectation
from event_listener.steward import Steward, StewardThread
from event_listener.store import Store, StoreBrokenError, StoreUnavailableError, left_behind, open_store, sqlite_path
from event_listener.store.migrations import NewerSchemaError
from event_listener.tidy import Tidy, TidyThread
from event_listener.watch import Watch, Watcher
from event_listener.webhooks.dispatcher import Dispatcher

logger = logging.getLogger(__name__)

HEARTBEAT = "relay"
HEARTBEAT_SECONDS = 2.0
_LOCK_PATIENCE = 10.0  # what a relay that was told to stop may need


def main(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. Ends with SystemExit where it can't begin."""
    stop = threading.Event()

    def told(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, told)
    try:
        with _only_one(lock_path(settings.state_dir), stop), _opened(settings, stop) as store:
            if store is not None:
                run(settings, store, stop)
    except (StoreUnavailableError, NewerSchemaError, JournalBrokenError, OSError) as error:
        logger.critical("%s", error)
        raise SystemExit(1) from error


def lock_path(state_dir: str | Path) -> Path:
    """The file that a running relay holds a lock on."""
    return Path(state_dir) / "run" / "relay.lock"


@contextlib.contextmanager
def _only_one(path: Path, stop: threading.Event) -> Iterator[None]:
    """Only one relay writes a host's files; the one before us may still be on its way out. Raises OSError."""
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    end = time.monotonic() + _LOCK_PATIENCE
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > end or stop.wait(0.1):
                    raise OSError(f"another relay runs on this host (it holds {path}); stop it first") from error
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _opened(settings: Settings, stop: threading.Event) -> Iterator[Store | None]:
    """The event log. A server that is down is waited for, until told to stop (None); a file opens or never will."""
    attempt = 0
    while True:
        try:
            store = open_store(settings.state_dir, settings.event_log)
            break
        except StoreUnavailableError as error:
            if not settings.event_log.url:
                raise
            attempt += 1
            if attempt == 1:
                logger.error("waiting, what arrives stays in the journal: %s", error)  # noqa: TRY400 - no trace
            if stop.wait(backoff.delay(attempt, random.random(), longest=5.0)):  # noqa: S311 - jitter, no secret
                yield None
                return
    with store:
        if left_behind(settings.state_dir, store):
            raise OSError(
                f"the event log in {sqlite_path(settings.state_dir)} isn't in the database of event_log.url: move it "
                "with `event-listener migrate-log`, or begin anew by removing it and the marks in sinks/"
            )
        store.make_durable()
        yield store


def run(settings: Settings, store: Store, stop: threading.Event) -> None:
    """Index and feed until ``stop`` is set. Raises JournalBrokenError, StoreBrokenError."""
    wake = Wake()
    holder = f"{socket.gethostname()}:{os.getpid()}"
    sinks = configured(settings)
    store.cursors.keep_here(sink.name for sink in sinks if isinstance(sink, LocalSink))
    store.cursors.forget_lanes({sink.name for sink in sinks})
    for sink in sinks:
        # Before the indexer runs: a new sink begins at the head as of now, and misses nothing from here on.
        admit(sink, store)
    lanes: list[Lane] = [
        lane_for(sink, store, holder, wake, stop, settings.relay.batch, feed_for(sink, settings, store))
        for sink in sinks
    ]
    watcher = Watcher(Watch(store, lambda: ingest_answers(settings)), stop)
    judge = Judge(store, settings.state_dir, _expectation(settings), lambda: ingest_answers(settings))
    judging = JudgeThread(judge, settings.sources.health_interval, stop)
    behind = functools.partial(is_behind, store, settings.state_dir)
    died = functools.partial(tell_broken_off, settings.state_dir, store)
    bookkeeper = Bookkeeper(store, settings.job, settings.alert, behind, tell_broken_off=died)
    bookkeeper.begin()
    bookkeeping = BookkeeperThread(bookkeeper, wake, stop)
    steward = Steward(settings, store)
    stewarding = StewardThread(steward, settings.disk.interval, stop)
    tidying = TidyThread(Tidy(settings, store, behind, quarantined=lambda: steward.quarantined), stop)
    scanning = workers(sinks, settings, store, stop)
    # By host: one relay runs there (relay.lock), so who follows a killed one needn't wait for the end of its lease.
    dispatcher = Dispatcher(settings, store, f"relay of {store.place or 'this host'}", wake, stop)
    threads = (*lanes, *scanning, dispatcher, watcher, judging, bookkeeping, stewarding, tidying)
    for thread in (*threads, Keeper((lane.place for lane in lanes), stop)):
        thread.start()
    recent = Recent(settings.sources.repeat_window, settings.sources.repeat_memory)
    indexer = Indexer(settings.state_dir, store, settings.relay.batch, recent)
    try:
        _index(indexer, store, wake, stop, settings)
    finally:
        stop.set()
        wake.tell()
        for thread in threads:
            thread.join()
        indexer.close()
    readers: list[Lane | Dispatcher] = [*lanes, dispatcher]
    for reader in readers:
        if reader.broken is not None:
            raise reader.broken


def _expectation(settings: Settings) -> Expectation:
    told = settings.sources
    return Expectation(told.missed_heartbeats, told.proof_minutes, told.missed_proofs, told.silence_grace)


def _index(indexer: Indexer, store: Store, wake: Wake, stop: threading.Event, settings: Settings) -> None:
    attempt, beaten, pace = 0, 0.0, Pace(settings.relay, indexer.head, stop.wait)
    while not stop.is_set():
        pace.begin()
        try:
            if time.monotonic() - beaten >= HEARTBEAT_SECONDS:
                store.cursors.beat(HEARTBEAT)
                beaten = time.monotonic()
            count = indexer.step()
            if attempt:
                attempt = 0
                logger.info("indexing goes on")
            if count:
                wake.tell()
            pace.rest(count, indexer.late)
        except StoreBrokenError:
            raise
        except (JournalUnavailableError, StoreUnavailableError, OSError) as error:
            attempt += 1
            pace.catch_up()
            if attempt == 1:
                logger.error("indexing waits, what arrives stays in the journal: %s", error)  # noqa: TRY400 - no trace
            stop.wait(backoff.delay(attempt, random.random(), longest=5.0))  # noqa: S311 - jitter, no secret
