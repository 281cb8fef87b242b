# SPDX-License-Identifier: GPL-3.0-or-later
"""Qualys VM scans: launch, look for, poll (API version 2, `/api/2.0/fo/scan/`).

Launch: POST action=launch, addresses joined by commas; the answer is SIMPLE_RETURN with the item REFERENCE.
List: action=list answers SCAN_LIST_OUTPUT. Each answer carries the subscription's limits in X-RateLimit-* and
X-Concurrency-Limit-*; a call above them is answered 409 (codes 1960 and 1965) and did nothing.
https://docs.qualys.com/en/vm/qweb-all-api/mergedProjects/qapi-scan/vm_scans/list_vm_scans.htm,
https://docs.qualys.com/en/vm/api/assets/get_started/api_limits.htm and http_headers.htm beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode
from xml.etree import ElementTree as Xml

import msgspec

from event_listener import __version__
from event_listener.redact import cleaned
from event_listener.scans import client
from event_listener.scans.scanner import (
    Absent,
    Answer,
    Ended,
    Later,
    Launched,
    Outcome,
    Refused,
    Request,
    Running,
    Unsure,
)
from event_listener.settings_scans import QualysSink

_WRONG_SECONDS = 3600.0  # what is refused to whoever asks is asked rarely: wrong passwords lock accounts
_BLOCKED_SECONDS = 60.0  # 409 that doesn't say how long: the other call may be over by then
_LONGEST_PAUSE = 86400.0  # the longest window that Qualys sells
_OLDER = timedelta(days=1)  # by so much its clock may differ from ours
_CONFIGURATION = {
    401: "check username and password",
    403: "the user may not use the API",
    404: "check url",
    407: "the proxy wants other credentials: check proxy_username and proxy_password",
}
_FAILED = {"Canceled", "Error"}


class NotXmlError(Exception):
    """The body isn't XML of Qualys."""


class Listed(msgspec.Struct, frozen=True):
    """A scan in a SCAN_LIST_OUTPUT."""

    reference: str
    title: str
    state: str
    sub_state: str


class Qualys:
    """One request per call; credentials are read anew for each."""

    def __init__(self, settings: QualysSink) -> None:
        self._settings = settings

    def launch(self, request: Request) -> Answer:
        """POST action=launch."""
        fields = {
            "action": "launch",
            "scan_title": self._title(request),
            "ip": ",".join(request.addresses),
            "option_title": self._settings.option_profile,
            "iscanner_name": self._settings.scanner_name,
        }
        try:
            reply = self._request("POST", fields)
        except client.NotSentError as error:
            return Answer(Later(str(error)))
        except client.LostError as error:
            return Answer(Unsure(str(error)))
        return self._answer(reply, _launched(reply))

    def find(self, request: Request) -> Answer:
        """GET action=list of what was launched since, and look for the title: it is of this attempt alone."""
        since = datetime.fromtimestamp(request.asked_ns / 1e9, UTC) - _OLDER
        found = self._list({"launched_after_datetime": f"{since:%Y-%m-%dT%H:%M:%SZ}"})
        if isinstance(found, Answer):
            return found
        reply, listed = found
        title = self._title(request)
        mine = next((scan for scan in listed if scan.title == title), None)
        return self._answer(reply, Launched(mine.reference) if mine else Absent())

    def poll(self, request: Request) -> Answer:
        """GET action=list of one reference."""
        found = self._list({"scan_ref": request.reference})
        if isinstance(found, Answer):
            return found
        reply, listed = found
        mine = next((scan for scan in listed if scan.reference == request.reference), None)
        if mine is None:
            return self._answer(reply, Ended(error=f"Qualys doesn't list {request.reference} any more"))
        shown = " ".join(filter(None, (mine.state, mine.sub_state)))
        if mine.state in _FAILED:
            return self._answer(reply, Ended(error=f"Qualys says: {shown}"))
        return self._answer(reply, Ended(text=shown) if mine.state == "Finished" else Running())

    def _list(self, fields: Mapping[str, str]) -> tuple[client.Reply, list[Listed]] | Answer:
        try:
            reply = self._request("GET", {"action": "list", "show_status": "1", **fields})
        except (client.NotSentError, client.LostError) as error:
            return Answer(Later(str(error)))
        if reply.status != 200:
            outcome = _not_now(reply) or Later(f"Qualys answers {reply.status} to action=list: {reply.shown}")
            return self._answer(reply, outcome)
        try:
            return reply, scan_list(reply.body)
        except NotXmlError as error:
            return self._answer(reply, Later(f"Qualys answers action=list with {error}: {reply.shown}"))

    def _title(self, request: Request) -> str:
        return f"{self._settings.title} {request.id}.{request.attempt}"

    def _request(self, method: str, fields: Mapping[str, str]) -> client.Reply:
        """Raises NotSentError, LostError."""
        settings = self._settings
        headers = {
            "Authorization": client.basic(settings.username, settings.password),
            "X-Requested-With": f"event-listener/{__version__}",  # without it Qualys refuses
            "User-Agent": f"event-listener/{__version__}",
        }
        encoded = urlencode(fields)
        if method == "GET":
            return client.request(settings, method, f"{settings.url}?{encoded}", headers)
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        return client.request(settings, method, settings.url, headers, encoded.encode())

    def _answer(self, reply: client.Reply, outcome: Outcome) -> Answer:
        """The outcome with what the limits ask for."""
        seconds, why = pause(reply, self._settings.min_remaining)
        return Answer(outcome, seconds, why)


