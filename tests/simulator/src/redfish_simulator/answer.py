# SPDX-License-Identifier: GPL-3.0-or-later
"""What a simulated service answers, and the errors it raises: shapes of DSP0266 clause 8.6 (error responses)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .dmtf_messages import BASE

Json = dict[str, Any]


@dataclass
class Answer:
    """Status, JSON body (or bytes of another content type, or nothing) and headers."""

    status: int = 200
    body: Json | bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json; charset=utf-8"


def info(key: str, *args: str, prop: str | None = None) -> Json:
    """One `@Message.ExtendedInfo` entry of the Base registry; `prop` is the property it is about."""
    message = BASE.messages[key]
    entry: Json = {
        "@odata.type": "#Message.v1_2_1.Message",
        "MessageId": BASE.message_id(key),
        "Message": message.fill(args),
        "MessageArgs": list(args),
        "MessageSeverity": message.severity,
        "Severity": message.severity,
        "Resolution": message.resolution,
    }
    if prop:
        entry["RelatedProperties"] = [f"#/{prop}"]
    return entry


@dataclass
class RedfishProblem(Exception):  # noqa: N818 - it is an answer of the service, not an error of the simulator
    """A refusal: HTTP status and the messages that explain it. `style` of the personality decides the body's shape."""

    status: int
    infos: Sequence[Json]
    headers: dict[str, str] = field(default_factory=dict)

    def answer(self, style: str = "error") -> Answer:
        """Body with an `error` object, or (`annotation`) with the messages beside the properties, as bmcweb does."""
        if style == "annotation" and all("RelatedProperties" in entry for entry in self.infos):
            annotated: Json = {}
            for entry in self.infos:
                name = str(entry["RelatedProperties"][0]).removeprefix("#/")
                annotated.setdefault(f"{name}@Message.ExtendedInfo", []).append(entry)
            return Answer(self.status, annotated, dict(self.headers))
        first = self.infos[0]
        code, text = first["MessageId"], first["Message"]
        if len(self.infos) > 1:
            code, text = BASE.message_id("GeneralError"), BASE.messages["GeneralError"].text
        body = {"error": {"code": code, "message": text, "@Message.ExtendedInfo": list(self.infos)}}
        return Answer(self.status, body, dict(self.headers))


def problem(status: int, key: str, *args: str, prop: str | None = None, **headers: str) -> RedfishProblem:
    """A refusal with one message; keyword arguments are headers, underscores for dashes."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return RedfishProblem(status, [info(key, *args, prop=prop)], named)


def not_found(kind: str, name: str) -> RedfishProblem:
    """404 for a resource that isn't there."""
    return problem(404, "ResourceNotFound", kind, name)
