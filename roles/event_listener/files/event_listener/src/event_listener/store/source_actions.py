# SPDX-License-Identifier: GPL-3.0-or-later
"""Who registered, changed or forgot which source: an ActionEvent for each that did change, in the same transaction."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from event_listener.registry import Source, SourceDiff, SourcePlan, owner_of
from event_listener.store.actions import Actor, record, told
from event_listener.store.log import Arrival

KIND = "Source"


def tell_changes(connection: Connection, actor: Actor, plan: SourcePlan) -> None:
    """Tell of every source that the plan registers or changes, with what it was and is."""
    record(connection, *(_told(actor, source, diff) for source, diff in zip(plan.write, plan.diff, strict=True)))


def tell_gone(connection: Connection, actor: Actor, source: Source) -> None:
    """Tell that a registration was forgotten."""
    record(connection, told(actor, "SOURCE.DELETE", (KIND, source.name), owner_of(source)))


def _told(actor: Actor, source: Source, diff: SourceDiff) -> Arrival:
    what = "SOURCE.CREATE" if diff.before is None else "SOURCE.UPDATE"
    return told(actor, what, (KIND, source.name), owner_of(source), details=_changed(diff))


def _changed(diff: SourceDiff) -> dict[str, Any]:
    """The fields that differ, as they may be shown: of a secret its fingerprint."""
    if diff.before is None:
        return {}
    names = [name for name, value in diff.after.items() if diff.before.get(name) != value]
    return {"changed": {name: {"before": diff.before.get(name), "after": diff.after[name]} for name in names}}
