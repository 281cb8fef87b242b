# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of journal and event log: nothing acknowledged before is missing, no number comes twice, no half ones."""

import hashlib
import sqlite3

import msgspec
import pytest
from event_listener import backup
from event_listener.indexer import Indexer
from event_listener.journal import Entry, Journal, JournalReader
from event_listener.settings import Settings
from event_listener.store import open_store, sqlite_path
from event_listener.store.migrations import NewerSchemaError


def entries(first, last):
    return [
        Entry(
            n, f"s{n}", "192.0.2.1", "c", "", "ok", "", b'{"Events": [{"EventId": "%d", "MessageId": "A.1.0.B"}]}' % n
        )
        for n in range(first, last)
    ]


@pytest.fixture
def settings(tmp_path):
    return Settings(state_dir=str(tmp_path / "state"))


def receive(settings, first, last):
    """What ingest does."""
    journal = Journal(settings.state_dir)
    journal.append(entries(first, last))
    journal.close()


def index(settings):
    """What the relay does."""
    with open_store(settings.state_dir) as store:
        indexer = Indexer(settings.state_dir, store, 100)
        while indexer.step():
            pass
        indexer.close()


def logged(settings):
    with open_store(settings.state_dir) as store:
        return [event for event in store.log.read_events_after(0, 1000) if event.source != "event-listener"]


def numbers(settings):
    return [int(event.event_id) for event in logged(settings)]


def test_what_was_acknowledged_is_there_again(settings, tmp_path):
    """Indexed or not, before the backup or, in the journal, after it; in a place of its own, each once."""
    receive(settings, 1, 4)
    index(settings)
    receive(settings, 4, 6)
    backup.make(settings, tmp_path / "copy")
    index(settings)  # 4 and 5 leave the journal
    receive(settings, 6, 8)
    ids = {event.id for event in logged(settings)}
    done = backup.restore(settings, tmp_path / "copy")
    assert done.again == 2
    index(settings)
    assert sorted(numbers(settings)) == [1, 2, 3, 4, 5, 6, 7]
    again = {event.id for event in logged(settings) if int(event.event_id) > 3}
    assert not again & ids  # what goes out a second time isn't taken for something else
    assert (tmp_path / "state" / "set-aside").is_dir()
    assert done.aside.startswith(str(tmp_path / "state" / "set-aside"))


def test_numbers_go_on_after_what_the_replaced_log_gave(settings, tmp_path):
    """File sinks and readers stand at numbers of the log that is gone."""
    receive(settings, 1, 3)
    index(settings)
    backup.make(settings, tmp_path / "copy")
    receive(settings, 3, 9)
    index(settings)
    with open_store(settings.state_dir) as store:
        head = store.log.head()
    backup.restore(settings, tmp_path / "copy")
    receive(settings, 9, 10)
    index(settings)
    assert [event.seq > head for event in logged(settings)] == [False, False, True]


def test_a_lost_disk(settings, tmp_path):
    """Into an empty folder: payloads that waited in the journal come back in a new one; numbers leave a gap."""
    receive(settings, 1, 3)
    index(settings)
    receive(settings, 3, 5)
    backup.make(settings, tmp_path / "copy")
    elsewhere = Settings(state_dir=str(tmp_path / "new"))
    assert backup.restore(elsewhere, tmp_path / "copy").again == 2
    index(elsewhere)
    assert numbers(elsewhere) == [1, 2, 3, 4]
    assert logged(elsewhere)[-1].seq > 1_000_000
    with JournalReader(settings.state_dir) as old, JournalReader(elsewhere.state_dir) as new:
        assert old.journal_id != new.journal_id


def test_restoring_tells_of_itself(settings, tmp_path):
    receive(settings, 1, 2)
    index(settings)
    backup.make(settings, tmp_path / "copy")
    backup.restore(settings, tmp_path / "copy")
    with open_store(settings.state_dir) as store:
        (told,) = [event for event in store.log.read_events_after(0, 10) if event.source == "event-listener"]
    assert told.type == "RedfleetEvents.LogRestored"


@pytest.mark.parametrize("spoil", ["flip", "no manifest", "missing file"])
def test_a_spoilt_backup_is_refused_and_nothing_changes(settings, tmp_path, spoil):
    receive(settings, 1, 3)
    index(settings)
    backup.make(settings, tmp_path / "copy")
    copy = tmp_path / "copy" / backup.SQLITE
    if spoil == "flip":
        content = bytearray(copy.read_bytes())
        content[5000] ^= 1
        copy.write_bytes(content)
    else:
        (copy if spoil == "missing file" else tmp_path / "copy" / backup.MANIFEST).unlink()
    before = sqlite_path(settings.state_dir).read_bytes()
    with pytest.raises(backup.BackupError, match="backup"):
        backup.restore(settings, tmp_path / "copy")
    assert sqlite_path(settings.state_dir).read_bytes() == before
    assert not (tmp_path / "state" / "set-aside").exists()


def test_a_backup_of_a_newer_program_is_refused_and_nothing_changes(settings, tmp_path):
    receive(settings, 1, 3)
    index(settings)
    with sqlite3.connect(sqlite_path(settings.state_dir)) as connection:
        (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    folder = tmp_path / "copy"
    folder.mkdir()
    with sqlite3.connect(folder / backup.SQLITE) as copy:
        connection.backup(copy)
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
        connection.commit()
    copy.close()
    connection.close()
    digest = hashlib.sha256((folder / backup.SQLITE).read_bytes()).hexdigest()
    manifest = backup.Manifest(1, "9", "0123456789ab", {backup.SQLITE: digest})
    (folder / backup.MANIFEST).write_bytes(msgspec.json.encode(manifest))
    with pytest.raises(NewerSchemaError, match="9999"):
        backup.restore(settings, folder)
    assert numbers(settings) == [1, 2]
    assert not list(sqlite_path(settings.state_dir).parent.glob("restoring*"))


def test_a_folder_with_something_in_it_is_refused(settings, tmp_path):
    receive(settings, 1, 2)
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "mine").write_text("")
    with pytest.raises(backup.BackupError, match="isn't empty"):
        backup.make(settings, tmp_path / "copy")
    with pytest.raises(backup.BackupError, match="no listener here"):
        backup.make(Settings(state_dir=str(tmp_path / "nowhere")), tmp_path / "other")
