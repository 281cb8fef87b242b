# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the `config.ini` of the DMTF Redfish Event Listener (1.1.7), as that tool does. Pure: text in, facts out.

The collection's inventory plugin reads this very file by a symbolic link, so nothing but the standard library is used.
Facts about the format: RedfishEventListener_v1.py of DMTF/Redfish-Event-Listener, and its README.
"""

from __future__ import annotations

import re
from configparser import ConfigParser, InterpolationError, MissingSectionHeaderError, ParsingError
from configparser import Error as IniError
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

SUBSCRIPTION_SECTIONS = ("SubscriptionDetails", "SubsciptionDetails")  # releases before 1.0.2 misspelled it
SECTIONS = ("SystemInformation", "ServerInformation", *SUBSCRIPTION_SECTIONS)
PLACEHOLDER = re.compile(r"<[^<>]*>")
BOOLEANS = {"1": True, "yes": True, "true": True, "on": True, "0": False, "no": False, "false": False, "off": False}
# What the tool ships as examples, so that everybody knows them; the key since 2024-06.
PUBLISHED_KEY_SHA256 = "a64153ec0c753791a0e8325697300fbfbbe2272673a8a35268639bc6d63b2895"
EXAMPLE_CREDENTIAL = ("username", "password")


class DmtfConfigError(ValueError):
    """The file can't be used. `problems` are sentences: section, option, what is wrong, what to do."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Server:
    """A Redfish service: `name` is a host name for an inventory, `baseuri` is as the file has it."""

    name: str
    baseuri: str
    username: str
    password: str = field(repr=False)
    login_type: str  # session or basic


@dataclass(frozen=True)
class DmtfConfig:
    """What a config.ini says.

    `subscription` holds options of the module event_destination; `certificate` and `key` are paths as written;
    `username` and `password` are what BMCs send to the listener. `notes` are sentences for the user.
    """

    address: str
    port: int
    tls: bool
    certificate: str
    key: str
    username: str | None
    password: str | None = field(repr=False)
    destination: str
    subscription: dict[str, Any]
    servers: tuple[Server, ...]
    notes: tuple[str, ...]


def looks_like(text: str) -> bool:
    """Whether a file is a DMTF configuration: has one of its sections."""
    return any(re.search(rf"^\[{name}\]", text, re.MULTILINE) for name in SECTIONS)


def split_list(text: str) -> list[str]:
    """An array as the tool reads it: with or without brackets, with or without quotes, separated by commas.

    A comma inside quotes separates, too: the tool has no way to write one. Raises ValueError for a bracket alone.
    """
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        text = text.strip("[]")
    elif _open_bracket(text):
        raise ValueError('has one bracket without the other; write ["a", "b"] or a, b')
    return [item.strip().strip("'\"") for item in text.split(",")] if text.strip() else []


def _open_bracket(text: str) -> bool:
    """Whether an array's bracket lacks its partner; the brackets of a bare IPv6 address have theirs."""
    entries = text.split(",")
    return (text.startswith("[") and "]" not in entries[0]) or (text.endswith("]") and "[" not in entries[-1])


def parse(text: str) -> DmtfConfig:
    """Read the text of a config.ini. Raises DmtfConfigError with everything that is wrong with it."""
    parser = ConfigParser()
    try:
        parser.read_string(text.removeprefix("\ufeff"))
    except (MissingSectionHeaderError, ParsingError) as error:
        raise DmtfConfigError([_syntax(error)]) from error
    except IniError as error:
        raise DmtfConfigError([f"{_one_line(error)}. Remove one of them."]) from error
    return _Reader(parser).read()


def _syntax(error: Exception) -> str:
    """A syntax error without the line itself, which may hold a password."""
    numbers = [number for number, _line in getattr(error, "errors", [])] or [getattr(error, "lineno", 0)]
    lines = ", ".join(str(number) for number in numbers)
    return (
        f"line {lines}: neither [Section] nor option = value. Correct it; an array that goes on in the next line has "
        "to be indented there."
    )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).replace("'<string>'", "the file").split())


