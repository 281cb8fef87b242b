# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Walk a plan: make one BMC hold the declared subscription, and say what became of it.

A replacement creates before it deletes, so that no event is missed; only where the BMC has no room, or allows no
second subscription to a destination, it is the other way round, and the gap is measured.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from ansible_collections.redfleet.events.plugins.module_utils._capabilities import Capabilities
from ansible_collections.redfleet.events.plugins.module_utils._creation import (
    ALLOW,
    Creator,
    ExistsError,
    NotWorthItError,
)
from ansible_collections.redfleet.events.plugins.module_utils._declaration import DROP, FAIL, PROPERTIES, Desired
from ansible_collections.redfleet.events.plugins.module_utils._errors import (
    BmcError,
    FullError,
    RedfishError,
    UnsupportedError,
    error_for,
    named_properties,
)
from ansible_collections.redfleet.events.plugins.module_utils._event_service import EventService
from ansible_collections.redfleet.events.plugins.module_utils._inheritance import certificates_of, hand_over
from ansible_collections.redfleet.events.plugins.module_utils._redact import presentable
from ansible_collections.redfleet.events.plugins.module_utils._subscription import (
    Plan,
    differences,
    not_shown,
    plan,
    same_uri,
    shows_headers,
    uri_of,
)

Resource = dict[str, Any]
NOT_CHANGEABLE = (400, 405, 409, 422, 501)  # refusals of a PATCH that a replacement may answer
IDENTITY = ("Destination", "Protocol", "SubscriptionType", "EventFormatType")
# Kept in the list of differences by some BMCs whatever is sent; no reason to fail, since it is not a filter.
NOT_VERIFIED = ("Context", "HttpHeaders")


