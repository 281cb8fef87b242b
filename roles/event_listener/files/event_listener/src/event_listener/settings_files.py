# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the sinks that write files of this host."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from event_listener.settings_base import Required, Section


class Rotate(Section, frozen=True):
    """When a file is set aside and a new one begun, and what becomes of those that were set aside.

    They are named after the file and the moment: `Events_192.0.2.7.txt-20261122T065900.123456Z.gz`.
    """

    size: Annotated[
        int, Meta(ge=0, description="Bytes from which on a file is set aside before more is written; 0: never.")
    ] = 104857600
    every: Annotated[
        Literal["never", "day", "week", "month"],
        Meta(description="Set a file aside at its first entry of a new day, week or month (local time)."),
    ] = "never"
    compress: Annotated[bool, Meta(description="Compress what was set aside (gzip).")] = True
    keep: Annotated[
        int, Meta(ge=0, description="Files kept per source beside the one that is written; 0: all of them.")
    ] = 9
    keep_days: Annotated[
        float, Meta(ge=0, description="Days after which what was set aside is removed; 0: never for its age.")
    ] = 0.0


class FileSink(Section, frozen=True):
    """Files of this host, one per source, named `Events_<address>` and an ending."""

    enabled: Annotated[bool, Meta(description="Write them.")] = True
    directory: Annotated[str, Meta(min_length=1, description="Where they are.")] = "/var/log/event-listener"
    sync_interval: Annotated[
        float,
        Meta(
            ge=0.05,
            le=60,
            description="Most seconds between syncs to the disk in a storm; otherwise each batch is synced at once.",
        ),
    ] = 0.5
    max_open_files: Annotated[int, Meta(ge=8, le=65536, description="Files kept open; others are opened again.")] = 256
    rotate: Annotated[Rotate, Meta(description="Rotation and retention.")] = field(default_factory=Rotate)
    required: Required = False
    retain_for: Annotated[
        float,
        Meta(
            ge=0,
            description="Seconds that events wait for a required sink before they may be purged; 0: for ever.",
        ),
    ] = 0.0


class TextLogSink(FileSink, frozen=True):
    """Files of this host, one per source, named `Events_<address>.txt`."""

    required: Required = True
