# SPDX-License-Identifier: GPL-3.0-or-later
"""A Java producer's properties as librdkafka's. No I/O.

CloudStack gives its ``kafka.producer.properties`` to Kafka's Java client, after it took ``topic`` out. Most names are
the same for librdkafka; the others are translated, dropped where they mean nothing here, or refused with the reason.
"""

from __future__ import annotations

import re

_DROPPED = {
    "key.serializer", "value.serializer", "partitioner.class", "interceptor.classes", "metric.reporters",
    "max.block.ms", "buffer.memory", "metrics.num.samples", "metrics.recording.level", "metrics.sample.window.ms",
    "partitioner.ignore.keys", "partitioner.adaptive.partitioning.enable", "partitioner.availability.timeout.ms",
    "client.dns.lookup", "metadata.max.idle.ms", "auto.include.jmx.reporter", "block.on.buffer.full",
    "ssl.truststore.password",
}  # fmt: skip
_RENAMED = {
    "max.request.size": "message.max.bytes",
    "send.buffer.bytes": "socket.send.buffer.bytes",
    "receive.buffer.bytes": "socket.receive.buffer.bytes",
    "connections.max.idle.ms": "connections.max.idle.ms",
    "metadata.broker.list": "bootstrap.servers",
}
_REFUSED = {
    "transactional.id": "events are not sent in transactions; remove it",
    "ssl.keystore.location": "Java keystores can't be read; give PEM files: ssl.certificate.location, ssl.key.location",
    "ssl.truststore.location": "Java truststores can't be read; give a PEM file as ssl.ca.location",
    "sasl.login.callback.handler.class": "Java classes can't be run; see librdkafka's sasl.* properties",
}
_PEM = {
    "ssl.keystore.location": "ssl.keystore.type",
    "ssl.truststore.location": "ssl.truststore.type",
}
_JAAS = re.compile(r'(username|password)\s*=\s*"((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_CONTROL = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


class PropertiesError(ValueError):
    """A property that can't be used; the text says which and what to do."""


def parse(text: str) -> dict[str, str]:
    """The properties of a file, as ``java.util.Properties`` reads them."""
    found = {}
    for line in _logical_lines(text):
        match = re.match(r"((?:\\.|[^\\=:\s])*)[ \t\f]*[=:]?[ \t\f]*(.*)", line, re.DOTALL)
        if match and match[1]:
            found[_unescape(match[1])] = _unescape(match[2])
    return found


def translate(java: dict[str, str]) -> tuple[str | None, dict[str, str]]:
    """The topic (None if there is none) and librdkafka's properties. Raises PropertiesError."""
    rest = dict(java)
    topic = rest.pop("topic", None)
    found: dict[str, str] = {}
    for name, value in rest.items():
        if name in _PEM and java.get(_PEM[name], "").upper() == "PEM" and name == "ssl.truststore.location":
            found["ssl.ca.location"] = value
        elif name in _REFUSED:
            raise PropertiesError(f"{name}: {_REFUSED[name]}")
        elif name == "sasl.jaas.config":
            found.update({f"sasl.{part}": _unescape(text) for part, text in _JAAS.findall(value)})
        elif name not in _DROPPED and not name.endswith(".type"):
            found[_RENAMED.get(name, name)] = value
        elif name == "compression.type":
            found[name] = value
    return topic, found


def _logical_lines(text: str) -> list[str]:
    """Lines without comments and blank ones; one that ends with an odd number of backslashes goes on."""
    lines: list[str] = []
    pending = ""
    for line in text.splitlines():
        stripped = line.lstrip(" \t\f")
        if not pending and (not stripped or stripped[0] in "#!"):
            continue
        pending += stripped
        if (len(pending) - len(pending.rstrip("\\"))) % 2:
            pending = pending[:-1]
            continue
        lines.append(pending)
        pending = ""
    return [*lines, pending] if pending else lines


def _unescape(text: str) -> str:
    def replace(match: re.Match[str]) -> str:
        code = match[1]
        return chr(int(code[1:], 16)) if len(code) == 5 else _CONTROL.get(code, code)

    return _ESCAPE.sub(replace, text)