class Reconciler:
    """Applies a plan to one BMC and remembers what it did.

    `unsupported` are declared properties that the BMC didn't take or keep, `removed` are URIs, `gap` is the time in
    seconds without any subscription (None when there was none), which began at `gap_began` (UTC, this host's clock).
    """

    def __init__(self, service: EventService, desired: Desired):
        self.service = service
        self.desired = desired
        self.creator = Creator(service, desired)
        self.removed: list[str] = []
        self.gap: float | None = None
        self.gap_began: str | None = None
        self._wrote = False
        self._not_kept: list[str] = []
        self._known: frozenset[str] = frozenset()

    @property
    def wrote(self) -> bool:
        return self._wrote or self.creator.wrote

    @property
    def unsupported(self) -> list[str]:
        return sorted({*self._not_kept, *self.creator.dropped})

    def plan(self) -> Plan:
        """Read the BMC and decide.

        :raises UnsupportedError: when the EventService itself says that it can't do what must not be lost.
        """
        members = self.service.subscriptions()
        self._known = frozenset(uri_of(member).rstrip("/") for member in members)
        decided = plan(self.desired, members, self.service.capabilities)
        if decided.refused:
            raise UnsupportedError(f"{self.service.where} does not support {'; '.join(decided.refused)}.", ALLOW)
        self._not_kept.extend(decided.unsupported)
        return decided

    def apply(self, decided: Plan) -> Plan:
        """Do what was planned. Returns what was done; its `member` is the subscription as the BMC shows it."""
        steps = {"create": self._create, "patch": self._patch, "replace": self._replace}
        step = steps.get(decided.action)
        done = step(decided) if step else decided
        for surplus in decided.remove:
            self._remove(surplus)
        if self.creator.repeated:
            # Two POSTs were sent, and the first may have been slow rather than lost.
            for duplicate in self.plan().remove:
                self._remove(duplicate)
        return self._verified(decided, self._corrected(done)) if step else done

    def _create(self, decided: Plan) -> Plan:
        try:
            return replace(decided, member=self.creator.create(decided.payload, self._known))
        except ExistsError as refusal:
            again = self.plan()
            if again.member is None:
                raise self._unseen(refusal) from refusal
        # It was there, or somebody was faster: take that one over.
        if again.action == "patch":
            return self._patch(again)
        return self._replace_in_place(again) if again.action == "replace" else again

    def _unseen(self, refusal: ExistsError) -> RedfishError:
        return BmcError(
            f"{refusal} But none of its subscriptions has this destination, protocol, type and format.",
            "Look at them with event_destination_info; one may have the same destination in another format.",
            refusal.status,
        )

    def _patch(self, decided: Plan) -> Plan:
        changes = dict(decided.changes)
        stubborn: set[str] = set()
        while changes:
            answer = self.service.patch(_held(decided), changes)
            if answer.ok:
                self._wrote = True
                break
            if answer.status not in NOT_CHANGEABLE:
                raise error_for(answer)
            named = named_properties(answer.messages, changes) or set(changes)
            if any(self.desired.loss(name) == FAIL for name in named):
                return self._replace(decided)
            stubborn |= named
            changes = {name: value for name, value in changes.items() if name not in named}
        if stubborn:
            return self._replace_for_comfort(decided, stubborn)
        return replace(decided, member=self.service.read(uri_of(_held(decided))))

    def _replace(self, decided: Plan) -> Plan:
        try:
            member = self.creator.create(decided.payload, self._known)
        except (ExistsError, FullError):
            return self._replace_in_place(decided)
        if not same_uri(uri_of(member), uri_of(_held(decided))):
            hand_over(self.service, certificates_of(self.service, _held(decided)), member)
            self._remove(_held(decided))
        return replace(decided, action="replace", member=member)

    def _replace_in_place(self, decided: Plan) -> Plan:
        """Delete, then create: events in between are missed, so the gap is measured."""
        old = _held(decided)
        certificates, started = certificates_of(self.service, old), time.monotonic()
        self.gap_began = datetime.now(timezone.utc).isoformat(timespec="seconds")
        self._remove(old)
        try:
            member = self.creator.create(decided.payload, self._known - {uri_of(old).rstrip("/")})
        except RedfishError as error:
            raise self._put_back(old, certificates, error) from error
        hand_over(self.service, certificates, member)
        self.gap = round(time.monotonic() - started, 3)
        return replace(decided, action="replace", member=member)

    def _replace_for_comfort(self, decided: Plan, names: set[str]) -> Plan:
        """Replace for what PATCH refused, but only where nothing is missed meanwhile: it is mere comfort."""
        old = _held(decided)
        try:
            member = self.creator.create(decided.payload, self._known, insist=frozenset(names))
        except (ExistsError, FullError, NotWorthItError) as refusal:
            if "Context" in names and old.get("Context") and not isinstance(refusal, NotWorthItError):
                return self._replace_in_place(decided)  # it does keep a Context, only another one
            self._not_kept.extend(names)
            return replace(decided, member=self.service.read(uri_of(old)))
        hand_over(self.service, certificates_of(self.service, old), member)
        self._remove(old)
        return replace(decided, action="replace", member=member)

    def _remove(self, member: Resource) -> None:
        self.service.delete(member)
        self._wrote = True
        self.removed.append(uri_of(member))

    def _put_back(self, old: Resource, certificates: list[Resource], failure: RedfishError) -> RedfishError:
        """After a failed replacement: recreate what was deleted, as far as the BMC had shown it."""
        shown = {name: old[name] for name in (*IDENTITY, *PROPERTIES) if old.get(name) not in (None, [])}
        if "HttpHeaders" in self.desired.properties:
            shown["HttpHeaders"] = self.desired.properties["HttpHeaders"]
        declared = {name: value for name, value in shown.items() if name in PROPERTIES}
        lenient = Creator(self.service, replace(self.desired, policies={"default": DROP}, properties=declared))
        try:
            member = lenient.create(shown, self._known - {uri_of(old).rstrip("/")})
        except RedfishError as second:
            what = f"The replacement failed after {uri_of(old)} was deleted: {failure} Putting it back failed: {second}"
            return type(failure)(what, "The BMC holds no subscription to this destination now.", failure.status)
        hand_over(self.service, certificates, member)
        return type(failure)(f"The replacement failed, what was there was put back: {failure}", "", failure.status)

    def _wrong(self, member: Resource) -> list[str]:
        """What the BMC shows otherwise than it was asked; what it doesn't show is no failure."""
        readable = Capabilities(hidden=self.service.capabilities.hidden)
        return differences(replace(self.desired, headers_always=False), member, readable, tuple(self.unsupported))

    def _corrected(self, done: Plan) -> Plan:
        """After creating on a service that ignores in silence what it doesn't take by POST: say it again by PATCH."""
        member = _held(done)
        changes = {name: self.desired.properties[name] for name in self._wrong(member) if PROPERTIES[name].patch}
        if not changes or done.action not in ("create", "replace") or not self.service.patch(member, changes).ok:
            return done
        return replace(done, member=self.service.read(uri_of(member)))

    def _verified(self, decided: Plan, done: Plan) -> Plan:
        """Compare what the BMC shows now with what was asked, so that `changed` is what it can show.

        :raises UnsupportedError: it accepted a filter or a security property but doesn't keep it.
        """
        member = _held(done)
        wrong = self._wrong(member)
        self._not_kept.extend(wrong)
        lost = [name for name in wrong if self.desired.loss(name) == FAIL and name not in NOT_VERIFIED]
        if lost:
            shown = presentable(member)
            told = "; ".join(f"{name} as {shown.get(name)}" for name in lost)
            raise UnsupportedError(f"{self.service.where} accepted the subscription but shows {told}.", ALLOW)
        if done.action == "patch" and set(done.changes) <= {*wrong, *self.unsupported}:
            return replace(done, action="delete" if decided.remove else "none")
        return done


