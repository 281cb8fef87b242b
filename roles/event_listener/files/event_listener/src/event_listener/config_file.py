# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the configuration file, and say in one sentence per mistake which key is wrong, what is allowed, and where."""

from __future__ import annotations

import difflib
import re
import typing
from pathlib import Path
from typing import Any

import msgspec
import yaml

from event_listener.addresses import parse_networks
from event_listener.alert_rules import problems as rule_problems
from event_listener.routes import problems as route_problems
from event_listener.settings import Settings
from event_listener.settings_base import Secret
from event_listener.settings_types import description, limits, struct_in

DEFAULT_PATH = "/etc/event-listener/config.yml"


class ConfigError(Exception):
    """The configuration can't be used; `problems` has one sentence per mistake."""

    def __init__(self, path: str | Path, problems: list[str]) -> None:
        self.path = str(path)
        self.problems = problems
        super().__init__("\n".join(f"{self.path}: {problem}" for problem in problems))


class _UniqueKeyLoader(yaml.SafeLoader):
    """PyYAML lets the last of two equal keys win in silence; here that is a mistake."""


def _mapping(loader: _UniqueKeyLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    result: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            raise yaml.MarkedYAMLError(problem=f"the key {key!r} is not text", problem_mark=key_node.start_mark)
        if key in result:
            raise yaml.MarkedYAMLError(problem=f"the key {key} is given twice", problem_mark=key_node.start_mark)
        result[key] = loader.construct_object(value_node, deep=True)
    return result


_UniqueKeyLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def load(path: str | Path) -> Settings:
    """Return the settings in the file at `path`. Raises ConfigError."""
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(path, [f"can't be read: {error.strerror}; give another file with --config"]) from error
    return parse(text, path)


def parse(text: bytes | str, path: str | Path = "configuration") -> Settings:
    """Return the settings in a YAML text; `path` is for messages. Raises ConfigError."""
    try:
        data = yaml.load(text, Loader=_UniqueKeyLoader)  # noqa: S506 - a SafeLoader with a stricter mapping
    except yaml.YAMLError as error:
        raise ConfigError(path, [f"not valid YAML: {_yaml_problem(error)}"]) from error
    return convert({} if data is None else data, path)


def convert(data: object, path: str | Path = "configuration") -> Settings:
    """Return the settings in plain data; `path` is for messages. Raises ConfigError."""
    problems = list(_unknown_keys(data, Settings, ""))
    if problems:
        raise ConfigError(path, problems)
    try:
        settings = msgspec.convert(data, Settings)
    except msgspec.ValidationError as error:
        raise ConfigError(path, [_wrong_value(str(error))]) from error
    problems = list(_inconsistencies(settings))
    if problems:
        raise ConfigError(path, problems)
    return settings


def _yaml_problem(error: yaml.YAMLError) -> str:
    if not isinstance(error, yaml.MarkedYAMLError):
        return str(error).splitlines()[0]
    mark = error.problem_mark
    where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
    return f"{error.problem}{where}"


def _unknown_keys(data: object, struct: type[msgspec.Struct], prefix: str) -> typing.Iterator[str]:
    if not isinstance(data, dict):
        return
    known = {item.encode_name: item.type for item in msgspec.structs.fields(struct)}
    for key, value in data.items():
        name = f"{prefix}{key}"
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean {prefix}{near[0]}?" if near else f"allowed here: {', '.join(sorted(known))}"
            yield f"{name} is not a setting; {hint}"
            continue
        inner, is_list = struct_in(known[key])
        if inner is None:
            continue
        if is_list and isinstance(value, list):
            for index, item in enumerate(value):
                yield from _unknown_keys(item, inner, f"{name}[{index}].")
        else:
            yield from _unknown_keys(value, inner, f"{name}.")


def _wrong_value(message: str) -> str:
    """Turn msgspec's message into a sentence that begins with the key. It never holds the value itself."""
    match = re.fullmatch(r"(?P<what>.*?)(?: - at `\$(?P<path>[^`]*)`)?", message, re.DOTALL)
    what, path = (match["what"], match["path"]) if match else (message, None)
    key = (path or "").lstrip(".") or "the file"
    if "got `str`" in what and "`object" in what and _is_secret(key):
        what = "a secret is never written here; refer to it by {file: PATH}, {env: NAME} or {credential: NAME}"
    elif match_missing := re.search(r"missing required field `(\w+)`", what):
        key, what = f"{key}.{match_missing[1]}", "is required"
        return f"{key} {what}"
    return f"{key}: {what[:1].lower()}{what[1:]}{_help(key)}"


def _is_secret(key: str) -> bool:
    return key.rpartition(".")[2] in ("password", "token")


def _help(key: str) -> str:
    struct: type[msgspec.Struct] | None = Settings
    annotation: Any = None
    for part in re.sub(r"\[[^]]*\]", "", key).split("."):
        if struct is None:
            return ""
        annotation = next((item.type for item in msgspec.structs.fields(struct) if item.encode_name == part), None)
        struct = struct_in(annotation)[0] if annotation is not None else None
    if annotation is None or struct is Secret:
        return ""
    bounds = limits(annotation)
    return f" ({bounds}). It is: {description(annotation)}" if bounds else f". It is: {description(annotation)}"


def _inconsistencies(settings: Settings) -> typing.Iterator[str]:
    """What types can't say: relations between settings."""
    ingest = settings.ingest
    if ingest.quarantine_max_body < ingest.max_body:
        yield f"ingest.quarantine_max_body must be at least ingest.max_body ({ingest.max_body})"
    if ingest.response_status not in (200, 201, 202, 204):
        yield "ingest.response_status must be 200, 201, 202 or 204"
    for name in ("allowed_networks", "trusted_proxies"):
        try:
            parse_networks(getattr(ingest, name))
        except ValueError as error:
            yield f"ingest.{name}: {error}; give CIDR networks such as 10.0.0.0/8 or 2001:db8::/32"
    for section, names in (
        ("ingest.credentials", [item.name for item in ingest.credentials]),
        ("ingest.sites", [item.name for item in ingest.sites]),
        ("manage.tokens", [item.name for item in settings.manage.tokens]),
        ("sinks", ["text_log", "json_lines", *(item.name for item in settings.sinks.bus())]),
        ("routes", [item.name for item in settings.routes]),
        ("alert.rules", [item.name for item in settings.alert.rules]),
    ):
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            yield f"{section}: the name {twice[0]} is given twice; each needs its own, so that it can be told in logs"
    yield from route_problems(settings.routes, [item.name for item in settings.sinks.bus()])
    yield from rule_problems(settings.alert.rules)
