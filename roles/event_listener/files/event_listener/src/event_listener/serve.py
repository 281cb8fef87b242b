# SPDX-License-Identifier: GPL-3.0-or-later
"""The two web servers: gunicorn with gevent workers for ingest, with threads for manage."""

from __future__ import annotations

import logging
import os
import resource
import signal
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, cast

import gevent
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from event_listener import config_file, metrics, refusals, tls
from event_listener.auth import Authenticator, Credential
from event_listener.console import console_from_environment
from event_listener.journal import prepare_journal
from event_listener.journal_writer import JournalWriter
from event_listener.secrets import SecretError, read_secret
from event_listener.settings import Ingest, IngestCredential, Settings
from event_listener.settings_sites import Site
from event_listener.sockets import activated_by_systemd, inherited, open_sockets

logger = logging.getLogger(__name__)

Options = dict[str, Any]


def credentials_of(items: Iterable[IngestCredential | Site]) -> list[Credential]:
    """Return the credentials with their secrets. Raises SecretError."""
    found = []
    for item in items:
        reference = item.password if item.username is not None else item.token
        if reference is None:  # the settings' own check allows no such credential
            raise SecretError(f"ingest: {item.name} has no secret")
        found.append(Credential(item.name, read_secret(reference), item.username))
    return found


def _secrets(settings: Ingest) -> tuple[list[Credential], list[Credential], list[Credential]]:
    """Those of BMCs, of sites, and of CloudStack's webhooks. Raises SecretError."""
    webhooks = [Credential(one.name, read_secret(one.secret)) for one in settings.cloudstack_webhooks]
    return credentials_of(settings.credentials), credentials_of(settings.sites), webhooks


def prepare_state(settings: Settings) -> None:
    """Make the directories that all processes share. Raises OSError, also for a network file system."""
    state = Path(settings.state_dir)
    prepare_journal(state)
    (state / "run").mkdir(mode=0o750, exist_ok=True)


class _Server(BaseApplication):
    """gunicorn without its command line, configuration file or environment: all comes from our settings."""

    def __init__(self, settings: Settings, options: Options) -> None:
        self.settings = settings
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        """Hand our options to gunicorn."""
        for name, value in {**_common(), **self._options}.items():
            self.cfg.set(name, value)


def _common() -> Options:
    return {
        "control_socket_disable": True,
        # Not whichever happens to be installed: limits and framing are tested with this one.
        "http_parser": "python",
        "accesslog": None,
        "errorlog": "-",
        # Nobody may set the scheme, the script name or the peer by a header; trusted_proxies is ours.
        "forwarded_allow_ips": "",
        "limit_request_line": 4094,
        # Together these bound what a stranger may make us hold: 256 KiB per connection.
        "limit_request_fields": 32,
        # OpenBMC allows 8,096 bytes of HttpHeaders.
        "limit_request_field_size": 8190,
        "graceful_timeout": 10,
        "post_fork": _end_when_told,
        # The heartbeat file of a worker: on a disk that hangs, the master would kill healthy workers.
        "worker_tmp_dir": "/dev/shm" if os.access("/dev/shm", os.W_OK) else None,  # noqa: S108 - a file of gunicorn's
    }


def _binds(binds: list[str]) -> Options:
    """Return gunicorn's `bind`: sockets of systemd, of our supervisor, or opened here."""
    if activated_by_systemd():
        return {}
    numbers = inherited() or [one.detach() for one in open_sockets(binds)]
    return {"bind": [f"fd://{number}" for number in numbers]}


class IngestArbiter(Arbiter):
    """gunicorn's master, which tends the journal's writer as it tends its workers: at once when a child ends."""

    def manage_workers(self) -> None:
        """Keep the writer and the workers running."""
        cast("IngestServer", self.app).writer.ensure(self._close_listeners)
        super().manage_workers()

    def stop(self, graceful: bool = True) -> None:
        """End the workers, then the writer."""
        super().stop(graceful)
        cast("IngestServer", self.app).writer.finish()

    def _close_listeners(self) -> None:
        for listener in self.LISTENERS:
            # Not close(), which would also remove the path of a Unix socket.
            os.close(listener.sock.detach())


