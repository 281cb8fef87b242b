# SPDX-License-Identifier: GPL-3.0-or-later
"""A BMC without sockets: requests go straight to the dispatcher."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable

import pytest
from redfish_simulator.answer import Answer
from redfish_simulator.bmc import Bmc
from redfish_simulator.call import Call
from redfish_simulator.dispatch import dispatch
from redfish_simulator.identity import identity
from redfish_simulator.personalities import PERSONALITIES
from redfish_simulator.tls import FleetTls, ListenerTrust
from redfish_simulator.world import World


class Desk:
    """One BMC and the way to ask it: `bmc("GET", path)`, with Basic of its first account unless headers are given."""

    def __init__(self, name: str, world: World, tls: FleetTls) -> None:
        personality = PERSONALITIES[name]
        who = identity(personality, "bmc001", "127.20.0.1", 8443, "session", 1)
        self.bmc = Bmc(personality, who, tls.certificate("bmc001", "127.20.0.1"), world)
        self.subscriptions = f"/redfish/v1/EventService/{personality.service.subscriptions_path}"

    def basic(self, username: str | None = None, password: str | None = None) -> dict[str, str]:
        who = self.bmc.identity
        text = f"{username or who.username}:{password or who.password}"
        return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}

    def __call__(self, method, path, body=None, headers=None, query=None) -> Answer:
        raw = b"" if body is None else json.dumps(body).encode()
        given = self.basic() if headers is None else headers
        call = Call(self.bmc, method, path, query or {}, given, raw)
        return asyncio.run(dispatch(call))

    def subscribe(self, destination="https://listener.example/events/bmc001", **properties) -> Answer:
        body = {"Destination": destination, "Protocol": "Redfish", **properties}
        return self("POST", self.subscriptions, body)


def keys(answer: Answer) -> list[str]:
    """The message keys of a refusal, whatever its shape."""
    assert isinstance(answer.body, dict)
    entries = answer.body.get("error", {}).get("@Message.ExtendedInfo", [])
    for name, value in answer.body.items():
        if name.endswith("@Message.ExtendedInfo"):
            entries = [*entries, *value]
    return [entry["MessageId"].rpartition(".")[2] for entry in entries]


@pytest.fixture(scope="session")
def _world() -> World:
    return World(ListenerTrust())


@pytest.fixture(scope="session")
def _tls() -> FleetTls:
    return FleetTls()


@pytest.fixture
def desk(_world: World, _tls: FleetTls) -> Callable[[str], Desk]:
    """`desk("openbmc")` is a BMC of that personality."""
    return lambda name: Desk(name, _world, _tls)


@pytest.fixture
def refusal() -> Callable[[Answer], list[str]]:
    """`refusal(answer)` lists the message keys of a refusal."""
    return keys
