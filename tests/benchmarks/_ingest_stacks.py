# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers that ingest is compared with: `python _ingest_stacks.py STACK CONFIG [MS]`. On gunicorn's gevent workers.

`durable` is the product; with MS, on a disk that takes so many milliseconds longer to sync. `off` is the same with its
journal switched off. `bare` is Flask answering at once.
"""

from __future__ import annotations

import sys
import time

from event_listener import config_file, journal_writer, metrics
from event_listener.auth import Authenticator
from event_listener.journal import Journal
from event_listener.serve import IngestServer, credentials_of, open_binds, serve_ingest


class JournalOff(IngestServer):
    """Authentication, limits and parsing, but nothing is stored."""

    def load(self):
        """Return the product's application over a journal that only counts."""
        from event_listener.ingest import Receiver, create_app
        from event_listener.ingest_worker import notices

        authenticator = Authenticator(credentials_of(self.settings.ingest.credentials))
        self.receiver = Receiver(self.settings, authenticator, lambda _entry, _timeout: 1, notices)
        return create_app(self.receiver)


class Bare(IngestServer):
    """What Flask can do at best: gunicorn's own gevent worker, without our limits."""

    def _ingest_options(self, settings):
        return super()._ingest_options(settings) | {"worker_class": "gevent"}

    def load(self):
        """Return an application that reads the body and answers."""
        from flask import Flask, request

        app = Flask("bare")

        @app.post("/")
        def answer():
            request.get_data()
            return {"status": "stored"}

        return app


class SlowDisk(Journal):
    """The product's journal, whose every transaction takes longer; stands for a slow disk, and isn't one."""

    seconds = 0.0

    def append(self, entries, note=None):
        """Store the entries, then sleep as a slow fsync would."""
        numbers = super().append(entries, note)
        time.sleep(self.seconds)
        return numbers


def main(stack: str, path: str, milliseconds: str = "0") -> None:
    """Serve until a signal."""
    settings = config_file.load(path)
    if stack == "durable":
        if float(milliseconds):
            SlowDisk.seconds = float(milliseconds) / 1000
            journal_writer.Journal = SlowDisk
        serve_ingest(settings, path)
    else:
        metrics.enable_multiprocess(settings.state_dir)
        server = {"off": JournalOff, "bare": Bare}[stack]
        server(settings, path, open_binds(settings.ingest.bind)).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
