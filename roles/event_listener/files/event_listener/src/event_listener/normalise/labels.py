# SPDX-License-Identifier: GPL-3.0-or-later
"""What a message bus says beside a message's body, as parameters of its content type. No I/O.

The body is stored byte for byte, and says neither its routing key (CloudStack's is the only place of its category) nor
its key in a Kafka topic. ``text/plain; routing-key="a.b.*"`` is a content type as RFC 9110 (8.3.1) has it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_PARAMETER = re.compile(r';\s*([a-z0-9-]+)="((?:[^"\\]|\\.)*)"')
_LONGEST = 1024  # characters of a value
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")


def labelled(content_type: str, labels: Mapping[str, str]) -> str:
    """The content type with its labels; names are lower case with dashes."""
    shown = _UNPRINTABLE.sub(" ", content_type.partition(";")[0].strip()[:255]) or "application/octet-stream"
    return shown + "".join(f'; {name}="{_quoted(value)}"' for name, value in labels.items())


def labels_of(content_type: str) -> dict[str, str]:
    """The labels again."""
    return {name: re.sub(r"\\(.)", r"\1", value) for name, value in _PARAMETER.findall(content_type)}


def _quoted(value: str) -> str:
    clean = _UNPRINTABLE.sub(" ", value[:_LONGEST])
    return clean.replace("\\", "\\\\").replace('"', '\\"')
