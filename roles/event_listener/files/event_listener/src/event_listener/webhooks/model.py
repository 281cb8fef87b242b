# SPDX-License-Identifier: GPL-3.0-or-later
"""What a webhook is, who may have which, and which events are for it. No I/O.

A webhook belongs to a domain, and if its scope is Local to an account there; who may see and change it follows from
that by policy.py. Wider ones belong to no account, so that no user of one sees what the webhook of an admin was sent.
"""

from __future__ import annotations

import enum
import re
import ssl
from collections.abc import Sequence
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, urlsplit

import msgspec
from msgspec import Meta

from event_listener.event import Category, Event, Level, rfc3339
from event_listener.policy import ROOT, Owner, PolicyError, Principal, Reach, Role, account_name, ancestors, domain_path
from event_listener.webhooks import filters, signing
from event_listener.webhooks.filters import Filter

SHORTEST_SECRET = 16  # characters
STANDARD_BYTES = (24, 64)  # of a whsec_ secret, as Standard Webhooks asks
_TEXT = Meta(max_length=255)
_URL = re.compile(r"[!-~]{1,2048}")


class Scope(enum.StrEnum):
    """Whose events: the account's, those of the domain and everything below, all."""

    LOCAL = "Local"
    DOMAIN = "Domain"
    GLOBAL = "Global"


State = Literal["Enabled", "Disabled"]
Format = Literal["standard", "cloudevents", "cloudstack"]


class WebhookError(PolicyError):
    """What was asked for can't be; the text says why."""


class WebhookConflictError(WebhookError):
    """It clashes with what is there already."""


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint. ``old_secret`` signs too until ``old_secret_until_ns``. ``trusted``: an admin gave its URL."""

    id: str
    name: str
    url: str
    description: str = ""
    domain: str = ROOT
    account: str | None = None
    scope: Scope = Scope.LOCAL
    state: State = "Enabled"
    disabled_because: str = ""
    secret: str | None = None
    old_secret: str | None = None
    old_secret_until_ns: int = 0
    tls_verify: bool = True
    ca: str = ""
    format: Format = "standard"
    filters: tuple[Filter, ...] = ()
    categories: tuple[Category, ...] = ()
    levels: tuple[Level, ...] = ()
    trusted: bool = False
    created_ns: int = 0
    updated_ns: int = 0

    @property
    def owner(self) -> Owner:
        """To whom it belongs."""
        return Owner(self.domain, self.account)

    def secrets(self, now_ns: int) -> list[str]:
        """What it signs with now, the current one first."""
        old = self.old_secret if now_ns < self.old_secret_until_ns else None
        return [secret for secret in (self.secret, old) if secret]

    def wants(self, event: Event) -> bool:
        """Whether an event is for it."""
        return (
            in_scope(self, Owner(event.domain, event.account))
            and (not self.categories or event.category in self.categories)
            and (not self.levels or event.level in self.levels)
            and filters.passes(self.filters, event.type)
        )


class WebhookChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shall hold of a webhook; what isn't given stays. A null or empty ``secret`` removes it.

    ``keep_old_secret``: seconds for which the secret before signs, too.
    """

    name: Annotated[str, _TEXT] | msgspec.UnsetType = msgspec.UNSET
    url: str | msgspec.UnsetType = msgspec.UNSET
    description: Annotated[str, _TEXT] | msgspec.UnsetType = msgspec.UNSET
    domain: str | msgspec.UnsetType = msgspec.UNSET
    account: str | msgspec.UnsetType | None = msgspec.UNSET
    scope: Scope | msgspec.UnsetType = msgspec.UNSET
    state: State | msgspec.UnsetType = msgspec.UNSET
    secret: Annotated[str, _TEXT] | msgspec.UnsetType | None = msgspec.UNSET
    keep_old_secret: Annotated[int, Meta(ge=0, le=30 * 86400)] = 86400
    tls_verify: bool | msgspec.UnsetType = msgspec.UNSET
    ca: Annotated[str, Meta(max_length=65536)] | msgspec.UnsetType = msgspec.UNSET
    format: Format | msgspec.UnsetType = msgspec.UNSET
    filters: tuple[Filter, ...] | msgspec.UnsetType = msgspec.UNSET
    categories: tuple[Category, ...] | msgspec.UnsetType = msgspec.UNSET
    levels: tuple[Level, ...] | msgspec.UnsetType = msgspec.UNSET


def in_scope(webhook: Webhook, owner: Owner) -> bool:
    """Whether its scope holds the events of this owner: CloudStack's rule."""
    if webhook.scope is Scope.GLOBAL:
        return True
    if webhook.scope is Scope.DOMAIN:
        return webhook.domain in ancestors(owner.domain)
    return owner == webhook.owner


def changed(webhook: Webhook, change: WebhookChange, asks: Principal, now_ns: int) -> Webhook:
    """The webhook after a change by ``asks``; for a new one ``webhook`` holds its id alone. Raises WebhookError."""
    given = _given(change)
    if "domain" in given:
        given["domain"] = domain_path(given["domain"])
    if given.get("account") is not None:
        account_name(given["account"])
    if "secret" in given:
        given |= _secrets(webhook, given["secret"] or None, now_ns + change.keep_old_secret * 1_000_000_000)
    if given.get("state", webhook.state) == "Enabled":
        given["disabled_because"] = ""
    if given.get("url", webhook.url) != webhook.url:
        given["trusted"] = asks.role is not Role.USER
    after = msgspec.structs.replace(webhook, **given)
    _check(after)
    return after


