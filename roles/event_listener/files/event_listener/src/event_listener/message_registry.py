# SPDX-License-Identifier: GPL-3.0-or-later
"""Message registries: what a MessageId means, with its arguments put in. No I/O.

A registry (DSP0268 MessageRegistry, DSP8010 and DSP8011 are DMTF's) is kept condensed: of each message the text, the
severity and the resolution. What is missing in a record is looked up by its MessageId, which BMCs write in many forms:

``ResourceEvent.1.0.ResourceCreated``, ``ResourceEvent.1.0.3.ResourceCreated``  by DSP0266, with and without errata
``ResourceEvent.ResourceCreated``, ``SYS1003``, ``#ResourceEvent.v1_0_3.X``      no version, a bare key, as a type
``OpenBMC.0.1.A.B``                                                             a key with a dot in it

The version that fits: the same major and minor with the newest errata, else the same major with the greatest minor,
never another major. (Minor versions only add messages, by DSP0266 "Message registries".)
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

Version = tuple[int, int, int]

MAX_MESSAGES = 50_000  # in one registry; the largest known (Dell's) has some thousands
_LONGEST = 4096  # characters of a text that are kept
_TEXT = re.compile(r"[A-Za-z0-9_-]{1,64}")
_VERSION = re.compile(r"v?(\d{1,6})[._](\d{1,6})(?:[._](\d{1,6}))?")
_MESSAGE_ID = re.compile(r"#?([A-Za-z0-9_-]+)\.v?(\d{1,6})[._](\d{1,6})(?:[._](\d{1,6}))?\.(.+)")
_ARGUMENT = re.compile(r"%(\d{1,2})")


class InvalidRegistryError(ValueError):
    """A document is no message registry; the text says why."""


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """One entry. A text that is "" isn't known; ``%1`` stands for the first argument."""

    message: str = ""
    severity: str = ""
    resolution: str = ""

    def filled(self, arguments: Sequence[str]) -> str:
        """The text with its arguments; one that is missing stays ``%n``, so that a reader sees that it is."""

        def argument(found: re.Match[str]) -> str:
            number = int(found[1])
            return arguments[number - 1] if 0 < number <= len(arguments) else found[0]

        return _ARGUMENT.sub(argument, self.message)


class MessageRegistry(msgspec.Struct, frozen=True, kw_only=True):
    """A registry, condensed. ``version`` is ``major.minor.errata``."""

    registry: str
    version: str
    language: str = ""
    owner: str = ""
    messages: dict[str, Message] = {}

    @property
    def digest(self) -> str:
        """Tells it from another vendor's registry of the same name and version: 64 hexadecimal digits."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()

    def document(self) -> dict[str, Any]:
        """As JSON; :func:`parse` takes it."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found


def parse_version(text: str) -> Version | None:
    """``1.2.3``, ``1.2``, ``v1_2_3`` as numbers; without errata 0. None for anything else."""
    found = _VERSION.fullmatch(text.strip())
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None


def parse(document: Any) -> MessageRegistry:
    """A registry from a Redfish MessageRegistry resource, or from the condensed form. Raises InvalidRegistryError."""
    if not isinstance(document, dict) or not isinstance(messages := _any(document, "Messages", "messages"), dict):
        raise InvalidRegistryError("a message registry is a JSON object with Messages")
    name = _any(document, "RegistryPrefix", "registry") or str(document.get("Id", "")).partition(".")[0]
    if not isinstance(name, str) or not _TEXT.fullmatch(name):
        raise InvalidRegistryError("its RegistryPrefix is missing, or no name of a registry")
    version = parse_version(str(_any(document, "RegistryVersion", "version") or ""))
    if version is None:
        raise InvalidRegistryError(f"registry {name}: its RegistryVersion is missing, or not like 1.2.3")
    if len(messages) > MAX_MESSAGES:
        raise InvalidRegistryError(f"registry {name} has {len(messages)} messages, more than {MAX_MESSAGES}")
    return MessageRegistry(
        registry=name,
        version=".".join(map(str, version)),
        language=_short(_any(document, "Language", "language"))[:64],
        owner=_short(_any(document, "OwningEntity", "owner"))[:255],
        messages={_short(key)[:255]: _message(entry) for key, entry in messages.items() if isinstance(entry, dict)},
    )


def _message(entry: dict[str, Any]) -> Message:
    severity = _any(entry, "MessageSeverity", "severity") or entry.get("Severity")  # Severity: before v1_4_0
    return Message(
        message=_short(_any(entry, "Message", "message")),
        severity=_short(severity)[:255],
        resolution=_short(_any(entry, "Resolution", "resolution")),
    )


def _any(document: dict[str, Any], *names: str) -> Any:
    return next((document[name] for name in names if name in document), None)


def _short(value: Any) -> str:
    """A text that every database takes; anything else is none."""
    if not isinstance(value, str):
        return ""
    return value[:_LONGEST].replace("\x00", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class Reference(msgspec.Struct, frozen=True):
    """What a MessageId says: ``registry`` "" where it names none, ``version`` None where it says none."""

    registry: str
    version: tuple[int, int, int | None] | None
    key: str


def reference(message_id: str) -> Reference:
    """The parts of a MessageId in any of its forms."""
    text = message_id.strip().strip(".")
    if found := _MESSAGE_ID.fullmatch(text):
        errata = int(found[4]) if found[4] else None
        return Reference(found[1], (int(found[2]), int(found[3]), errata), found[5])
    registry, dot, key = text.lstrip("#").partition(".")
    return Reference(registry, None, key) if dot else Reference("", None, registry)


def fitting(wanted: tuple[int, int, int | None] | None, there: Iterable[Version]) -> list[Version]:
    """The versions that may explain a message of the version ``wanted``, the best first; see above."""
    newest = sorted(there, reverse=True)
    if wanted is None:
        return newest
    major, minor, errata = wanted

    def distance(version: Version) -> int:
        return 0 if version[1:] == (minor, errata) else 1 if version[1] == minor else 2

    # sorted() is stable: of equally distant ones the newest stays first.
    return sorted((version for version in newest if version[0] == major), key=distance)
