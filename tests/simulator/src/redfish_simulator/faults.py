# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults that a BMC can be told to have. Each kind is one entry of KINDS: where it bites, and what it does.

A fault is {"kind": ..., options}. Options of all kinds: `path` (regular expression that the request's path must match
from its start), `methods` (list), `times` (how often it strikes before it heals). KINDS names those of one kind.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .answer import Answer, Json, problem
from .call import Call

ALL = "/redfish"
COLLECTION = r"/redfish/v1/EventService/[A-Za-z]+Subscriptions$|/redfish/v1/EventService/Subscriptions$"
MEMBER = r"/redfish/v1/EventService/(Event)?Subscriptions/[^/]+$"
SESSIONS = r"/redfish/v1/SessionService/Sessions$"
GET = ("GET", "HEAD")
HANG_SECONDS = 3600.0

LOGIN_PAGE = b"""<!DOCTYPE html>
<html><head><title>Login - BMC Web Console</title></head>
<body><form method="post" action="/login"><input name="user"><input name="password" type="password"></form></body>
</html>
"""

KINDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "slow": (ALL, ()),  # seconds (1)
    "hanging": (ALL, ()),  # takes the request and never answers
    "status": (ALL, ()),  # status (503), retry_after
    "unauthorized": (ALL, ()),  # 401, whatever the credentials
    "forbidden": (ALL, ()),  # 403 InsufficientPrivilege
    "connection_reset": (ALL, ()),  # RST instead of an answer
    "unreachable": (ALL, ()),  # every new connection is reset before TLS
    "session_table_full": (SESSIONS, ("POST",)),
    "subscription_limit": (COLLECTION, ("POST",)),
    "html": (COLLECTION, GET),  # status (200): a login page where JSON was expected
    "html_error": (ALL, ()),  # status (502): a web server's error page
    "not_json": (COLLECTION, GET),  # 200, content type JSON, cut in the middle
    "missing_location": (COLLECTION, ("POST",)),
    "unreadable_members": (MEMBER, GET),  # status (500); member (an id; else all)
    "missing_members": (COLLECTION, GET),  # the collection has neither Members nor nextLink
    "create_timeout": (COLLECTION, ("POST",)),  # the subscription is made, the answer never arrives
    "create_reset": (COLLECTION, ("POST",)),  # the subscription is made, the connection is reset
    "wrong_clock": (ALL, ()),  # seconds (-86400 * 365)
    "silent": (ALL, ()),  # accepts everything and delivers nothing
    "forgetful_reset": (ALL, ()),  # a reset forgets the subscriptions
}
PASSIVE = frozenset({"wrong_clock", "silent", "forgetful_reset", "unreachable"})


class Cut(Exception):  # noqa: N818 - an outcome, not an error of the simulator
    """The connection ends without an answer."""


@dataclass
class Fault:
    """One fault; `times` None strikes for ever."""

    kind: str
    path: str
    methods: tuple[str, ...]
    times: int | None = None
    options: Json = field(default_factory=dict)

    @classmethod
    def from_json(cls, body: Json) -> Fault:
        """Read a fault. Raises ValueError with what is wrong."""
        rest = dict(body)
        kind = str(rest.pop("kind", ""))
        if kind not in KINDS:
            raise ValueError(f"There is no fault {kind!r}; there are: {', '.join(KINDS)}.")
        path, methods = KINDS[kind]
        return cls(
            kind,
            str(rest.pop("path", path)),
            tuple(rest.pop("methods", methods)),
            rest.pop("times", None),
            rest,
        )

    def as_json(self) -> Json:
        """As it was given, defaults included."""
        common = {"kind": self.kind, "path": self.path, "methods": list(self.methods), "times": self.times}
        return {**common, **self.options}

    def strikes(self, call: Call) -> bool:
        """Whether it applies to this request."""
        method = not self.methods or call.method in self.methods
        return method and self.times != 0 and re.match(self.path, call.path) is not None

    def option(self, name: str, default: Any) -> Any:
        """One of its options."""
        return self.options.get(name, default)


class Faults:
    """The faults of one BMC."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def __bool__(self) -> bool:
        return bool(self._faults)

    def replace(self, faults: list[Fault]) -> None:
        """Have exactly these."""
        self._faults = list(faults)

    def as_json(self) -> list[Json]:
        """All of them."""
        return [fault.as_json() for fault in self._faults]

    def find(self, kind: str) -> Fault | None:
        """The fault of this kind, if the BMC has it."""
        return next((fault for fault in self._faults if fault.kind == kind and fault.times != 0), None)

    def clock_offset(self) -> float:
        """Seconds by which the BMC's clock is wrong."""
        fault = self.find("wrong_clock")
        return float(fault.option("seconds", -86400 * 365)) if fault else 0.0

    def striking(self, call: Call) -> list[Fault]:
        """The faults that this request meets; each is one time nearer to its healing."""
        struck = [fault for fault in self._faults if fault.kind not in PASSIVE and fault.strikes(call)]
        for fault in struck:
            if fault.times is not None:
                fault.times -= 1
        return struck


async def before(struck: list[Fault], call: Call) -> Answer | None:
    """What faults do before the service sees the request: wait, or answer in its place. Raises Cut, RedfishProblem."""
    for fault in struck:
        if fault.kind == "slow":
            await asyncio.sleep(float(fault.option("seconds", 1.0)))
        elif fault.kind == "hanging":
            await asyncio.sleep(HANG_SECONDS)
            raise Cut
        elif fault.kind == "connection_reset":
            raise Cut
        else:
            answer = _instead(fault, call)
            if answer:
                return answer
    return None


def _instead(fault: Fault, call: Call) -> Answer | None:
    status = int(fault.option("status", 0))
    if fault.kind == "html":
        return Answer(status or 200, LOGIN_PAGE, content_type="text/html")
    if fault.kind == "html_error":
        page = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
        return Answer(status or 502, page, content_type="text/html")
    refusals = {
        "status": (status or 503, "ServiceTemporarilyUnavailable", (str(fault.option("retry_after", 30)),)),
        "unauthorized": (401, "NoValidSession", ()),
        "forbidden": (403, "InsufficientPrivilege", ()),
        "session_table_full": (503, "SessionLimitExceeded", ()),
        "subscription_limit": (
            call.bmc.personality.create.limit_status,
            call.bmc.personality.create.limit_key,
            (),
        ),
    }
    if fault.kind in refusals:
        code, key, args = refusals[fault.kind]
        if fault.kind == "status" and code != 503:
            key, args = "InternalError", ()
        refusal = problem(code, key, *args)
        if "retry_after" in fault.options:
            refusal.headers["Retry-After"] = str(fault.options["retry_after"])
        raise refusal
    if fault.kind == "unreadable_members" and fault.option("member", None) in (None, call.path.rpartition("/")[2]):
        raise problem(status or 500, "InternalError")
    return None


async def after(struck: list[Fault], answer: Answer) -> Answer:
    """What faults do to the service's answer. Raises Cut where it never arrives."""
    for fault in struck:
        if fault.kind == "missing_location":
            answer.headers.pop("Location", None)
        elif fault.kind == "missing_members" and isinstance(answer.body, dict):
            for name in [name for name in answer.body if name.startswith("Members")]:
                del answer.body[name]
        elif fault.kind == "not_json" and isinstance(answer.body, dict):
            text = json.dumps(answer.body).encode()
            answer.body = text[: len(text) // 2]
        elif fault.kind in ("create_timeout", "create_reset") and answer.status < 300:
            if fault.kind == "create_timeout":
                await asyncio.sleep(HANG_SECONDS)
            raise Cut
    return answer
