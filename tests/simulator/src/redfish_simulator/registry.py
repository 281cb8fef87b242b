# SPDX-License-Identifier: GPL-3.0-or-later
"""Message registries: texts with arguments, and their shape as Redfish resources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Message:
    """One entry of a registry: text with %1..%n, severity OK | Warning | Critical, what to do."""

    text: str
    severity: str = "OK"
    resolution: str = "None."

    @property
    def number_of_args(self) -> int:
        """How many of %1..%9 the text has."""
        return sum(1 for n in range(1, 10) if f"%{n}" in self.text)

    def fill(self, args: Sequence[str]) -> str:
        """Put the arguments into the text."""
        text = self.text
        for n in range(len(args), 0, -1):
            text = text.replace(f"%{n}", args[n - 1])
        return text


@dataclass(frozen=True)
class Registry:
    """A message registry: `version` is major.minor.patch."""

    prefix: str
    version: str
    owner: str
    messages: Mapping[str, Message] = field(default_factory=dict)

    def message_id(self, key: str) -> str:
        """`Prefix.Major.Minor.Key`, the form that DSP0266 asks for in events and errors."""
        major_minor = ".".join(self.version.split(".")[:2])
        return f"{self.prefix}.{major_minor}.{key}"

    def resource(self, uri: str) -> dict[str, Any]:
        """The registry as a Redfish resource (MessageRegistry)."""
        return {
            "@odata.id": uri,
            "@odata.type": "#MessageRegistry.v1_6_2.MessageRegistry",
            "Id": f"{self.prefix}.{self.version}",
            "Name": f"{self.prefix} Message Registry",
            "Language": "en",
            "RegistryPrefix": self.prefix,
            "RegistryVersion": self.version,
            "OwningEntity": self.owner,
            "Messages": {
                key: {
                    "Description": f"Reports {key}.",
                    "Message": message.text,
                    "MessageSeverity": message.severity,
                    "NumberOfArgs": message.number_of_args,
                    "ParamTypes": ["string"] * message.number_of_args,
                    "Resolution": message.resolution,
                }
                for key, message in self.messages.items()
            },
        }
