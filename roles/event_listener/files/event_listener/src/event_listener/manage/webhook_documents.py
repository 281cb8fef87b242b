# SPDX-License-Identifier: GPL-3.0-or-later
"""What the API takes and shows of webhooks and their deliveries."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

import msgspec

from event_listener.event import Category, Level
from event_listener.manage.describe import Moment, Parameter
from event_listener.parameters import TYPES
from event_listener.policy import DomainPath
from event_listener.store.deliveries import MAX_LIMIT
from event_listener.webhooks.filters import Filter
from event_listener.webhooks.model import Format, Scope, State, WebhookChange

DeliveryState = Literal["Pending", "Delivered", "Failed"]
_Text = Annotated[str, msgspec.Meta(min_length=1)]


class WebhookWish(WebhookChange, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shall hold of a webhook. With ``check`` nothing is written; ``generate_secret`` makes one, shown once."""

    check: bool = False
    generate_secret: bool = False


class NewWebhook(WebhookWish, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same of a new one, which needs a name and a payload URL."""

    name: _Text
    url: _Text


class Trial(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A payload for a test delivery; empty: CloudStack's."""

    payload: Annotated[str, msgspec.Meta(max_length=65536)] = ""


class ShownWebhook(TypedDict):
    """A webhook without its secrets, where it is in the event log, and how its endpoint is."""

    id: str
    name: str
    url: str
    description: str
    domain: str
    account: str | None
    scope: Scope
    state: State
    disabled_because: str
    tls_verify: bool
    ca: str
    format: Format
    filters: list[Filter]
    categories: list[Category]
    levels: list[Level]
    has_secret: bool
    old_secret_until: Moment | None
    created: Moment
    updated: Moment


class WatchedWebhook(ShownWebhook):
    """A webhook, where it is in the event log, and how its endpoint is."""

    position: int
    failures: int
    failing_since: Moment | None
    delivered: int
    failed: int


class ListedWebhooks(TypedDict):
    """Webhooks by name."""

    webhooks: list[WatchedWebhook]


class SetWebhook(TypedDict, total=False):
    """A webhook before and after; ``secret`` only where one was made."""

    changed: bool
    before: ShownWebhook | None
    webhook: ShownWebhook
    secret: str


class ShownDelivery(TypedDict):
    """A delivery with what is sent. ``message_id`` is the `webhook-id` of all its attempts and redeliveries."""

    id: str
    webhook: str
    message_id: str
    event_id: str
    event_type: str
    state: DeliveryState
    attempts: int
    redelivery_of: str | None
    content_type: str
    payload: str
    created: Moment
    next: Moment | None
    done: Moment | None


class ListedDeliveries(TypedDict):
    """A page, newest first; ``next`` is the `before` of the page after it."""

    deliveries: list[ShownDelivery]
    next: int | None


class ShownAttempt(TypedDict):
    """One request and what came of it. ``status`` null: there was no answer, ``error`` says why."""

    started: Moment
    success: bool
    duration_ms: int
    address: str
    request_headers: dict[str, str]
    status: int | None
    error: str
    response_headers: dict[str, str]
    response: str


class WholeDelivery(ShownDelivery):
    """A delivery with its attempts."""

    tries: list[ShownAttempt]


class Deleted(TypedDict):
    """How many."""

    deleted: int


WEBHOOK_PARAMETERS = (
    Parameter("name", "Only this name.", _Text),
    Parameter("state", "Enabled or Disabled.", State),
    Parameter("scope", "Local, Domain or Global.", Scope),
    Parameter("domain", "Of this domain, without those below.", DomainPath),
    Parameter("account", "Of this account.", _Text),
    Parameter("keyword", "Text in name, description or URL, whatever its case.", _Text),
)
DELIVERY_FILTERS = (
    Parameter("id", "This one.", _Text),
    Parameter("webhook", "Id of a webhook.", _Text),
    Parameter("event_id", "Of this event.", _Text),
    Parameter("event_type", "Of events of this type.", _Text),
    Parameter("state", "Pending, Delivered or Failed.", DeliveryState),
    Parameter("keyword", "Text in the event's type, whatever its case.", _Text),
    Parameter("since", "Made at or after: RFC 3339, or an age (5m).", TYPES["since"]),
    Parameter("until", "Made before: RFC 3339, or an age.", TYPES["until"]),
)
DELIVERY_PARAMETERS = (
    *DELIVERY_FILTERS,
    Parameter("before", "The `next` of the page before.", Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]),
    Parameter("limit", "Most of a page; 100 by default.", Annotated[int, msgspec.Meta(ge=1, le=MAX_LIMIT)]),
)