class IngestServer(_Server):
    """Serves ingest. SIGHUP reads the configuration again; with a mistake in it, the old one stays in use."""

    def __init__(self, settings: Settings, path: str, binds: Options) -> None:
        self._path = path
        self._secrets = _secrets(settings.ingest)
        self._prepare_tls(settings.ingest)
        self.writer = JournalWriter(settings.state_dir, settings.disk)
        super().__init__(settings, {**binds, **self._ingest_options(settings.ingest)})

    def _ingest_options(self, settings: Ingest) -> Options:
        options: Options = {
            "proc_name": "event-listener-ingest",
            "workers": settings.workers,
            "worker_class": "event_listener.ingest_worker.IngestWorker",
            "worker_connections": settings.max_connections,
            "keepalive": settings.keepalive,
            "post_fork": _post_fork,
        }
        if not settings.plain_http:
            # These two only switch TLS on; the context is ours.
            options.update(certfile=settings.tls.certificate, keyfile=settings.tls.key, ssl_context=self._context)
        return options

    def _prepare_tls(self, settings: Ingest) -> None:
        """Make the context that workers inherit (see tls.py). Raises TlsError."""
        if not settings.plain_http:
            stamp = tls.stamp(settings.tls)
            self._tls = tls.server_context(settings.tls), stamp

    def _context(self, _config: Any, _default: Callable[[], Any]) -> Any:
        context, stamp = self._tls
        gevent.spawn(tls.renew_forever, context, self.settings.ingest.tls, stamp)
        return context

    def run(self) -> None:
        """Serve until a signal."""
        IngestArbiter(self).run()

    def reload(self) -> None:
        """Take the changed configuration, if it is good."""
        try:
            settings = config_file.load(self._path)
            secrets = _secrets(settings.ingest)
            self._prepare_tls(settings.ingest)
        except (config_file.ConfigError, SecretError, tls.TlsError) as error:
            logger.error("the changed configuration is not used, the old one stays: %s", error)  # noqa: TRY400 - no trace
            return
        self.settings, self._secrets = settings, secrets
        self._options.update(self._ingest_options(settings.ingest))
        super().reload()

    def load(self) -> Any:
        """Return the application (in a worker, after the fork and gevent's patching)."""
        from event_listener.group_commit import GroupCommit  # noqa: PLC0415 - counts; see metrics.py
        from event_listener.ingest import create_app  # noqa: PLC0415 - same
        from event_listener.ingest_cloudstack import WebhookReceiver  # noqa: PLC0415 - same
        from event_listener.ingest_metrics import observe_commit  # noqa: PLC0415 - same
        from event_listener.ingest_worker import notices  # noqa: PLC0415 - same
        from event_listener.journal_client import JournalClient  # noqa: PLC0415 - same

        commit = GroupCommit(JournalClient(self.writer.address).append, observe_commit, _end_process)
        bmcs, sites, webhooks = self._secrets
        self.receiver = WebhookReceiver(
            webhooks,
            self.settings,
            Authenticator(bmcs),
            Authenticator(sites),
            commit.submit,
            notices,
            stored=console_from_environment(),
        )
        self.receiver.refusals = refusals.Refusals(self.settings.state_dir, gevent.spawn_later)
        return create_app(self.receiver)


def _end_when_told(_server: Any, _worker: Any) -> None:
    """The master's handler, which a worker inherits, would forget SIGTERM until the worker has booted.

    It would then serve until it is killed, and what it serves would be cut off. So far it has accepted nothing.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _post_fork(server: Any, worker: Any) -> None:
    _end_when_told(server, worker)
    from event_listener import ingest_metrics  # noqa: PLC0415 - counts; see metrics.py

    # The first count opens this process's files: now, since with a full or read-only disk it would fail a request.
    try:
        metrics.preallocate(os.getpid())
        ingest_metrics.UNAVAILABLE.inc(0)
    except OSError as error:
        logger.warning("worker %s counts for itself, its metrics don't fit the disk: %s", worker.pid, error.strerror)
        with metrics.in_memory():
            ingest_metrics.UNAVAILABLE.inc(0)


def _end_process(error: Exception) -> None:
    """End all of ingest after a failed fsync: with this code of a worker gunicorn's master ends too."""
    logger.critical("%s", error)
    os._exit(Arbiter.WORKER_BOOT_ERROR)


def _allow_connections() -> None:
    """Take all open files that we may have: most systems begin with 1,024, less than `max_connections`."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def serve_ingest(settings: Settings, path: str, binds: Options | None = None) -> None:
    """Serve until a signal. Raises BindError, SecretError, TlsError or OSError before it serves."""
    prepare_state(settings)
    _allow_connections()
    metrics.enable_multiprocess(settings.state_dir)
    refusals.begin(settings.state_dir)
    if not settings.ingest.credentials and not settings.ingest.sites:
        logger.warning("ingest.credentials is empty: every POST is refused with 401 until there is one")
    IngestServer(settings, path, _binds(settings.ingest.bind) if binds is None else binds).run()


class ManageServer(_Server):
    """Serves the management API."""

    def load(self) -> Any:
        """Return the application, in the worker."""
        from event_listener.manage import create_app  # noqa: PLC0415 - ingest must not load SQLAlchemy

        return create_app(self.settings)


def _end_streams(worker: Any) -> None:
    """Let the live streams end with the worker: it would wait for their threads."""
    worker.wsgi.extensions["live"].until(lambda: worker.alive and worker.ppid == os.getppid())


def serve_manage(settings: Settings, binds: Options | None = None) -> None:
    """Serve until a signal. Raises BindError or OSError before it serves."""
    prepare_state(settings)
    options = {
        "proc_name": "event-listener-manage",
        "worker_class": "gthread",
        "workers": 1,
        # A stream keeps a thread for as long as it lasts, so streams have threads of their own.
        "threads": settings.manage.threads + settings.manage.max_streams,
        "worker_connections": 1000 + settings.manage.max_streams,
        "limit_request_line": 8190,  # a query may name many sources or events
        "post_worker_init": _end_streams,
        **(_binds([settings.manage.bind]) if binds is None else binds),
    }
    ManageServer(settings, options).run()


def open_binds(binds: list[str]) -> Options:
    """Open the listening sockets now, while we may; the result goes to serve_ingest or serve_manage."""
    return _binds(binds)
