# SPDX-License-Identifier: GPL-3.0-or-later
"""Which personalities a fleet has, and how each BMC is logged in to."""

from __future__ import annotations

from .personalities import PERSONALITIES

# What a grown machine room looks like: 24 BMCs of all vendors.
DEFAULT_MIX = {"openbmc": 6, "idrac9": 5, "ilo5": 4, "xcc2": 3, "ami": 2, "supermicro": 2, "plain": 2}
# Families, and who stands for them.
FAMILIES = {"idrac": "idrac9", "ilo": "ilo5", "xcc": "xcc2"}


def parse_mix(text: str) -> dict[str, int]:
    """`openbmc=8,idrac9=4` → {"openbmc": 8, "idrac9": 4}. Raises ValueError with what is wrong."""
    mix: dict[str, int] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        given, equals, number = part.partition("=")
        name = FAMILIES.get(given, given)
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

    Every other BMC of a vendor logs in by Basic, the rest by session: both ways are met with each.
    """
    names = _interleaved(mix or DEFAULT_MIX)
    met: dict[str, int] = {}
    chosen = []
    for name in (names[index % len(names)] for index in range(count)):
        met[name] = met.get(name, 0) + 1
        chosen.append((name, "session" if met[name] % 2 else "basic"))
    return chosen


def _interleaved(mix: dict[str, int]) -> list[str]:
    left = dict(mix)
    names: list[str] = []
    while any(left.values()):
        for name in [name for name, number in left.items() if number]:
            names.append(name)
            left[name] -= 1
    return names
