# SPDX-License-Identifier: GPL-3.0-or-later
"""What a MessageId of a source means, by all registries that are cached. No I/O but ``load``, which it is given.

Two vendors may have registries of the same name and version with other texts. So what a BMC of the same *make*
(manufacturer, model, firmware) was read from goes first; where others would have to tell, they must agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from event_listener.message_registry import Message, Reference, Version, fitting, parse_version, reference

_REMEMBERED = 50_000  # MessageIds of makes; a fleet has some hundreds


class Cached(msgspec.Struct, frozen=True):
    """A registry in the event log, without its messages."""

    digest: str
    registry: str
    version: str


class Catalogue:
    """Not for two threads. ``load`` returns a registry's messages by its digest, and may raise."""

    def __init__(
        self,
        cached: Iterable[Cached] = (),
        makes: Mapping[str, frozenset[str]] | None = None,
        load: Callable[[str], Mapping[str, Message]] = lambda _digest: {},
    ) -> None:
        self._by_name: dict[str, dict[Version, list[str]]] = {}
        for one in cached:
            version = parse_version(one.version) or (0, 0, 0)
            self._by_name.setdefault(one.registry, {}).setdefault(version, []).append(one.digest)
        self._makes = makes or {}
        self._load = load
        self._loaded: dict[str, Mapping[str, Message]] = {}
        self._found: dict[tuple[str, str], Message | None] = {}

    def find(self, make: str, message_id: str) -> Message | None:
        """The meaning of a MessageId that a source of this make sent; None where no registry tells."""
        if not self._by_name:
            return None
        asked = (make, message_id)
        if asked not in self._found:
            if len(self._found) >= _REMEMBERED:
                self._found.clear()
            self._found[asked] = self._look_up(make, reference(message_id))
        return self._found[asked]

    def _look_up(self, make: str, wanted: Reference) -> Message | None:
        own = self._makes.get(make, frozenset())
        for choice in (own, None):
            for name in [wanted.registry] if wanted.registry else self._by_name:
                if found := self._in_registry(name, wanted, choice):
                    return found
        return None

    def _in_registry(self, name: str, wanted: Reference, choice: frozenset[str] | None) -> Message | None:
        """The message in one registry; ``choice`` limits it to these digests, None is all."""
        versions = self._by_name.get(name, {})
        for version in fitting(wanted.version, versions):
            chosen = (digest for digest in versions[version] if choice is None or digest in choice)
            texts = map(self._messages, chosen)
            messages = {known[wanted.key] for known in texts if wanted.key in known}
            if messages:
                return messages.pop() if len(messages) == 1 else None
        return None

    def _messages(self, digest: str) -> Mapping[str, Message]:
        if digest not in self._loaded:
            self._loaded[digest] = self._load(digest)
        return self._loaded[digest]
