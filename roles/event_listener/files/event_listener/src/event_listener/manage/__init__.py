# SPDX-License-Identifier: GPL-3.0-or-later
"""The management application: API, health, metrics. Never exposed to the BMC network; see docs/api.md."""

from __future__ import annotations

from flask import Flask

from event_listener.manage import (
    accounts,
    alerts,
    backfill,
    credentials,
    event_log,
    events,
    health,
    jobs,
    login,
    message_registries,
    metrics,
    openapi,
    problems,
    proofs,
    resources,
    sources,
    stream,
    trace,
    upkeep,
    webhook_deliveries,
    webhooks,
)
from event_listener.manage.access import Access, tokens
from event_listener.manage.connection import Connection
from event_listener.manage.live import Live
from event_listener.settings import Settings

MAX_BODY = 32 << 20


def create_app(settings: Settings) -> Flask:
    """The WSGI application. Raises SecretError when a token can't be read; the event log may come later."""
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.url_map.strict_slashes = False
    connection = Connection(settings)
    access = Access(tokens(settings.manage), connection)
    live = Live(connection, settings.manage.max_streams, settings.manage.stream_timeout)
    app.extensions["live"] = live
    problems.install(app)
    app.register_blueprint(access.guard(events.blueprint(connection)))
    app.register_blueprint(access.guard(event_log.blueprint(connection, settings.manage.stream_timeout)))
    app.register_blueprint(access.guard(alerts.blueprint(connection)))
    app.register_blueprint(access.guard(jobs.blueprint(connection)))
    app.register_blueprint(access.guard(stream.blueprint(live, settings.manage.stream_heartbeat)))
    app.register_blueprint(access.guard(trace.blueprint(settings, connection)))
    app.register_blueprint(access.guard(backfill.blueprint(settings, connection)))
    app.register_blueprint(access.guard(proofs.blueprint(connection)))
    app.register_blueprint(access.guard(resources.blueprint(connection)))
    app.register_blueprint(access.guard(accounts.blueprint(connection)))
    app.register_blueprint(access.guard(login.public(connection), public=True))
    app.register_blueprint(access.guard(login.own(connection)))
    app.register_blueprint(access.guard(sources.blueprint(connection, settings.state_dir)))
    app.register_blueprint(access.guard(credentials.blueprint(settings, connection)))
    app.register_blueprint(access.guard(upkeep.blueprint(connection)))
    app.register_blueprint(access.guard(webhooks.blueprint(settings, connection)))
    app.register_blueprint(access.guard(webhook_deliveries.blueprint(connection)))
    app.register_blueprint(access.guard(message_registries.blueprint(settings, connection)))
    app.register_blueprint(access.guard(health.blueprint(settings, connection), public=settings.manage.public_health))
    app.register_blueprint(access.guard(metrics.blueprint(settings, connection), public=settings.manage.public_metrics))
    app.register_blueprint(access.guard(openapi.blueprint(), public=True))
    return app
