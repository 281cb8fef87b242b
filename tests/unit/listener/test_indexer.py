# SPDX-License-Identifier: GPL-3.0-or-later
"""The indexer: from the journal to the event log, nothing skipped, nothing twice."""

import threading

import pytest
from event_listener import registry, relay
from event_listener.indexer import Indexer, journal_cursor
from event_listener.journal import Entry, Journal, JournalReader
from event_listener.registry_snapshot import RegistryView
from event_listener.settings import Relay, Settings, Sinks
from event_listener.settings_files import FileSink

from tests.unit.listener.lane_harness import fill, store, until

__all__ = ["store"]  # a fixture


def entry(number, source=None, peer="192.0.2.7", status="ok", body=None):
    body = body if body is not None else b'{"Events":[{"EventId":"%d"}]}' % number
    return Entry(number, source, peer, "bmcs", "application/json", status, "" if status == "ok" else "torn", body)


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path)
    yield journal
    journal.close()


def test_the_indexer_empties_the_journal(tmp_path, store, journal):
    journal.append([entry(number) for number in range(1, 8)])
    indexer = Indexer(tmp_path, store, 3)
    assert [indexer.step() for _ in range(4)] == [3, 3, 1, 0]
    assert [event.event_id for event in store.log.read_events_after(0, 10)] == [str(number) for number in range(1, 8)]
    with JournalReader(tmp_path) as reader:
        assert reader.read_after(0) == []
        assert store.cursors.get(journal_cursor(reader.journal_id)) == 7
        assert store.log.read_events_after(0, 1)[0].id == f"{reader.journal_id}-1-0"
    indexer.close()


def test_a_crash_between_commit_and_delete_repeats_nothing(tmp_path, store, journal):
    """The entries are still in the journal after the rows were committed: the next indexer only deletes them."""
    journal.append([entry(1), entry(2)])
    with JournalReader(tmp_path) as reader:
        journal_id = reader.journal_id
    fill(store, 2, journal_id=journal_id, cursor=journal_cursor(journal_id))  # and here the process died
    second = Indexer(tmp_path, store, 10)
    assert second.step() == 0
    assert store.log.head() == 2
    with JournalReader(tmp_path) as reader:
        assert reader.read_after(0) == []
    second.close()


def test_a_new_journal_is_read_from_its_beginning(tmp_path, store, journal):
    journal.append([entry(1)])
    indexer = Indexer(tmp_path, store, 10)
    indexer.step()
    journal.close()
    for path in (tmp_path / "journal").glob("journal.db*"):
        path.unlink()
    journal.append([entry(1)])
    assert indexer.step() == 1
    assert len({event.id for event in store.log.read_events_after(0, 10)}) == 2
    indexer.close()


def test_what_is_not_understood_goes_to_quarantine(tmp_path, store, journal):
    journal.append([entry(1, status="malformed", body=b"<html>"), entry(2, body=b"5"), entry(3)])
    indexer = Indexer(tmp_path, store, 10)
    indexer.step()
    indexer.close()
    assert [item.reason for item in store.quarantine.list()] == [
        "torn",
        "a JSON number where a Redfish Event or MetricReport is expected",
    ]
    assert store.log.head() == 1


def test_identity(tmp_path, store, journal):
    """The path names the source; without one the registered address does; else the peer is its own name."""
    store.sources.upsert(
        registry.changes(
            [
                {"name": "bmc1", "address": "192.0.2.1"},
                {"name": "far", "address": "192.0.2.9"},
                {"name": "nat-a", "address": "192.0.2.5"},
                {"name": "nat-b", "address": "192.0.2.5"},
            ]
        )
    )
    sent = [
        ("bmc1", "10.0.0.1"),
        (None, "192.0.2.1"),
        (None, "192.0.2.8"),
        ("unknown", "192.0.2.8"),
        (None, "192.0.2.5"),
        ("nat-b", "10.9.9.9"),
    ]
    journal.append([entry(number, source, peer) for number, (source, peer) in enumerate(sent, 1)])
    indexer = Indexer(tmp_path, store, 10)
    indexer.step()
    indexer.close()
    assert [(event.source, event.address) for event in store.log.read_events_after(0, 10)] == [
        ("bmc1", "192.0.2.1"),
        ("bmc1", "192.0.2.1"),
        ("192.0.2.8", "192.0.2.8"),
        ("unknown", "192.0.2.8"),
        ("192.0.2.5", "192.0.2.5"),
        ("nat-b", "192.0.2.5"),
    ]


def test_ingest_gets_the_registry(tmp_path, store, journal):
    """Written once per change, as the file that ingest reads."""
    journal.append([])
    indexer = Indexer(tmp_path, store, 10)
    indexer.step()
    store.sources.upsert(registry.changes([{"name": "b", "address": "192.0.2.1", "response_status": 204}]))
    indexer.step()
    found = RegistryView(tmp_path).find("b", "")
    assert (found.address, found.state, found.response_status) == ("192.0.2.1", "active", 204)
    stamp = (tmp_path / "registry.json").stat().st_mtime_ns
    indexer.step()
    assert (tmp_path / "registry.json").stat().st_mtime_ns == stamp
    store.sources.delete("b")
    indexer.step()
    assert RegistryView(tmp_path).find("b", "") is None
    indexer.close()


def test_a_new_sink_misses_nothing_from_the_first_start_on(tmp_path, store, journal):
    """Everything that waits in the journal at the first start is written, however the threads run."""
    journal.append([entry(number) for number in range(1, 21)])
    settings = Settings(
        state_dir=str(tmp_path),
        relay=Relay(batch=1),
        sinks=Sinks(text_log=FileSink(directory=str(tmp_path / "logs")), json_lines=FileSink(enabled=False)),
    )
    stop = threading.Event()
    thread = threading.Thread(target=relay.run, args=(settings, store, stop))
    thread.start()
    try:
        until(lambda: store.cursors.get("sink:text_log") == 20)
    finally:
        stop.set()
        thread.join()
    assert (tmp_path / "logs" / "Events_192.0.2.7.txt").read_text().count("Host IP") == 20