def pause(reply: client.Reply, min_remaining: int) -> tuple[float, str]:
    """For how long to make no call, and why; 0 where there is no need to wait. Pure."""
    wait = reply.number("x-ratelimit-towait-sec") or 0.0
    running, most = (reply.number(f"x-concurrency-limit-{name}") for name in ("running", "limit"))
    if reply.status == 409:
        wait = wait or _BLOCKED_SECONDS
        return min(wait, _LONGEST_PAUSE), f"Qualys blocks calls for {wait:.0f} s: {_told(reply)}"
    if wait:
        return min(wait, _LONGEST_PAUSE), f"Qualys asks to wait {wait:.0f} s (X-RateLimit-ToWait-Sec)"
    remaining = reply.number("x-ratelimit-remaining")
    if remaining is not None and remaining <= min_remaining:
        # The window slides: so long until one of its calls is out of it.
        window, limit = reply.number("x-ratelimit-window-sec") or 3600.0, reply.number("x-ratelimit-limit") or 1.0
        wait = min(max(window / max(limit, 1.0), _BLOCKED_SECONDS), _LONGEST_PAUSE)
        return wait, f"{remaining:.0f} calls remain of Qualys' limit, which are left to others (min_remaining)"
    # The call that was answered counts itself, and is over now.
    if running is not None and most is not None and running > most:
        return _BLOCKED_SECONDS, f"{running:.0f} calls run at Qualys, of {most:.0f} allowed"
    return 0.0, ""


def _launched(reply: client.Reply) -> Outcome:
    if (later := _not_now(reply)) is not None:
        return later
    try:
        code, text, items = simple_return(reply.body)
    except NotXmlError as error:
        # It may have been launched behind a proxy that broke the answer.
        return Unsure(f"Qualys answers {reply.status} with {error}: {reply.shown}")
    if 200 <= reply.status < 300 and (reference := items.get("REFERENCE")):
        return Launched(reference, text)
    if reply.status >= 500:
        return Unsure(f"Qualys answers {reply.status}: {text or reply.shown}")
    return Refused(f"Qualys refuses ({reply.status}{f', code {code}' if code else ''}): {text or reply.shown}")


def _not_now(reply: client.Reply) -> Later | None:
    """What says that nothing was done: limits, and settings that are wrong for every scan."""
    if reply.status == 409:
        return Later(f"Qualys answers 409: {_told(reply)}", after=0.0)  # the pause is as long as it has to be
    if reply.status == 429:
        return Later("Qualys answers 429", after=reply.number("retry-after"))
    if reply.status in _CONFIGURATION or 300 <= reply.status < 400:
        hint = _CONFIGURATION.get(reply.status, "it leads elsewhere: give that url")
        return Later(f"Qualys answers {reply.status}; {hint}", after=_WRONG_SECONDS)
    return None


def _told(reply: client.Reply) -> str:
    try:
        code, text, _items = simple_return(reply.body)
    except NotXmlError:
        return reply.shown
    return f"{text} (code {code})" if code else text


def simple_return(body: bytes) -> tuple[str, str, dict[str, str]]:
    """CODE, TEXT and the items of a SIMPLE_RETURN. Raises NotXmlError."""
    root = _root(body, "SIMPLE_RETURN")
    items = {_text(item, "KEY"): _text(item, "VALUE") for item in root.iterfind("RESPONSE/ITEM_LIST/ITEM")}
    return _text(root, "RESPONSE/CODE"), cleaned(_text(root, "RESPONSE/TEXT"))[:1000], items


def scan_list(body: bytes) -> list[Listed]:
    """The scans of a SCAN_LIST_OUTPUT; without any it has no SCAN_LIST. Raises NotXmlError."""
    root = _root(body, "SCAN_LIST_OUTPUT")
    if root.find("RESPONSE") is None:
        raise NotXmlError("SCAN_LIST_OUTPUT without RESPONSE")
    return [
        Listed(_text(scan, "REF"), _text(scan, "TITLE"), _text(scan, "STATUS/STATE"), _text(scan, "STATUS/SUB_STATE"))
        for scan in root.iterfind("RESPONSE/SCAN_LIST/SCAN")
    ]


def _root(body: bytes, name: str) -> Xml.Element:
    if b"<!ENTITY" in body:  # Qualys declares none; expansion is how XML becomes a bomb
        raise NotXmlError("XML that declares entities")
    try:
        root = Xml.fromstring(body)  # noqa: S314 - without entities, and expat loads no external DTD
    except Xml.ParseError as error:
        raise NotXmlError(f"no XML ({error})") from error
    if root.tag != name:
        raise NotXmlError(f"{root.tag[:40]} instead of {name}")
    return root


def _text(element: Xml.Element, path: str) -> str:
    return (element.findtext(path) or "").strip()