def _held(decided: Plan) -> Resource:
    return decided.member or {}


def reconcile(service: EventService, desired: Desired, check_mode: bool) -> dict[str, Any]:
    """Make the BMC hold (or not hold) the declared subscription; the keys of the module's result.

    :raises RedfishError: with `changed` set when something had been written before it failed.
    """
    worker = Reconciler(service, desired)
    decided = worker.plan()
    done = decided
    if decided.changed and not check_mode:
        try:
            done = worker.apply(decided)
        except RedfishError as error:
            error.changed = worker.wrote
            error.details.setdefault("removed", worker.removed)
            raise
    return _outcome(service, desired, worker, done, check_mode)


def _outcome(
    service: EventService, desired: Desired, worker: Reconciler, done: Plan, check_mode: bool
) -> dict[str, Any]:
    member = presentable(done.member) if done.member and desired.present else {}
    after = member if not check_mode else done.after
    # Without a change there is nothing to show, and thousands of results pass through the controller.
    diff = {"diff": {"before": done.before, "after": after}} if done.changed else {}
    return {
        "changed": done.changed,
        "action": done.action,
        "msg": _sentence(done, check_mode, service.where),
        "subscription": member,
        "removed": [uri_of(surplus) for surplus in done.remove] if check_mode else worker.removed,
        "unsupported": worker.unsupported,
        "credential": _credential(desired, worker, done),
        "unverified": not_shown(desired, done.member, service.capabilities) if member else [],
        "gap": worker.gap,
        **({"gap_began": worker.gap_began} if worker.gap is not None else {}),
        **diff,
    }


def _credential(desired: Desired, worker: Reconciler, done: Plan) -> str | None:
    """The name of the credential that the BMC was given in this run, or shows; None where nobody can tell."""
    if not desired.present or "HttpHeaders" not in desired.properties or "HttpHeaders" in worker.unsupported:
        return None
    sent = done.action in ("create", "replace") or (done.action == "patch" and "HttpHeaders" in done.changes)
    return desired.credential if sent or shows_headers(desired, _held(done)) else None


def _sentence(done: Plan, check_mode: bool, where: str) -> str:
    verbs = {"create": "created", "patch": "changed", "replace": "replaced", "delete": "removed"}
    if done.action == "none":
        return f"{where} already is as declared."
    return f"The subscription {'would be' if check_mode else 'was'} {verbs[done.action]} on {where}."
