# SPDX-License-Identifier: GPL-3.0-or-later
"""The resources of a simulated service, one file per part of the tree. A new part is a file here and a line below."""

from __future__ import annotations

from ..personality import Personality
from ..router import Handler, RouteMaker
from . import (
    accounts,
    certificates,
    dell_attributes,
    event_service,
    logs,
    machine,
    registries,
    root,
    sessions,
    subscriptions,
    test_events,
)

PARTS: tuple[RouteMaker, ...] = (
    root.routes,
    sessions.routes,
    accounts.routes,
    machine.routes,
    logs.routes,
    registries.routes,
    event_service.routes,
    subscriptions.routes,
    test_events.routes,
    certificates.routes,
    dell_attributes.routes,
)


def all_routes(personality: Personality) -> dict[str, dict[str, Handler]]:
    """Every path template of a personality."""
    return {path: methods for part in PARTS for path, methods in part(personality).items()}
