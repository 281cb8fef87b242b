# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/settings.md, made from the settings' classes. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from event_listener.settings import Settings
from event_listener.settings_base import Secret
from event_listener.settings_types import description, limits, struct_in, type_name

_HEAD = """\
# Settings of the listener

This page is generated from `settings.py` by `event-listener settings`; a test keeps it current.

The configuration file is YAML, by default `/etc/event-listener/config.yml` (`--config` or `$EVENT_LISTENER_CONFIG`
name another). Every setting has a default, so the file holds what differs. An unknown key, a wrong type and a key given
twice are mistakes, not warnings: `event-listener check` names each with its file, and says what is allowed.

A secret is never written into the file. It is referred to by exactly one of `{file: PATH}`, `{env: NAME}` and
`{credential: NAME}` (systemd's `LoadCredential=`).
"""


def render() -> str:
    """Return the page."""
    return "\n".join([_HEAD, *_section(Settings, "")]).rstrip() + "\n"


def _section(struct: type[msgspec.Struct], prefix: str) -> Iterator[str]:
    yield f"## {f'`{prefix}`' if prefix else 'Top level'}\n\n{' '.join((struct.__doc__ or '').split())}\n"
    yield "| setting | type | default | meaning |\n|---|---|---|---|"
    nested = []
    for item in msgspec.structs.fields(struct):
        inner, is_list = struct_in(item.type)
        kind = type_name(item.type)
        if inner is not None and inner is not Secret:
            name = f"{prefix}.{item.encode_name}" if prefix else item.encode_name
            kind = "list, below" if is_list else "section, below"
            nested.append((inner, f"{name}[]" if is_list else name))
        bounds = limits(item.type)
        kind = f"{kind}, {bounds}" if bounds else kind
        yield f"| `{item.encode_name}` | {kind} | {_default(item)} | {_cell(description(item.type))} |"
    yield ""
    for inner, name in nested:
        yield from _section(inner, name)


def _default(item: msgspec.structs.FieldInfo) -> str:
    if item.required:
        return "required"
    value: Any = item.default_factory() if item.default is msgspec.NODEFAULT else item.default
    if value is None or isinstance(value, msgspec.Struct):
        return ""
    return f"`{json.dumps(value)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
