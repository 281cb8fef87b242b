# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `event-listener`. Commands are named in one table and imported when called: ingest never loads SQL."""

from __future__ import annotations

import importlib

import click

from event_listener import __version__

COMMANDS = {
    "accounts": "event_listener.commands.accounts:accounts",
    "alerts": "event_listener.commands.alerts:alerts",
    "backfill": "event_listener.commands.backfill:backfill",
    "backup": "event_listener.commands.backup:backup",
    "check": "event_listener.commands.check:check",
    "coverage": "event_listener.commands.upkeep:coverage",
    "credentials": "event_listener.commands.credentials:credentials",
    "doctor": "event_listener.commands.doctor:doctor",
    "domains": "event_listener.commands.accounts:domains",
    "events": "event_listener.commands.events:events",
    "import-config": "event_listener.commands.import_config:import_config",
    "import-osel": "event_listener.commands.import_osel:import_osel",
    "import-text-log": "event_listener.commands.import_text_log:import_text_log",
    "ingest": "event_listener.commands.serve:ingest",
    "jobs": "event_listener.commands.jobs:jobs",
    "manage": "event_listener.commands.serve:manage",
    "migrate-log": "event_listener.commands.migrate_log:migrate_log",
    "nginx": "event_listener.commands.serve:nginx",
    "proofs": "event_listener.commands.proofs:proofs",
    "quarantine": "event_listener.commands.quarantine:quarantine",
    "registries": "event_listener.commands.registries:registries",
    "relay": "event_listener.commands.serve:relay",
    "resources": "event_listener.commands.resources:resources",
    "restore": "event_listener.commands.backup:restore",
    "route": "event_listener.commands.route:route",
    "run": "event_listener.commands.run:run",
    "settings": "event_listener.commands.settings:settings_reference",
    "scans": "event_listener.commands.scans:scans",
    "sink": "event_listener.commands.sink:sink",
    "sinks": "event_listener.commands.sinks:sinks",
    "source": "event_listener.commands.source:source",
    "sources": "event_listener.commands.sources:sources",
    "trace": "event_listener.commands.trace:trace",
    "stop": "event_listener.commands.run:stop",
    "tokens": "event_listener.commands.accounts:tokens",
    "upkeep": "event_listener.commands.upkeep:upkeep",
    "webhooks": "event_listener.commands.webhooks:webhooks",
    "users": "event_listener.commands.accounts:users",
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - same
        if cmd_name not in COMMANDS:
            return None
        module, _colon, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="event-listener")
@click.option("-c", "--config", envvar="EVENT_LISTENER_CONFIG", metavar="FILE", help="Configuration file.")
@click.pass_context
def main(context: click.Context, config: str | None) -> None:
    """Receive Redfish events, acknowledge what is on disk, keep and publish it."""
    context.obj = {"config": config}
