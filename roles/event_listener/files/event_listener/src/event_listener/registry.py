# SPDX-License-Identifier: GPL-3.0-or-later
"""Which BMC is it? The sources, what may be said about them, and how a POST finds its own. No I/O.

``source`` is a name (a host of the inventory, usually). A POST to ``/events/<name>`` is that source's. A POST to ``/``
belongs to the registered source with the peer's address when exactly one has it, else to a source named as the peer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal

import msgspec

from event_listener import path_secret
from event_listener.addresses import canonical_address, parse_networks
from event_listener.event import rfc3339
from event_listener.path_secret import PathSecret
from event_listener.policy import ROOT, Owner, PolicyError, account_name, domain_path
from event_listener.settings import SOURCE_ID_PATTERN

SourceState = Literal["active", "maintenance", "retired"]
ResponseStatus = Literal[200, 202, 204]
HeartbeatMinutes = Annotated[int, msgspec.Meta(ge=0, le=65535)]  # 0: it sends none
_NAME = re.compile(SOURCE_ID_PATTERN)
_ADDRESS = re.compile(r"[A-Za-z0-9_:-][A-Za-z0-9._:-]{0,199}")


class InvalidSourceError(ValueError):
    """A change that can't be made; the text says which source and why."""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """What is registered about a BMC. None means: not known.

    ``service`` is what its ServiceRoot says of itself: vendor, product and Redfish version.
    """

    name: str
    address: str | None = None
    uuid: str | None = None
    serial: str | None = None
    model: str | None = None
    firmware: str | None = None
    manufacturer: str | None = None
    service: str | None = None
    labels: dict[str, str] = {}
    domain: str | None = None
    account: str | None = None
    state: SourceState = "active"
    response_status: ResponseStatus | None = None
    heartbeat_minutes: HeartbeatMinutes | None = None
    path_secrets: list[PathSecret] = []
    credential: str | None = None
    """Name of the credential (never the secret) that the BMC was given for its deliveries, and when."""
    credential_given_ns: int | None = None

    @property
    def make(self) -> str:
        """What BMCs with the same message registries have in common; "" where nothing of it is known."""
        return " | ".join(filter(None, (self.manufacturer, self.model, self.firmware, self.service)))


class PathSecretChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A secret path that shall be valid; without ``secret`` the one that is registered by this id."""

    id: str
    networks: list[str]
    secret: str | None = None


class SourceChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """New values for a source; a field that isn't given stays, null forgets."""

    name: str
    address: str | msgspec.UnsetType | None = msgspec.UNSET
    uuid: str | msgspec.UnsetType | None = msgspec.UNSET
    serial: str | msgspec.UnsetType | None = msgspec.UNSET
    model: str | msgspec.UnsetType | None = msgspec.UNSET
    firmware: str | msgspec.UnsetType | None = msgspec.UNSET
    manufacturer: str | msgspec.UnsetType | None = msgspec.UNSET
    service: str | msgspec.UnsetType | None = msgspec.UNSET
    labels: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    domain: str | msgspec.UnsetType | None = msgspec.UNSET
    account: str | msgspec.UnsetType | None = msgspec.UNSET
    state: SourceState | msgspec.UnsetType = msgspec.UNSET
    response_status: ResponseStatus | msgspec.UnsetType | None = msgspec.UNSET
    heartbeat_minutes: HeartbeatMinutes | msgspec.UnsetType | None = msgspec.UNSET
    path_secrets: list[PathSecretChange] | msgspec.UnsetType = msgspec.UNSET
    credential: str | msgspec.UnsetType | None = msgspec.UNSET


class SourceDiff(msgspec.Struct, frozen=True):
    """One source before and after; ``before`` is None for a new one."""

    name: str
    before: dict[str, Any] | None
    after: dict[str, Any]


class SourcePlan(msgspec.Struct, frozen=True):
    """What changes would do. ``write`` are the sources to store."""

    created: list[str]
    updated: list[str]
    unchanged: list[str]
    diff: list[SourceDiff]
    write: list[Source]


def changes(document: Any) -> list[SourceChange]:
    """Changes from decoded JSON or YAML, checked. Raises InvalidSourceError."""
    try:
        found = msgspec.convert(document, list[SourceChange])
    except msgspec.ValidationError as error:
        raise InvalidSourceError(f"sources: {error}") from error
    names: set[str] = set()
    for change in found:
        if not _NAME.match(change.name):
            raise InvalidSourceError(
                f"source name {change.name[:140]!r}: use 1 to 128 letters, digits, dots, colons, dashes and underscores"
            )
        if change.name in names:
            raise InvalidSourceError(f"source {change.name} is given twice")
        _check_address(change)
        _check_path_secrets(change)
        _check_owner(change)
        if isinstance(change.credential, str) and not 1 <= len(change.credential) <= 128:
            raise InvalidSourceError(f"source {change.name}: a credential's name has 1 to 128 characters")
        names.add(change.name)
    return found


def _check_address(change: SourceChange) -> None:
    """An address is printed in the text log and names its file."""
    if isinstance(change.address, str) and not _ADDRESS.fullmatch(canonical_address(change.address)):
        raise InvalidSourceError(f"source {change.name}: its address is neither an IP address nor a host name")


