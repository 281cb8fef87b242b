# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of an event, and those of a search. No I/O.

Both databases index these words, not texts with rules of their own, so a search finds the same on each of them, and
:func:`matches` decides the same without one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

MOST = 256  # different words of one event that are indexed
LONGEST = 64  # characters of a word; the rest is left off. PostgreSQL takes 2046 bytes
_WORD = re.compile(r"[^\W_]+")
_ASKED = re.compile(r"[^\W_]+\*?")


class Word(msgspec.Struct, frozen=True):
    """A word that is searched for; with ``prefix`` all that begin so."""

    text: str
    prefix: bool = False


def words(
    source: str,
    type_: str,
    resource_type: str | None,
    resource_id: str | None,
    message: str | None,
    message_args: Iterable[str],
) -> list[str]:
    """The different words of an event, in lower case, in the order of the arguments; at most ``MOST``."""
    texts = (source, type_, resource_type or "", resource_id or "", message or "", *message_args)
    found = dict.fromkeys(_WORD.findall("\n".join(texts).lower()))
    return list(dict.fromkeys(word[:LONGEST] for word in list(found)[:MOST]))


def asked(keyword: str) -> list[Word]:
    """The words of a search, all of which must be there: ``fan fail*``."""
    found = dict.fromkeys(_ASKED.findall(keyword.lower()))
    return [Word(text.removesuffix("*")[:LONGEST], text.endswith("*")) for text in found]


def matches(wanted: Sequence[Word], there: Iterable[str]) -> bool:
    """Whether all that is wanted is among the words of an event."""
    known = set(there)
    return all(any(word.startswith(one.text) for word in known) if one.prefix else one.text in known for one in wanted)
