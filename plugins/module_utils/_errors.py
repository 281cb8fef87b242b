# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One error tree, and one place that turns what a BMC answered into a sentence.

Every error says what happened and where, and what to do next; `reason` is the word that playbooks sort hosts by.
Message registries: DSP0266 "Error responses", Base registry (DSP8011).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

# Base and vendor message keys that mean "no room for one more".
FULL_KEYS = frozenset(
    {
        "EventSubscriptionLimitExceeded",  # Base registry, bmcweb (20 in total)
        "SubscriptionLimitExceeded",
        "CreateLimitReachedForResource",  # Base registry
        "SessionLimitExceeded",  # Base registry, for POST to Sessions
        "ResourceExhaustion",
        "RAC0218",  # iDRAC: "The maximum number of user sessions is reached", bb-Ricardo/check_redfish#89
    }
)
# A POST refused because the subscription is there already.
EXISTS_KEYS = frozenset(
    {
        "ResourceAlreadyExists",  # HPE, ironcore-dev/metal-operator#862
        "PropertyValueModified",  # iDRAC names the destination in the text, ironcore-dev/metal-operator redfish.go
        "EventSubscriptionAlreadyExists",
    }
)
MISSING_KEYS = frozenset(
    {"PropertyMissing", "CreateFailedMissingReqProperties", "ActionParameterMissing", "ActionRequiredParameterMissing"}
)


class RedfishError(Exception):
    """Something the user has to know: what happened and where, then what to do next.

    :param what: one sentence, what happened and where.
    :param todo: one sentence, what to do next.
    :param status: HTTP status, when a BMC answered.
    :param details: more keys for the task's result (JSON types).
    """

    reason = "bmc_error"

    def __init__(self, what: str, todo: str = "", status: int | None = None, **details: Any):
        super().__init__(f"{what.rstrip()} {todo}".strip())
        self.status = status
        self.details = details
        self.changed = False  # set by who had already written something

    def as_result(self) -> dict[str, Any]:
        """The failed task's result."""
        return {
            "failed": True,
            "changed": self.changed,
            "msg": str(self),
            "reason": self.reason,
            "status": self.status,
            **self.details,
        }


class UnreachableError(RedfishError):
    reason = "unreachable"


class TlsError(RedfishError):
    reason = "tls"


class CredentialsError(RedfishError):
    reason = "credentials"


class ForbiddenError(RedfishError):
    reason = "forbidden"


class UnsupportedError(RedfishError):
    reason = "unsupported"


class FullError(RedfishError):
    reason = "full"


class UnknownStateError(RedfishError):
    """What the BMC holds could not be read completely, so nothing may be concluded from it."""

    reason = "unknown_state"


class BmcError(RedfishError):
    reason = "bmc_error"


class InvalidInputError(RedfishError):
    reason = "invalid_input"


@dataclass(frozen=True)
class Message:
    """One entry of `@Message.ExtendedInfo`."""

    message_id: str
    text: str
    args: tuple[str, ...] = ()
    related: tuple[str, ...] = ()
    resolution: str = ""

    @property
    def key(self) -> str:
        """`PropertyUnknown` of `Base.1.8.PropertyUnknown`; vendors put registry and version in many ways."""
        return self.message_id.rsplit(".", 1)[-1]


@dataclass(frozen=True)
class Answer:
    """What a BMC answered. `body` is None unless the text is a JSON object; header names are lower case."""

    method: str
    uri: str
    base: str
    status: int
    headers: dict[str, str]
    text: str
    body: dict[str, Any] | None

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def messages(self) -> list[Message]:
        return extended_info(self.body)

    @property
    def keys(self) -> set[str]:
        return {message.key for message in self.messages}

    def refuses_existing(self) -> bool:
        """Whether a POST was refused because its subscription exists already."""
        return self.status == 409 or (400 <= self.status < 500 and bool(self.keys & EXISTS_KEYS))

    def says_full(self) -> bool:
        return not self.ok and bool(self.keys & FULL_KEYS)


def _message(raw: dict[str, Any]) -> Message:
    def texts(name: str) -> tuple[str, ...]:
        value = raw.get(name)
        return tuple(str(item) for item in value) if isinstance(value, list) else ()

    # iLO 4 writes MessageID, hence both.
    return Message(
        message_id=str(raw.get("MessageId") or raw.get("MessageID") or ""),
        text=str(raw.get("Message") or ""),
        args=texts("MessageArgs"),
        related=texts("RelatedProperties"),
        resolution=str(raw.get("Resolution") or ""),
    )


