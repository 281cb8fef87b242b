# SPDX-License-Identifier: GPL-3.0-or-later
"""Message buses that events come from: one process per kind (`event-listener source KIND`), and the table of kinds.

A message is appended to the journal as a POST is, and confirmed to its bus only then (intake.py). The relay's indexer
makes events of it (`normalise/buses.py`), each under an id that follows from the message's own: what a bus delivers
again adds nothing. A kind is a section of the settings, an opener here and a normaliser there.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any

from event_listener.inputs.base import Opened
from event_listener.settings import Settings

# The section of the settings, and who opens it: imported when it is run, since each needs a library that is an extra.
INPUTS: dict[str, str] = {
    "openstack": "event_listener.inputs.openstack:opened",
    "cloudstack": "event_listener.inputs.cloudstack:opened",
    "cloudstack_kafka": "event_listener.inputs.cloudstack_kafka:opened",
}


class MissingLibraryError(Exception):
    """A kind of input whose library isn't installed."""


def configured(settings: Settings) -> list[str]:
    """The kinds that the settings switch on."""
    return [kind for kind in INPUTS if getattr(settings, kind) is not None]


def opener(kind: str) -> Callable[[Any], Opened]:
    """What opens a kind, given its section of the settings. Raises MissingLibraryError."""
    module, name = INPUTS[kind].split(":")
    try:
        function: Callable[[Any], Opened] = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        raise MissingLibraryError(
            f"the source {kind} needs the Python package {error.name}: "
            f"install the listener with its extra, redfleet-event-listener[{kind}]"
        ) from error
    return function


def problems(settings: Settings) -> Iterator[str]:
    """What keeps the configured kinds from being run; a sentence each."""
    for kind in configured(settings):
        try:
            opened = opener(kind)(getattr(settings, kind))
        except MissingLibraryError as error:
            yield f"{kind}: {error}"
            continue
        yield from (f"{kind}: {problem}" for problem in opened.problems())
