# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers that ingest is compared with: `python ingest_stacks.py STACK CONFIG`. All on gunicorn's gevent workers.

`durable` is the product. `off` is the same with its journal switched off. `bare` is Flask answering at once.
"""

from __future__ import annotations

import sys

from event_listener import config_file, metrics
from event_listener.auth import Authenticator
from event_listener.serve import IngestServer, ingest_credentials, open_binds, serve_ingest


class JournalOff(IngestServer):
    """Authentication, limits and parsing, but nothing is stored."""

    def load(self):
        """Return the product's application over a journal that only counts."""
        from event_listener.ingest import Receiver, create_app
        from event_listener.ingest_worker import notices

        authenticator = Authenticator(ingest_credentials(self.settings.ingest))
        return create_app(Receiver(self.settings, authenticator, lambda _entry, _timeout: 1, notices))


class Bare(IngestServer):
    """What Flask can do at best."""

    def load(self):
        """Return an application that reads the body and answers."""
        from flask import Flask, request

        app = Flask("bare")

        @app.post("/")
        def answer():
            request.get_data()
            return {"status": "stored"}

        return app


def main(stack: str, path: str) -> None:
    """Serve until a signal."""
    settings = config_file.load(path)
    if stack == "durable":
        serve_ingest(settings, path)
    else:
        metrics.enable_multiprocess(settings.state_dir)
        server = {"off": JournalOff, "bare": Bare}[stack]
        server(settings, path, open_binds(settings.ingest.bind)).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