def extended_info(body: dict[str, Any] | None) -> list[Message]:
    """All messages of an error body: error object, top level and property annotations alike."""
    if not isinstance(body, dict):
        return []
    error = body.get("error")
    holders = [error, body] if isinstance(error, dict) else [body]
    found = []
    for holder in holders:
        for name, value in holder.items():
            if name.endswith("@Message.ExtendedInfo"):
                entries = value if isinstance(value, list) else [value]
                found.extend(_message(entry) for entry in entries if isinstance(entry, dict))
    if not found and isinstance(error, dict) and (error.get("message") or error.get("code")):
        found.append(Message(message_id=str(error.get("code") or ""), text=str(error.get("message") or "")))
    return found


def named_properties(messages: list[Message], sent: Any) -> set[str]:
    """Those of the property names `sent` that the messages complain about.

    BMCs say it in MessageArgs, in RelatedProperties (JSON pointers, with or without #) or only in the text. Names
    compare by their last segment, without an index.
    """
    names = set(sent)
    found: set[str] = set()
    for message in messages:
        segments = {part for pointer in message.related for part in re.split(r"[#/]", pointer)}
        told = names & (segments | set(message.args))
        if not told:
            told = {name for name in names if re.search(rf"\b{re.escape(name)}\b", message.text)}
        found |= told
    return found


def page_title(text: str) -> str:
    """The title of an HTML page, or an empty string."""
    found = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
    return " ".join(found.group(1).split())[:120] if found else ""


def describe(answer: Answer) -> str:
    """One sentence: what was asked where, and what came back."""
    asked = f"{answer.method} {answer.base}{answer.uri} answered HTTP {answer.status}"
    told = [_told(message) for message in answer.messages if message.text or message.message_id]
    if told:
        more = f" (and {len(told) - 1} more messages)" if len(told) > 1 else ""
        return f"{asked}: {told[0]}{more}."
    if answer.text.strip() and answer.body is None:
        title = page_title(answer.text)
        page = f"an HTML page titled '{title}'" if title else "a body that is not a JSON object"
        return f"{asked} with {page}."
    return f"{asked}."


def _told(message: Message) -> str:
    text = message.text.strip().rstrip(".")
    parts = [part for part in (message.message_id, text) if part]
    return ": ".join(parts)


def error_for(answer: Answer) -> RedfishError:
    """The error that an unsuccessful answer stands for, with what to do next."""
    kind, todo = _classify(answer)
    resolutions = [message.resolution for message in answer.messages if message.resolution]
    if kind is BmcError and resolutions:
        todo = f"The BMC advises: {resolutions[0]}"
    return kind(describe(answer), todo, status=answer.status)


def _classify(answer: Answer) -> tuple[type[RedfishError], str]:
    if answer.says_full():
        return FullError, "Free a place on the BMC, or use login_type basic where its session table is full."
    if answer.status == 401:
        return CredentialsError, "Check username and password (or auth_token); they were tried once, not again."
    if "PasswordChangeRequired" in answer.keys:
        return CredentialsError, "Log in to the BMC once and change the account's password."
    if answer.status in _BY_STATUS:
        return _BY_STATUS[answer.status]
    if answer.ok:
        return UnknownStateError, "Check that baseuri is a Redfish service and no login page or proxy answers for it."
    if 300 <= answer.status < 400:
        target = answer.headers.get("location", "nowhere")
        return BmcError, f"It redirects to {target}; set baseuri to the service's own address."
    return BmcError, "Look into the BMC's own log, or try again when it has settled."


_BY_STATUS: dict[int, tuple[type[RedfishError], str]] = {
    403: (
        ForbiddenError,
        "Give the account the privilege: Login to read, ConfigureManager to change (see docs/least-privilege.md).",
    ),
    404: (UnsupportedError, "The BMC has no such resource: check that its firmware offers the Redfish EventService."),
    405: (UnsupportedError, "The BMC does not offer this operation: check its firmware version."),
    501: (UnsupportedError, "The BMC does not implement this operation: check its firmware version."),
    412: (BmcError, "Somebody else changed the resource meanwhile; run the play again."),
    428: (BmcError, "The BMC insists on an ETag that it did not give; report its model and firmware as a quirk."),
    429: (BmcError, "The BMC asks for fewer requests: lower the forks or try again later."),
    503: (BmcError, "The BMC is busy or starting: try again when it has settled."),
}


def not_redfish(answer: Answer) -> UnknownStateError:
    """A successful answer that isn't a Redfish resource (login page, empty body, a list)."""
    return UnknownStateError(
        describe(answer),
        "It is no Redfish resource, so what the BMC holds is unknown: check baseuri, proxies and login pages.",
        status=answer.status,
    )
