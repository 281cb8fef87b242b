# SPDX-License-Identifier: GPL-3.0-or-later
"""`/api/v1/message-registries`: what MessageIds mean, as BMCs and files tell."""

from __future__ import annotations

import logging
from typing import Any, TypedDict

import msgspec
from flask import Blueprint, Response, g, jsonify, request
from werkzeug.exceptions import BadRequest, NotFound

from event_listener.manage.connection import Connection
from event_listener.manage.describe import Moment, describe
from event_listener.message_registry import InvalidRegistryError, MessageRegistry, parse, parse_version
from event_listener.settings import Settings
from event_listener.store import IMPORTED, Listed, Store

logger = logging.getLogger(__name__)


class Reading(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Registries of one source, the own ones of all BMCs of its make; without ``source`` somebody imports them."""

    registries: list[dict[str, Any]]
    source: str | None = None


class Readings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a PUT. With ``check`` nothing is written."""

    readings: list[Reading]
    check: bool = False


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which of these sources are to be read? With ``again`` one of every make."""

    sources: list[str]
    again: bool = False


class Cached(TypedDict):
    """A cached registry without its messages, and the makes that it was read from."""

    digest: str
    registry: str
    version: str
    language: str
    owner: str
    origin: str
    messages: int
    size: int
    created: Moment
    makes: list[str]


class Registries(TypedDict):
    """All of them; ``size`` of ``limit`` bytes."""

    registries: list[Cached]
    size: int
    limit: int


class PutRegistries(TypedDict):
    """Names and versions by what happened to them; ``removed`` made room."""

    added: list[str]
    known: list[str]
    removed: int
    changed: bool


class Unread(TypedDict):
    """One source of each make that is to be read, and DMTF's registries that needn't be."""

    unread: dict[str, str]
    known: list[str]


def blueprint(settings: Settings, connection: Connection) -> Blueprint:
    """The routes."""
    routes = Blueprint("message_registries", __name__, url_prefix="/api/v1/message-registries")
    limit = settings.sources.registries_max_bytes

    @routes.get("")
    @describe("The cached message registries, without messages.", Registries)
    def all_registries() -> Response:
        found = connection.store.message_registries.list()
        return jsonify(registries=[one.shown() for one in found], size=sum(one.size for one in found), limit=limit)

    @routes.get("/<digest>")
    @describe("One message registry.", MessageRegistry)
    def one(digest: str) -> Response:
        found = connection.store.message_registries.get(digest)
        if found is None:
            raise NotFound(f"there is no message registry with the digest {digest}")
        return jsonify(found.document())

    @routes.put("")
    @describe("Add message registries.", PutRegistries, body=Readings, problems=(507,))
    def put() -> Response:
        wanted = _body(Readings)
        outcomes = [_put(connection.store, reading, limit, check=wanted.check) for reading in wanted.readings]
        together = {name: sorted({text for one in outcomes for text in one[name]}) for name in ("added", "known")}
        together["known"] = [text for text in together["known"] if text not in together["added"]]
        changed = any(one["changed"] for one in outcomes)
        if together["added"] and not wanted.check:
            logger.info("%s added message registries: %s", g.token, ", ".join(together["added"]))
        return jsonify(**together, removed=sum(one["removed"] for one in outcomes), changed=changed)

    @routes.post("/unread")
    @describe("Which sources are to be read.", Unread, body=Question)
    def unread() -> Response:
        question = _body(Question)
        store = connection.store.message_registries
        known = {_minor(one) for one in store.list() if one.owner == "DMTF"}
        return jsonify(unread=store.unread(question.sources, again=question.again), known=sorted(known))

    @routes.delete("/<registry>", defaults={"version": None})
    @routes.delete("/<registry>/<version>")
    @describe("Forget the versions of a registry, or one; events keep what they hold.")
    def delete(registry: str, version: str | None) -> Response:
        if not connection.store.message_registries.remove(registry, version, g.actor):
            raise NotFound(f"there is no message registry {registry}{f' {version}' if version else ''}")
        logger.info("%s removed message registry %s %s", g.token, registry, version or "(all versions)")
        return Response(status=204)

    return routes


def _body(kind: type[Any]) -> Any:
    try:
        return msgspec.convert(request.get_json(force=True), kind)
    except msgspec.ValidationError as error:
        raise BadRequest(f"message registries: {error}") from error


def _put(store: Store, reading: Reading, limit: int, *, check: bool) -> dict[str, Any]:
    make = None
    if reading.source is not None:
        source = store.sources.get(reading.source)
        if source is None:
            raise InvalidRegistryError(f"source {reading.source} isn't registered; register it first")
        make = source.make
    registries = [parse(document) for document in reading.registries]
    origin = reading.source or IMPORTED
    stored = store.message_registries.put(registries, origin=origin, limit=limit, make=make, check=check, actor=g.actor)
    named = {one.digest: f"{one.registry}.{one.version}" for one in registries}
    return {
        "added": [named[digest] for digest in stored.added],
        "known": [named[digest] for digest in stored.known],
        "removed": len(stored.removed),
        "changed": stored.changed,
    }


def _minor(one: Listed) -> str:
    """``Base.1.19``: as a MessageRegistryFile names a registry."""
    major, minor, _errata = parse_version(one.version) or (0, 0, 0)
    return f"{one.registry}.{major}.{minor}"
