# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of a task that are variables of its host, templated without Jinja where that is possible.

Every fork compiles every template anew, and the first costs a fifth of what a task on a BMC costs. Most are names in a
text, such as `https://{{ ansible_host }}:8443`: for those the names' values are put in here. All else is Ansible's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible import template as ansible_template

# Since 2.19 only a text that says so is a template; before, only one that isn't marked as unsafe.
_is_template = getattr(ansible_template, "is_trusted_as_template", None)
_NAME = re.compile(r"\{\{ *([A-Za-z_][A-Za-z0-9_]*) *\}\}")
_WORDS = frozenset({"true", "false", "none", "True", "False", "None", "not", "loop", "self", "super", "caller", "omit"})
_DEEPEST = 10
_NOT_SIMPLE = object()


class NotSimpleError(Exception):
    """It needs a template engine."""


def options_from(found: Mapping[str, Any], variables: Mapping[str, Any], templar: Any) -> dict[str, Any]:
    """The options, with the templates in them replaced by what they give.

    :param found: the options as the inventory has them.
    :param variables: the task's variables.
    :param templar: Ansible's, for the options that aren't simple.
    """
    values = {option: _simple_if_so(value, variables) for option, value in found.items()}
    others = {option: found[option] for option, value in values.items() if value is _NOT_SIMPLE}
    if not others:
        return values
    return {option: value for option, value in values.items() if option not in others} | templar.template(others)


def _simple_if_so(value: Any, variables: Mapping[str, Any]) -> Any:
    try:
        return simple(value, variables)
    except NotSimpleError:
        return _NOT_SIMPLE


def simple(value: Any, variables: Mapping[str, Any], depth: int = 0) -> Any:
    """A value without templates, or with such as are only names of variables.

    :raises NotSimpleError: there is more to it; also whatever is an error, so that Ansible says it.
    """
    if depth > _DEEPEST:
        raise NotSimpleError
    if isinstance(value, str):
        return _text(value, variables, depth + 1) if "{" in value else value
    if isinstance(value, Mapping):
        return {key: simple(item, variables, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [simple(item, variables, depth + 1) for item in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    raise NotSimpleError


def _text(text: str, variables: Mapping[str, Any], depth: int) -> Any:
    pieces = _NAME.split(text)
    around, names = pieces[::2], pieces[1::2]
    known = names and all(name in variables and name not in _WORDS for name in names)
    if not known or any("{" in piece or "\n" in piece for piece in around) or not (_is_template and _is_template(text)):
        raise NotSimpleError
    values = [simple(variables[name], variables, depth) for name in names]
    if around == ["", ""]:
        return values[0]
    if not all(isinstance(value, str) for value in values):
        raise NotSimpleError
    return "".join(piece + value for piece, value in zip(around, [*values, ""]))
