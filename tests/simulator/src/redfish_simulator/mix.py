# SPDX-License-Identifier: GPL-3.0-or-later
"""Which personalities a fleet has, and how each BMC is logged in to."""

from __future__ import annotations

from .personalities import PERSONALITIES

# Of every twelve BMCs: what a grown machine room looks like.
DEFAULT_MIX = ("openbmc", "plain")


def parse_mix(text: str) -> dict[str, int]:
    """`openbmc=8,idrac9=4` → {"openbmc": 8, "idrac9": 4}. Raises ValueError with what is wrong."""
    mix: dict[str, int] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, number = part.partition("=")
        if name not in PERSONALITIES:
            raise ValueError(f"There is no personality {name!r} in --mix; there are: {', '.join(PERSONALITIES)}.")
        if equals and not number.isdigit():
            raise ValueError(f"The number of {name!r} in --mix must be a whole number, not {number!r}.")
        mix[name] = mix.get(name, 0) + (int(number) if equals else 1)
    if not sum(mix.values()):
        raise ValueError("--mix names no BMC.")
    return mix


def spread(count: int, mix: dict[str, int] | None) -> list[tuple[str, str]]:
    """(personality, login type) of each BMC. A mix is repeated or cut to `count`, its vendors interleaved.

    Two of three log in by session, one by Basic: both ways are met with every vendor.
    """
    names = list(DEFAULT_MIX) if mix is None else _interleaved(mix)
    return [(names[i % len(names)], "basic" if i % 3 == 2 else "session") for i in range(count)]


def _interleaved(mix: dict[str, int]) -> list[str]:
    left = dict(mix)
    names: list[str] = []
    while any(left.values()):
        for name in [name for name, number in left.items() if number]:
            names.append(name)
            left[name] -= 1
    return names
