# SPDX-License-Identifier: GPL-3.0-or-later
"""The accounting: every event from the BMC that sent it to the places where it has to be."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field, fields

from redfish_simulator.client import Fleet

from tests.integration.hosts.estate import Host
from tests.integration.hosts.scenario.peers import Peers
from tests.integration.hosts.scenario.storm import FIRST, Sender
from tests.integration.hosts.shared_address import select

Key = tuple[str, int]  # BMC and number of the event
QUERY = "SELECT id, source, event_id FROM event WHERE length(event_id) = 9"


@dataclass
class Found:
    """The events' ids in the event log, how often each id came by AMQP and syslog, and what is in the text logs."""

    stored: dict[Key, list[str]]
    amqp: Counter[str]
    syslog: Counter[str]
    texts: list[Counter[Key]]  # of each listener: both write all events

    def complete(self, sent: Iterable[Key]) -> bool:
        """Whether all of them are everywhere."""
        ids = [one for several in self.stored.values() for one in several]
        stored = all(key in self.stored and all(text[key] for text in self.texts) for key in sent)
        return stored and all(self.amqp[one] and self.syslog[one] for one in ids)


def look(fleet: Fleet, listeners: Sequence[Host], database: Host, peers: Peers) -> Found:
    """Read the event log, what came to the peers, and the text logs of all listeners."""
    stored: dict[Key, list[str]] = defaultdict(list)
    for row in select(database, f"{QUERY} AND event_id >= '{FIRST}'"):
        identity, source, number = row.split("|")
        stored[source, int(number)].append(identity)
    texts = [_text(fleet, listener) for listener in listeners]
    return Found(stored, peers.take(), peers.received(), texts)


def _text(fleet: Fleet, listener: Host) -> Counter[Key]:
    folder = listener.directory / "upper/var/log/event-listener"
    found: Counter[Key] = Counter()
    for bmc in fleet.bmcs:
        path = folder / f"Events_{bmc.address}.txt"
        text = path.read_text(errors="replace") if path.exists() else ""
        found.update((bmc.name, int(number)) for number in re.findall(r"\bestate (\d{9})\.", text))
    return found


@dataclass
class Line:
    """A line of the table.

    `again`: attempts without an answer of success; what they carried may have been stored. `lost`: acknowledged,
    and missing in one of the places. `twice`: stored, or in the text log, more often than it was sent.
    """

    sent: int = 0
    acknowledged: int = 0
    again: int = 0
    stored: int = 0
    amqp: int = 0
    syslog: int = 0
    text_log: int = 0
    lost: int = 0
    twice: int = 0

    def add(self, other: Line) -> None:
        """Sum up."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))


def line(name: str, numbers: Sequence[int], counted: Mapping[str, int], found: Found) -> Line:
    """The account of one BMC."""
    keys = [(name, number) for number in numbers]
    at = {
        "stored": [key for key in keys if found.stored.get(key)],
        "amqp": [key for key in keys if any(found.amqp[one] for one in found.stored.get(key, []))],
        "syslog": [key for key in keys if any(found.syslog[one] for one in found.stored.get(key, []))],
        "text_log": [key for key in keys if all(text[key] for text in found.texts)],
    }
    counts = [
        {key: len(found.stored.get(key, [])) for key in keys},
        *({key: text[key] for key in keys} for text in found.texts),
    ]
    beyond = max(sum(number - 1 for number in count.values() if number) for count in counts)
    return Line(
        sent=len(keys),
        acknowledged=counted["delivered"],
        again=counted["failed_attempts"],
        lost=max(0, counted["delivered"] - min(map(len, at.values()))),
        twice=max(0, beyond - counted["failed_attempts"]),
        **{place: len(there) for place, there in at.items()},
    )


@dataclass
class Account:
    """The table, by BMC and by vendor."""

    bmcs: dict[str, Line] = field(default_factory=dict)
    vendors: dict[str, Line] = field(default_factory=lambda: defaultdict(Line))
    total: Line = field(default_factory=Line)
    repeated: Counter[str] = field(default_factory=Counter)

    @property
    def good(self) -> bool:
        """Whether everything was acknowledged, nothing is lost and nothing is there twice."""
        return self.total.acknowledged == self.total.sent and not self.total.lost and not self.total.twice

    def lines(self) -> list[str]:
        """The table by vendor, and the BMCs whose account isn't even."""
        uneven = {name: one for name, one in self.bmcs.items() if one.lost or one.twice or one.acknowledged != one.sent}
        return _table({**dict(sorted(self.vendors.items())), "all": self.total, **uneven})

    def by_bmc(self) -> list[str]:
        """The table by BMC."""
        return _table({**dict(sorted(self.bmcs.items())), "all": self.total})


def account(fleet: Fleet, sender: Sender, counted: Mapping[str, Mapping[str, int]], found: Found) -> Account:
    """Sum up what was found."""
    made = Account()
    for bmc in fleet.bmcs:
        one = line(bmc.name, sender.sent[bmc.name], counted[bmc.name], found)
        made.bmcs[f"{bmc.name} {bmc.vendor}"] = one
        made.vendors[bmc.vendor].add(one)
        made.total.add(one)
    ids = [one for several in found.stored.values() for one in several]
    made.repeated = Counter(
        amqp=sum(found.amqp[one] - 1 for one in ids if found.amqp[one]),
        syslog=sum(found.syslog[one] - 1 for one in ids if found.syslog[one]),
    )
    return made


def _table(lines: Mapping[str, Line]) -> list[str]:
    width = max(map(len, lines)) + 2
    heads = [each.name for each in fields(Line)]
    head = " " * width + "".join(f"{name:>14}" for name in heads)
    return [
        head,
        *(f"{name:<{width}}" + "".join(f"{number:>14}" for number in astuple(one)) for name, one in lines.items()),
    ]