def _given(change: WebhookChange) -> dict[str, Any]:
    named = {name: getattr(change, name) for name in WebhookChange.__struct_fields__ if name != "keep_old_secret"}
    return {name: value for name, value in named.items() if value is not msgspec.UNSET}


def _secrets(webhook: Webhook, secret: str | None, until_ns: int) -> dict[str, Any]:
    if secret == webhook.secret:
        return {}
    if secret is None or webhook.secret is None:
        return {"secret": secret, "old_secret": None, "old_secret_until_ns": 0}
    return {"secret": secret, "old_secret": webhook.secret, "old_secret_until_ns": until_ns}


def _check(webhook: Webhook) -> None:
    if not webhook.name.strip() or not webhook.name.isprintable():
        raise WebhookError("a webhook needs a name of printable characters")
    parts = url_parts(webhook.url)
    if webhook.scope is not Scope.LOCAL and webhook.account is not None:
        raise WebhookError(f"a webhook of the scope {webhook.scope} belongs to a domain, not to an account: no account")
    if webhook.scope is Scope.GLOBAL and webhook.domain != ROOT:
        raise WebhookError("a webhook of the scope Global belongs to the domain /")
    if webhook.ca and (parts.scheme != "https" or not webhook.tls_verify):
        raise WebhookError("ca is for https with tls_verify: leave it out, or verify")
    if webhook.ca:
        _check_ca(webhook.ca)
    check_secret(webhook.secret)
    if found := filters.conflict(webhook.filters):
        raise WebhookConflictError(found)


def check_secret(secret: str | None) -> None:
    """Raises WebhookError for a secret that could be guessed, or that nothing can verify with."""
    if secret is None:
        return
    if len(secret) < SHORTEST_SECRET or not secret.isprintable():
        raise WebhookError(f"a secret has at least {SHORTEST_SECRET} printable characters; or let one be made")
    try:
        size = len(signing.key_of(secret))
    except ValueError as error:
        raise WebhookError(f"secret: {error}") from error
    least, most = STANDARD_BYTES
    if secret.startswith(signing.PREFIX) and not least <= size <= most:
        raise WebhookError(f"a secret that begins with {signing.PREFIX} stands for {least} to {most} bytes, not {size}")


def _check_ca(pem: str) -> None:
    try:
        ssl.create_default_context(cadata=pem)
    except (ssl.SSLError, ValueError) as error:
        raise WebhookError(f"ca isn't a certificate in PEM: {error}") from error


def url_parts(url: str) -> SplitResult:
    """The parts of a payload URL. Raises WebhookError for one that nothing could be posted to, or that is a trick."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = SplitResult("", "", "", "", ""), None
    if not _URL.fullmatch(url) or parts.scheme not in ("https", "http") or not parts.hostname or port == 0:
        raise WebhookError(
            "url: give https://host[:port]/path in printable ASCII (international names in punycode, everything else "
            "percent-encoded), at most 2048 characters"
        )
    if "@" in parts.netloc or "#" in url or "\\" in url:
        raise WebhookError("url: without user, password and fragment; sign with a secret instead")
    return parts


def refusal(asks: Principal, reach: Reach, webhook: Webhook) -> str:
    """Why somebody who may manage webhooks may not have this one; empty where they may."""
    if webhook.scope is Scope.GLOBAL and asks.role is not Role.ROOT_ADMIN:
        return "only a root-admin has webhooks of the scope Global"
    if webhook.scope is not Scope.LOCAL and reach is Reach.ACCOUNT:
        return f"a {asks.role} has webhooks of the scope Local only"
    return ""


def shown(webhook: Webhook) -> dict[str, Any]:
    """A webhook as JSON. Of its secret only whether there is one."""
    now = {name: value for name, value in msgspec.to_builtins(webhook).items() if name not in _HIDDEN}
    return {
        **now,
        "has_secret": webhook.secret is not None,
        "old_secret_until": rfc3339(webhook.old_secret_until_ns) if webhook.old_secret else None,
        "created": rfc3339(webhook.created_ns),
        "updated": rfc3339(webhook.updated_ns),
    }


_HIDDEN = {"secret", "old_secret", "old_secret_until_ns", "trusted", "created_ns", "updated_ns"}


class Groups:
    """Finds the webhooks whose scope holds an event without asking each of them."""

    def __init__(self, webhooks: Sequence[Webhook]) -> None:
        self._everywhere = [item for item in webhooks if item.scope is Scope.GLOBAL]
        self._domains: dict[str, list[Webhook]] = {}
        self._owners: dict[Owner, list[Webhook]] = {}
        for item in webhooks:
            if item.scope is Scope.DOMAIN:
                self._domains.setdefault(item.domain, []).append(item)
            elif item.scope is Scope.LOCAL:
                self._owners.setdefault(item.owner, []).append(item)

    def of(self, event: Event) -> list[Webhook]:
        """The webhooks that an event is for."""
        above = ancestors(event.domain) if self._domains else ()
        found = [
            *self._everywhere,
            *(item for path in above for item in self._domains.get(path, ())),
            *self._owners.get(Owner(event.domain, event.account), ()),
        ]
        return [item for item in found if item.wants(event)]
