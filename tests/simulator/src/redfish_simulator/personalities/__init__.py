# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of personalities: name → data. A new vendor is one file here and one line below."""

from collections.abc import Mapping

from ..personality import Personality
from .ami import AMI
from .dell import IDRAC8, IDRAC9, IDRAC9_MUTE, IDRAC10
from .hpe import ILO4, ILO5
from .lenovo import XCC1, XCC2, XCC3
from .openbmc import OPENBMC
from .others import CISCO, HUAWEI
from .plain import PLAIN
from .supermicro import SUPERMICRO
from .variants import VARIANTS

VENDORS = (
    OPENBMC,
    IDRAC9,
    IDRAC9_MUTE,
    IDRAC8,
    IDRAC10,
    ILO5,
    ILO4,
    XCC2,
    XCC3,
    XCC1,
    AMI,
    SUPERMICRO,
    HUAWEI,
    CISCO,
    PLAIN,
)
PERSONALITIES: Mapping[str, Personality] = {personality.name: personality for personality in (*VENDORS, *VARIANTS)}
