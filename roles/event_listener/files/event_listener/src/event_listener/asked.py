# SPDX-License-Identifier: GPL-3.0-or-later
"""What people write to ask for jobs and alerts, in URLs and on the command line, as fields of a query. No I/O."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

import msgspec

from event_listener.parameters import TYPES, ParameterError, moment, values
from event_listener.policy import PolicyError, domain_path

MAX_LIMIT = 1000
_FLAGS = {"true": True, "false": False}
PAGE_TEXTS = {
    "below": "A domain with everything below it.",
    "before": "The `next` of the page before.",
    "limit": "Most of a page; 100 by default.",
}


class Form(msgspec.Struct, frozen=True):
    """What may be asked: ``sets`` of texts (with the values there are, or none), ``moments`` and ``flags`` by name."""

    sets: Mapping[str, Collection[str]]
    moments: Mapping[str, str]
    flags: Sequence[str]

    @property
    def names(self) -> list[str]:
        """Every parameter that there is."""
        return sorted({*self.sets, *self.moments, *self.flags, "below", "before", "limit"})


def types(form: Form) -> dict[str, Any]:
    """Of each parameter that isn't a plain text its type, for the API's document."""
    return {
        **dict.fromkeys(form.moments, TYPES["since"]),
        **dict.fromkeys(form.flags, Literal["true", "false"]),
        **{name: TYPES[name] for name in ("domain", "level", "below", "before", "limit")},
    }


def fields(given: Mapping[str, Sequence[str]], form: Form, now_ns: int) -> dict[str, Any]:
    """The fields that parameters ask for. Of a set, several values may be given, also joined by commas.

    Raises ParameterError, for unknown parameters too: a misspelt filter must not show everything.
    """
    found: dict[str, Any] = {}
    for name, texts in given.items():
        if name in form.sets:
            found[name] = _values(name, texts, form.sets[name])
        elif name not in form.names:
            raise ParameterError(f"{name} is no parameter; there are {', '.join(form.names)}")
        elif len(texts) != 1:
            raise ParameterError(f"{name} is given {len(texts)} times")
        elif name in form.moments:
            found[form.moments[name]] = moment(texts[0], now_ns, name)
        else:
            found[name] = _single(name, texts[0])
    return found


def _values(name: str, texts: Sequence[str], allowed: Collection[str]) -> tuple[str, ...]:
    found = values(name, texts)
    for value in found:
        if allowed and value not in allowed:
            raise ParameterError(f"{name} {value[:80]!r} is none of {', '.join(allowed)}")
    return tuple(map(_domain, found)) if name == "domain" else found


def _single(name: str, text: str) -> Any:
    if name == "below":
        return _domain(text)
    if name in ("before", "limit"):
        most = MAX_LIMIT if name == "limit" else 2**63 - 1
        if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:20]) <= most:
            raise ParameterError(f"{name} {text[:40]!r} is no whole number from 1 to {most}")
        return int(text)
    if text not in _FLAGS:
        raise ParameterError(f"{name} {text[:40]!r} is neither true nor false")
    return _FLAGS[text]


def _domain(text: str) -> str:
    try:
        return domain_path(text)
    except PolicyError as error:
        raise ParameterError(str(error)) from error
