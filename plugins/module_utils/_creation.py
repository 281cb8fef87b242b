# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Create one subscription on a BMC, in the form that it takes, and find out where it is.

A POST is never repeated blindly: after a refusal nothing was done, after a lost answer the list is read first.
"""

from __future__ import annotations

import time
from typing import Any

from ansible_collections.redfleet.events.plugins.module_utils._declaration import Desired
from ansible_collections.redfleet.events.plugins.module_utils._errors import (
    Answer,
    BmcError,
    FullError,
    RedfishError,
    UnknownStateError,
    UnsupportedError,
    describe,
    error_for,
)
from ansible_collections.redfleet.events.plugins.module_utils._event_service import EventService
from ansible_collections.redfleet.events.plugins.module_utils._negotiation import amend
from ansible_collections.redfleet.events.plugins.module_utils._redact import masked
from ansible_collections.redfleet.events.plugins.module_utils._subscription import is_free_slot, matches, uri_of
from ansible_collections.redfleet.events.plugins.module_utils._transport_errors import AnswerLostError

Resource = dict[str, Any]
MAX_TRIES = 10  # forms of a body offered to one BMC before giving up
SETTLE_TRIES, SETTLE_PAUSE = 10, 1.0  # looks, seconds: how long a created subscription may take to show (202)
ADJUSTABLE = (400, 422)  # refusals that another body may answer
ALLOW = "Leave it out, or allow its loss with on_unsupported."


class ExistsError(BmcError):
    """The BMC allows no second subscription like this one."""


class NotWorthItError(UnsupportedError):
    """The BMC takes the property in no request at all."""


class Creator:
    """Creates subscriptions and remembers what it had to give up.

    `dropped` are properties that the BMC refused, `wrote` says whether anything was created, `repeated` whether a
    lost POST was sent again, so that there may be two subscriptions.
    """

    def __init__(self, service: EventService, desired: Desired):
        self.service = service
        self.desired = desired
        self.dropped: list[str] = []
        self.wrote = False
        self.repeated = False

    def create(self, payload: Resource, known: frozenset[str], insist: frozenset[str] = frozenset()) -> Resource:
        """Create, and return the subscription as the BMC shows it.

        :param known: URIs of the subscriptions that were there before.
        :param insist: properties without which there is no point in creating.
        :raises ExistsError: the BMC has one like it, so nothing was created.
        :raises FullError: there is no room; `details` lists who holds the places.
        :raises NotWorthItError: the BMC doesn't take what `insist` names.
        """
        # What the BMC refused once in this run it isn't asked again, in a replacement that follows for example.
        body = {name: value for name, value in payload.items() if name not in self.dropped}
        if insist & set(self.dropped):
            raise NotWorthItError(
                f"{self.service.where} refused {', '.join(sorted(insist & set(self.dropped)))} before."
            )
        for _try in range(MAX_TRIES):
            answer, uri = self._send(body, known)
            if answer is None or answer.ok:
                self.wrote = True
                return self._shown(uri) or self._settled(body, known)
            body = self._next_body(body, answer, insist)
        raise BmcError(f"{self.service.where} refused {MAX_TRIES} forms of the subscription.", "Report it as a quirk.")

    def _send(self, body: Resource, known: frozenset[str]) -> tuple[Answer | None, str | None]:
        """POST, or fill a free slot. No answer: it was lost, but the subscription is there."""
        slot = next(filter(is_free_slot, self.service.members), None)
        if slot is not None:
            return self.service.fill(slot, body), uri_of(slot)
        try:
            answer = self.service.create(body)
        except AnswerLostError:
            if self.repeated:
                raise
            time.sleep(SETTLE_PAUSE)
            if self._new(known):
                return None, None
            self.repeated = True
            answer = self.service.create(body)
        return answer, self.service.created_uri(answer)

    def _next_body(self, body: Resource, answer: Answer, insist: frozenset[str]) -> Resource:
        if answer.refuses_existing():
            raise ExistsError(
                describe(answer), "Remove what holds the destination, or let adopt take it.", answer.status
            )
        if answer.says_full() or answer.status == 405:
            raise self._full(answer)
        amended = amend(body, answer, self.desired) if answer.status in ADJUSTABLE else None
        if amended is None:
            raise error_for(answer)
        if insist & (set(body) - set(amended.body)):
            raise NotWorthItError(describe(answer), status=answer.status)
        if amended.fatal:
            raise UnsupportedError(
                f"{describe(answer)} That concerns {', '.join(amended.fatal)}.", ALLOW, answer.status
            )
        self.dropped.extend(amended.dropped)
        return amended.body

    def _full(self, answer: Answer) -> RedfishError:
        """Who holds the places. A service that takes no POST has fixed slots, all of them taken (Supermicro)."""
        members = self.service.members
        if answer.status == 405 and not members:
            return error_for(answer)
        holders = [
            masked({"uri": uri_of(member), **{name: member.get(name) for name in ("Destination", "Context")}})
            for member in members
        ]
        held = ", ".join(str(holder["Destination"]) for holder in holders)
        return FullError(
            f"{describe(answer)} Its {len(holders)} subscriptions go to: {held}.",
            "Remove one that nobody needs, or list its destination under retired_destinations.",
            answer.status,
            holders=holders,
        )

    def _shown(self, uri: str | None) -> Resource | None:
        """What is at the URI that the answer named, if it is what was created."""
        if not uri:
            return None
        try:
            member = self.service.read(uri)
        except RedfishError as error:
            if error.reason in ("credentials", "unreachable", "tls"):
                raise
            return None
        return member if matches(self.desired, member) else None

    def _settled(self, body: Resource, known: frozenset[str]) -> Resource:
        """Find what was created in the list, since the answer didn't say where it is, or said it wrongly."""
        for _look in range(SETTLE_TRIES):
            found = self._new(known)
            if found:
                return found[-1]
            time.sleep(SETTLE_PAUSE)
        raise UnknownStateError(
            f"{self.service.where} accepted a subscription to {masked(body)['Destination']} but does not show it.",
            "Look at its subscriptions with event_destination_info, then run again.",
        )

    def _new(self, known: frozenset[str]) -> list[Resource]:
        members = self.service.subscriptions()
        return [
            member for member in members if matches(self.desired, member) and uri_of(member).rstrip("/") not in known
        ]
