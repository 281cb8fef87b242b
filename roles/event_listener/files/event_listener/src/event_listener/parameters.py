# SPDX-License-Identifier: GPL-3.0-or-later
"""What people write to ask for events, in URLs and on the command line, as a query. No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec

from event_listener import page_cursor, words
from event_listener.event import Category, Level, Origin, State, nanoseconds
from event_listener.policy import DomainPath, PolicyError, domain_path
from event_listener.store.question import MAX_LIMIT, SETS, Query

_LATEST = 2**63 - 1  # ns
_AGO = re.compile(r"(\d+)([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_CHOICES: dict[str, type[Category] | type[Level] | type[Origin] | type[State]] = {
    "category": Category,
    "level": Level,
    "origin": Origin,
    "state": State,
}
_LONGEST_KEYWORD = 500
_NUMBERS = {"after": 0, "before": 1, "limit": 1}
_MOMENTS = {"since": "since_ns", "until": "until_ns"}
TEXTS = {
    "after": "Only events with a greater `seq`.",
    "before": "Only events with a smaller `seq`.",
    "limit": "Most of a page; 100 by default.",
    "order": "Newest first (desc, the default), or oldest.",
    "since": "Received at this time or later: RFC 3339, or an age such as 5m.",
    "until": "Received before this time: RFC 3339, or an age such as 5m.",
    "below": "A domain with everything below it.",
    "keyword": "Words that are all in source, type, resource or message; `fail*`: any word that begins so.",
    "archived": "`true`: only archived events, `all`: these too; who may archive events may see them.",
    "cursor": "The `cursor` of the page before, with the same filters.",
    **{name: f"With one of these values of `{name}`." for name in SETS},
    "type": "With one of these types; in a type, `*` is any text.",
}
_Moment = Annotated[
    str,
    msgspec.Meta(
        extra_json_schema={
            "anyOf": [{"format": "date-time"}, {"pattern": "^[0-9]{1,6}[smhdw]$"}],
            "examples": ["2026-11-22T02:54:34Z", "5m"],
        }
    ),
]
_Seq = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
TYPES: dict[str, Any] = {
    "after": _Seq,
    "before": Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)],
    "limit": Annotated[int, msgspec.Meta(ge=1, le=MAX_LIMIT)],
    "order": Literal["asc", "desc"],
    "since": _Moment,
    "until": _Moment,
    "below": DomainPath,
    "keyword": Annotated[str, msgspec.Meta(extra_json_schema={"pattern": "[A-Za-z0-9]"}, max_length=_LONGEST_KEYWORD)],
    "archived": Literal["false", "true", "all"],
    "cursor": Annotated[str, msgspec.Meta(max_length=500)],
    "domain": DomainPath,
    "category": Category,
    "level": Level,
    "origin": Origin,
    "state": State,
}
NAMES = tuple(TEXTS)
_ARCHIVED = {"false": "no", "true": "only", "all": "all"}


class ParameterError(ValueError):
    """A parameter can't be used; the text says which, and what is allowed."""


def moment(text: str, now_ns: int, name: str = "time") -> int:
    """Nanoseconds of an RFC 3339 time, or of a time ago: 30s, 5m, 2h, 7d, 1w. Raises ParameterError."""
    if found := _AGO.fullmatch(text.strip()):
        return _stored(now_ns - int(found[1][:20]) * _SECONDS[found[2]] * 1_000_000_000)
    try:
        # In a URL an unescaped + of a zone arrives as a space.
        return _stored(nanoseconds(re.sub(r" (\d\d:\d\d)$", r"+\1", text.strip())))
    except (ValueError, OverflowError) as error:
        raise ParameterError(
            f"{name} {text!r} is no time: give RFC 3339 (2026-11-22T02:54:34Z) or an age (5m)"
        ) from error


def _stored(moment_ns: int) -> int:
    """The moment, or the nearest that a database's whole number holds (1677 to 2262): no event is beyond."""
    return max(-_LATEST, min(_LATEST, moment_ns))


def query(given: Mapping[str, Sequence[str]], now_ns: int) -> Query:
    """The query that parameters ask for. Of a set, several values may be given, also joined by commas.

    Raises ParameterError, for unknown parameters too: a misspelt filter must not show everything.
    """
    fields: dict[str, Any] = {}
    for name, texts in given.items():
        if name not in NAMES:
            raise ParameterError(f"{name} is no parameter; there are {', '.join(sorted(NAMES))}")
        if name in SETS:
            fields[name] = tuple(map(_domain, texts)) if name == "domain" else _values(name, texts)
        elif len(texts) != 1:
            raise ParameterError(f"{name} is given {len(texts)} times")
        elif name in _MOMENTS:
            fields[_MOMENTS[name]] = moment(texts[0], now_ns, name)
        elif name in _NUMBERS:
            fields[name] = _number(name, texts[0])
        elif name != "cursor":
            fields[name] = _SINGLE[name](texts[0])
    asked = Query(**fields)
    return continued(asked, given["cursor"][0]) if "cursor" in given else asked


def continued(asked: Query, cursor: str) -> Query:
    """The query of the page that a cursor stands for. Raises ParameterError."""
    try:
        return page_cursor.continued(asked, cursor)
    except page_cursor.CursorError as error:
        raise ParameterError(str(error)) from error


def _domain(text: str) -> str:
    try:
        return domain_path(text)
    except PolicyError as error:
        raise ParameterError(str(error)) from error


def values(name: str, texts: Sequence[str]) -> tuple[str, ...]:
    """Each of them, however they are joined. Raises ParameterError: an empty filter must not show everything."""
    found = tuple(value for text in texts for value in text.split(",") if value)
    if not found:
        raise ParameterError(f"{name} is empty; leave it out to see all")
    return found


def _values(name: str, texts: Sequence[str]) -> tuple[str, ...]:
    found = values(name, texts)
    if name in _CHOICES:
        allowed = [str(item) for item in _CHOICES[name]]
        for value in found:
            if value not in allowed:
                raise ParameterError(f"{name} {value!r} is none of {', '.join(allowed)}")
    return found


def _order(text: str) -> str:
    if text not in ("asc", "desc"):
        raise ParameterError(f"order {text!r} is neither asc nor desc")
    return text


def _archived(text: str) -> str:
    if text not in _ARCHIVED:
        raise ParameterError(f"archived {text[:40]!r} is none of true (only those), false, all")
    return _ARCHIVED[text]


def _keyword(text: str) -> str:
    if not words.asked(text):
        raise ParameterError(f"keyword {text[:40]!r} has no word: give letters or digits, with * at the end of a word")
    if len(text) > _LONGEST_KEYWORD:
        raise ParameterError(f"keyword has {len(text)} characters; give at most {_LONGEST_KEYWORD}")
    return text


_SINGLE = {"archived": _archived, "below": _domain, "keyword": _keyword, "order": _order}


def _number(name: str, text: str) -> int:
    most = MAX_LIMIT if name == "limit" else 2**63 - 1
    if not (text.isascii() and text.isdigit()) or not _NUMBERS[name] <= int(text[:20]) <= most:
        raise ParameterError(f"{name} {text[:40]!r} is no whole number from {_NUMBERS[name]} to {most}")
    return int(text)
