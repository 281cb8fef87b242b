# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of personalities: name → data. A new vendor is one file here and one line below."""

from collections.abc import Mapping

from ..personality import Personality
from .openbmc import OPENBMC
from .plain import PLAIN

PERSONALITIES: Mapping[str, Personality] = {personality.name: personality for personality in (OPENBMC, PLAIN)}
