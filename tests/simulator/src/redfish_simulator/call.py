# SPDX-License-Identifier: GPL-3.0-or-later
"""One request as the routes see it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .answer import Json, problem

if TYPE_CHECKING:
    from .accounts import Account
    from .bmc import Bmc
    from .sessions import Session


@dataclass
class Call:
    """A request to a BMC: `path` without query and trailing slash, `params` what the route's template captured."""

    bmc: Bmc
    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes = b""
    params: dict[str, str] = field(default_factory=dict)
    authentication: str = "none"
    session: Session | None = None
    account: Account | None = None

    def body(self) -> Json:
        """The JSON object in the body. Raises RedfishProblem (400) where there is none."""
        try:
            parsed = json.loads(self.raw)
        except ValueError:
            raise problem(400, "MalformedJSON") from None
        if not isinstance(parsed, dict):
            raise problem(400, "UnrecognizedRequestBody")
        return parsed
