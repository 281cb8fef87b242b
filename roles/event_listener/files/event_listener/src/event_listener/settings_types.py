# SPDX-License-Identifier: GPL-3.0-or-later
"""Look into the annotations of the settings' classes: for messages and for the reference page. Pure."""

from __future__ import annotations

import types
import typing
from typing import Any

import msgspec


def struct_in(annotation: Any) -> tuple[type[msgspec.Struct] | None, bool]:
    """Return the Struct that an annotation is made of, and whether it is a list of them."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return struct_in(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        found = [struct_in(argument) for argument in typing.get_args(annotation)]
        return next((item for item in found if item[0]), (None, False))
    if origin is list:
        return struct_in(typing.get_args(annotation)[0])[0], True
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return annotation, False
    return None, False


def metas(annotation: Any) -> list[msgspec.Meta]:
    """Return the Meta objects of an annotation, outermost first, those of `X | None` and aliases included."""
    if typing.get_origin(annotation) is not typing.Annotated:
        return []
    inner, *extra = typing.get_args(annotation)
    return [item for item in extra if isinstance(item, msgspec.Meta)] + metas(inner)


def description(annotation: Any) -> str:
    """Return the help of a setting; "" when it has none."""
    return next((meta.description for meta in metas(annotation) if meta.description), "")


def type_name(annotation: Any) -> str:
    """Return the type in the words of a YAML file: text, number, true/false, list of ..."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return type_name(typing.get_args(annotation)[0])
    if origin is list:
        return f"list of {type_name(typing.get_args(annotation)[0])}"
    if origin is dict:
        return f"map of {type_name(typing.get_args(annotation)[1])}"
    if origin in (typing.Union, types.UnionType):
        return " or ".join(type_name(argument) for argument in typing.get_args(annotation))
    if origin is typing.Literal:
        return " or ".join(f"`{value}`" for value in typing.get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return "secret" if annotation.__name__ == "Secret" else "section"
    names = {bool: "true/false", int: "whole number", float: "number", str: "text", type(None): "nothing"}
    return names.get(annotation, str(annotation))


def limits(annotation: Any) -> str:
    """Return the bounds of a setting, such as "1 to 64"; "" when it has none."""
    found: dict[str, Any] = {}
    for meta in reversed(metas(annotation)):
        found.update(
            {name: getattr(meta, name) for name in ("ge", "gt", "le", "lt") if getattr(meta, name) is not None}
        )
    low = found.get("ge", f"more than {found['gt']}" if "gt" in found else None)
    high = found.get("le", f"less than {found['lt']}" if "lt" in found else None)
    if low is not None and high is not None:
        return f"{low} to {high}"
    if low is not None:
        return f"at least {low}"
    return "" if high is None else f"at most {high}"
