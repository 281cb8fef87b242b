# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings that bound what the listener takes of the disk."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from event_listener.settings_base import Section


class Disk(Section, frozen=True):
    """Most bytes of each part; 0 is no bound but the disk. What is given up at a bound is told by an event."""

    journal: Annotated[
        int,
        Meta(
            ge=0,
            description="Acknowledged payloads that wait to be indexed, because the relay or the database is down. At "
            "the bound new ones are answered 503: nothing that was acknowledged is given up.",
        ),
    ] = 17179869184
    quarantine: Annotated[
        int, Meta(ge=0, description="Bodies in quarantine; at the bound the oldest are given up, a tenth at a time.")
    ] = 1073741824
    events: Annotated[
        int,
        Meta(
            ge=0,
            description="Events in the event log, with their payloads, words and indexes; at the bound the oldest that "
            "every required sink has are given up, a tenth of it at a time, never archived ones. Of a log in "
            "PostgreSQL an estimate, and the same for all hosts. Below 64 MiB there is little room for anything.",
        ),
    ] = 107374182400
    rejected: Annotated[
        int,
        Meta(
            ge=0,
            description="Notes of what a sink refused for good, of each sink, in number (a note has about 250 bytes); "
            "at the bound the oldest are given up, a tenth at a time.",
        ),
    ] = 100000
    files: Annotated[
        int,
        Meta(
            ge=0,
            description="Files of the text log and of the JSON lines, each; at the bound the oldest of those that were "
            "set aside are removed, beyond what `rotate` says.",
        ),
    ] = 21474836480
    reserve: Annotated[
        int,
        Meta(
            ge=0,
            description="Kept in `state_dir` and freed when the disk is full, so that what removes can work; at most a "
            "hundredth of the file system.",
        ),
    ] = 67108864
    interval: Annotated[float, Meta(ge=0.05, le=3600, description="Seconds between looks at all of this.")] = 15.0