class _Reader:
    """Collects what is said and every problem on the way."""

    def __init__(self, parser: ConfigParser) -> None:
        self._parser = parser
        self._problems: list[str] = []
        self._notes: list[str] = []

    def read(self) -> DmtfConfig:
        """Everything. Raises DmtfConfigError."""
        section = self._subscription_section()
        address, port, tls = self._listener()
        username, password = self._credential()
        destination = self._destination(section)
        if destination and tls != destination.lower().startswith("https:"):
            self._notes.append(
                f"[{section}] Destination is {destination}, but [SystemInformation] UseSSL is {'on' if tls else 'off'}."
                " That works only with something in between that speaks TLS."
            )
        config = DmtfConfig(
            address=address,
            port=port,
            tls=tls,
            certificate=self._file("certfile") if tls else "",
            key=self._file("keyfile") if tls else "",
            username=username,
            password=password,
            destination=destination,
            subscription=self._subscription(section),
            servers=self._servers(),
            notes=tuple(self._notes),
        )
        if self._problems:
            raise DmtfConfigError(self._problems)
        return config

    # -- one option ------------------------------------------------------------------------------------------

    def _problem(self, section: str, option: str, text: str) -> None:
        self._problems.append(f"[{section}] {option}: {text}")

    def _text(self, section: str, option: str, advice: str = "", *, required: bool = True) -> str:
        """An option's text; empty where it is missing, which is a problem when it is required."""
        try:
            value = self._parser.get(section, option, fallback="").strip()
        except InterpolationError:
            self._problem(section, option, "has a % that stands alone. Write %% for one %, as the DMTF tool needs it.")
            return ""
        if required and not value:
            self._problem(section, option, f"is missing or empty. {advice}".strip())
        return value

    def _list(self, section: str, option: str, *, required: bool = True) -> list[str]:
        text = self._text(section, option, "Give one entry per server.", required=required)
        try:
            entries = split_list(text)
        except ValueError as error:
            self._problem(section, option, f"{error}.")
            return []
        for number, entry in enumerate(entries, 1):
            if not entry:
                self._problem(section, option, f"entry {number} of {len(entries)} is empty. Remove a surplus comma.")
        return entries

    def _file(self, option: str) -> str:
        return self._text("CertificateDetails", option, "Name the PEM file, or set UseSSL = off.")

    # -- sections --------------------------------------------------------------------------------------------

    def _listener(self) -> tuple[str, int, bool]:
        section = "SystemInformation"
        address = self._text(section, "ListenerIP", "Give the address to listen on, 0.0.0.0 for all.")
        port = self._text(section, "ListenerPort", "Give the port to listen on, usually 443.")
        if port and not (port.isdecimal() and 0 < int(port) < 65536):
            self._problem(section, "ListenerPort", f"{port!r} is no port. Give a number from 1 to 65535.")
            port = ""
        tls = self._text(section, "UseSSL", "Write on or off.")
        if tls and tls.lower() not in BOOLEANS:
            self._problem(section, "UseSSL", f"{tls!r} is neither on nor off. Write one of them.")
        return address, int(port or 0), BOOLEANS.get(tls.lower(), False)

    def _credential(self) -> tuple[str | None, str | None]:
        section = "ListenerAuthentication"
        if not self._parser.has_section(section):
            self._notes.append(
                f"There is no section [{section}]: with the DMTF tool anybody could send events. Here every BMC has "
                "to show a credential, so one is made up."
            )
            return None, None
        advice = "Give both UserName and Password, or remove the section."
        pair = self._text(section, "UserName", advice), self._text(section, "Password", advice)
        if ":" in pair[0]:
            self._problem(section, "UserName", "has a colon, which HTTP Basic can't transport. Use another name.")
        if pair == EXAMPLE_CREDENTIAL:
            self._notes.append(f"[{section}] is the example that the DMTF tool comes with, known to everybody.")
        return pair

    def _subscription_section(self) -> str:
        found = [name for name in SUBSCRIPTION_SECTIONS if self._parser.has_section(name)]
        if len(found) > 1:
            self._problems.append(
                "[SubsciptionDetails]: the old spelling stands beside [SubscriptionDetails]. Remove one of them."
            )
        return found[0] if found else SUBSCRIPTION_SECTIONS[0]

    def _destination(self, section: str) -> str:
        destination = self._text(section, "Destination", "Give the URL under which BMCs reach the listener.")
        if not destination:
            return ""
        if PLACEHOLDER.search(destination):
            self._problem(section, "Destination", f"{destination} still has a placeholder. Put the listener's address.")
        elif _address(destination) is None or not destination.lower().startswith(("http://", "https://")):
            self._problem(section, "Destination", f"{destination} is no URL. Give https://ADDRESS/ of the listener.")
        return destination

    def _subscription(self, section: str) -> dict[str, Any]:
        """Options of event_destination, but destination and headers; what is empty is left out, as the tool does."""
        said: dict[str, Any] = {"context": self._text(section, "Context", required=False)}
        for option, name in (
            ("EventTypes", "event_types"),
            ("ResourceTypes", "resource_types"),
            ("Registries", "registry_prefixes"),
        ):
            said[name] = self._list(section, option, required=False)
        said["event_format_type"] = self._choice(section, "Format", {"event": "Event", "metricreport": "MetricReport"})
        expand = self._choice(section, "Expand", {"true": True, "false": False})
        return {name: value for name, value in said.items() if value} | (
            {} if expand is None else {"include_origin_of_condition": expand}
        )

    def _choice(self, section: str, option: str, choices: dict[str, Any]) -> Any:
        text = self._text(section, option, required=False)
        if text and text.lower() not in choices:
            self._problem(section, option, f"{text!r} is unknown. Write {' or '.join(map(str, choices.values()))}.")
        return choices.get(text.lower())

    def _servers(self) -> tuple[Server, ...]:
        section = "ServerInformation"
        if not self._text(section, "ServerIPs", required=False).strip("[] "):
            self._notes.append("[ServerInformation] ServerIPs is empty, so there is nothing to subscribe.")
            return ()
        addresses = self._list(section, "ServerIPs")
        if not addresses:
            return ()
        logins = self._logins(section, len(addresses))
        columns = {name: self._list(section, name) for name in ("UserNames", "Passwords")}
        for name, entries in columns.items():
            if len(entries) != len(addresses):
                self._problem(
                    section,
                    name,
                    f"has {len(entries)} entries for {len(addresses)} ServerIPs. Give one for each, in the same order; "
                    "a comma always separates, also inside quotes.",
                )
            if any(PLACEHOLDER.fullmatch(entry) for entry in entries):
                self._problem(section, name, "still has a placeholder in < >. Put the real ones.")
        names = self._names(section, addresses)
        if self._problems:
            return ()
        rows = zip(names, addresses, columns["UserNames"], columns["Passwords"], logins, strict=True)
        return tuple(Server(*row) for row in rows)

    def _logins(self, section: str, count: int) -> list[str]:
        """Session where one is missing; more than servers is fine for the tool, and most likely a slip."""
        logins = [login.lower() for login in self._list(section, "LoginType", required=False)]
        for login in logins:
            if login not in ("session", "basic", ""):
                self._problem(section, "LoginType", f"{login!r} is unknown. Write Session or Basic.")
        if len(logins) > count:
            self._problem(
                section, "LoginType", f"has {len(logins)} entries for {count} ServerIPs. Remove what is too much."
            )
        return logins + ["session"] * (count - len(logins))

    def _names(self, section: str, addresses: list[str]) -> list[str]:
        """Names of the hosts: the address, with the port where two share one."""
        found = []
        for entry in addresses:
            if PLACEHOLDER.search(entry):
                self._problem(section, "ServerIPs", f"{entry} still has a placeholder. Put the BMC's address.")
                continue
            address = _address(entry)
            if address is None:
                self._problem(section, "ServerIPs", f"{entry!r} is no address. Give https://ADDRESS of the BMC.")
                continue
            if address in found:
                self._problem(section, "ServerIPs", f"{entry} is given twice. Remove one, and its other entries.")
            found.append(address)
        hosts = [host for host, _port in found]
        return [host if hosts.count(host) == 1 else f"{host}-{port or 443}" for host, port in found]


def _address(uri: str) -> tuple[str, int | None] | None:
    """Host and port of a URL, or of an address with or without a port; None where it has none."""
    if uri.count(":") > 1 and "://" not in uri and not uri.startswith("["):
        uri = f"[{uri}]"
    try:
        parts = urlsplit(uri if "://" in uri else f"https://{uri}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    usable = host and parts.scheme in ("http", "https") and "@" not in parts.netloc and re.fullmatch(r"[\w.:-]+", host)
    return (host, port) if host and usable else None