def _check_owner(change: SourceChange) -> None:
    """A domain is a path of the tree; an account's name is no path."""
    try:
        if isinstance(change.domain, str):
            domain_path(change.domain)
        if isinstance(change.account, str):
            account_name(change.account)
    except PolicyError as error:
        raise InvalidSourceError(f"source {change.name}: {error}") from error


def _check_path_secrets(change: SourceChange) -> None:
    """Refuse what isn't unguessable or bound to networks; no message quotes a secret."""
    known = change.path_secrets if isinstance(change.path_secrets, list) else []
    if len({one.id for one in known}) != len(known):
        raise InvalidSourceError(f"source {change.name}: two path secrets have the same id")
    for one in known:
        where = f"source {change.name}: path secret {one.id[:140]!r}"
        if not _NAME.match(one.id):
            raise InvalidSourceError(f"{where}: an id is made of letters, digits, dots, colons, dashes, underscores")
        if one.secret is not None and not path_secret.is_one(one.secret):
            raise InvalidSourceError(f'{where}: a secret is "secret-" and 32 to 128 random letters, digits, - and _')
        try:
            bound = bool(parse_networks(one.networks))
        except ValueError as error:
            raise InvalidSourceError(f"{where}: {error}") from error
        if not bound:
            raise InvalidSourceError(f"{where}: give the networks it is valid from")


def shown(source: Source) -> dict[str, Any]:
    """A source as JSON that may be shown: of a path secret, what tells it from its successor."""
    hidden = [{"id": one.id, "networks": one.networks, "fingerprint": one.digest[:12]} for one in source.path_secrets]
    fields = {**msgspec.to_builtins(source), "path_secrets": hidden}
    given = fields.pop("credential_given_ns")
    return {**fields, "credential_given": rfc3339(given) if given is not None else None}


def plan(existing: dict[str, Source], wanted: Iterable[SourceChange], now_ns: int = 0) -> SourcePlan:
    """What has to be written so that the wanted fields hold. Pure; says the same in check mode and for real.

    ``now_ns`` is when a credential that differs from the recorded one counts as given.
    """
    result = SourcePlan([], [], [], [], [])
    for change in wanted:
        before = existing.get(change.name)
        after = _changed(before or Source(name=change.name), change, now_ns)
        if before == after:
            result.unchanged.append(change.name)
            continue
        (result.updated if before else result.created).append(change.name)
        result.diff.append(SourceDiff(change.name, shown(before) if before else None, shown(after)))
        result.write.append(after)
    return result


def _changed(source: Source, change: SourceChange, now_ns: int) -> Source:
    given = {
        field: value
        for field in SourceChange.__struct_fields__
        if (value := getattr(change, field)) is not msgspec.UNSET and field != "name"
    }
    if given.get("address"):
        given["address"] = canonical_address(given["address"])
    if isinstance(given.get("domain"), str):
        given["domain"] = domain_path(given["domain"])
    if "path_secrets" in given:
        given["path_secrets"] = [_path_secret(source, one) for one in given["path_secrets"]]
    if given.get("credential", source.credential) != source.credential:
        given["credential_given_ns"] = now_ns if given["credential"] is not None else None
    return msgspec.structs.replace(source, **given)


def _path_secret(source: Source, wanted: PathSecretChange) -> PathSecret:
    known = {one.id: one.digest for one in source.path_secrets}
    digest = path_secret.digest(wanted.secret) if wanted.secret is not None else known.get(wanted.id)
    if digest is None:
        raise InvalidSourceError(f"source {source.name}: path secret {wanted.id} isn't registered; give its secret")
    networks = [str(network) for network in parse_networks(wanted.networks)]
    return PathSecret(id=wanted.id, digest=digest, networks=networks)


class Identity(msgspec.Struct, frozen=True):
    """Whose POST it is, the address its text log is named by, to whom its events belong, what kind of BMC it is."""

    source: str
    address: str
    owner: Owner = Owner()
    make: str = ""


class Directory:
    """The registered sources by name and address."""

    def __init__(self, sources: Iterable[Source] = ()) -> None:
        self._by_name = {source.name: source for source in sources}
        self._by_address: dict[str, list[Source]] = {}
        for source in self._by_name.values():
            if source.address:
                self._by_address.setdefault(source.address, []).append(source)

    def identify(self, source_id: str | None, peer: str) -> Identity:
        """The source of a POST: ``source_id`` is what its path said, ``peer`` the address it came from."""
        if source_id is not None:
            known = self._by_name.get(source_id)
            return Identity(source_id, (known.address if known else None) or peer, owner_of(known), _make(known))
        here = self._by_address.get(peer, [])
        only = here[0] if len(here) == 1 else None
        return Identity(only.name if only else peer, peer, owner_of(only), _make(only))


def _make(source: Source | None) -> str:
    return source.make if source is not None else ""


def owner_of(source: Source | None) -> Owner:
    """To whom a source belongs; an unknown one, and one that nobody gave a domain, to the root's administrators."""
    return Owner(source.domain or ROOT, source.account) if source is not None else Owner()
