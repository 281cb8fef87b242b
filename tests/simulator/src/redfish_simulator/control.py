# SPDX-License-Identifier: GPL-3.0-or-later
"""The control API: how tests look into the fleet and make things happen. Plain HTTP on loopback, JSON."""

from __future__ import annotations

import asyncio
import json
import random
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from . import catalogue
from .answer import Json
from .bmc import Bmc
from .faults import Fault
from .records import Record
from .rules import headers_of
from .world import World

_SLOT = {"EventTypes": ["Alert"], "Oem": {"Supermicro": {"EnableSubscription": True, "Severity": "OK"}}}


def _json(body: Any) -> web.Response:
    return web.json_response(body)


class ControlError(Exception):
    """Something in a request to the control API is wrong."""


@web.middleware
async def _explain(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except (ControlError, ValueError, KeyError, TypeError, ssl.SSLError) as error:
        return web.json_response({"error": f"{request.method} {request.path}: {error}"}, status=400)


class Control:
    """Handlers over the fleet."""

    def __init__(self, bmcs: dict[str, Bmc], world: World, rng: random.Random) -> None:
        self._bmcs = bmcs
        self._world = world
        self._rng = rng

    def _bmc(self, request: web.Request) -> Bmc:
        name = request.match_info["name"]
        bmc = self._bmcs.get(name)
        if bmc is None:
            raise web.HTTPNotFound(text=json.dumps({"error": f"There is no BMC {name!r}; GET /bmcs lists them."}))
        return bmc

    async def bmcs(self, _request: web.Request) -> web.Response:
        """All BMCs, as the state file has them."""
        return _json([bmc.public() for bmc in self._bmcs.values()])

    async def bmc(self, request: web.Request) -> web.Response:
        """One BMC from the inside."""
        return _json(self._bmc(request).inside())

    async def counters(self, _request: web.Request) -> web.Response:
        """Sums over the fleet."""
        sums: dict[str, int] = {}
        for bmc in self._bmcs.values():
            for name, value in bmc.inside()["counters"].items():
                sums[name] = sums.get(name, 0) + value
        sums["subscriptions"] = sum(len(bmc.used_subscriptions()) for bmc in self._bmcs.values())
        sums["sessions"] = sum(len(bmc.sessions.all()) for bmc in self._bmcs.values())
        sums["pending"] = self._world.activity.count
        return _json(sums)

    async def requests(self, request: web.Request) -> web.Response:
        """The request log of all, or of one BMC."""
        name = request.match_info.get("name")
        return _json(self._world.requests.after(int(request.query.get("after", "0")), name))

    async def clear_requests(self, _request: web.Request) -> web.Response:
        """Forget the request log."""
        self._world.requests.clear()
        return _json({})

    async def set_faults(self, request: web.Request) -> web.Response:
        """Have exactly this fault, or these (a list)."""
        bmc, body = self._bmc(request), await request.json()
        bmc.faults.replace([Fault.from_json(item) for item in (body if isinstance(body, list) else [body])])
        return _json(bmc.faults.as_json())

    async def set_faults_of_all(self, request: web.Request) -> web.Response:
        """Let every BMC have exactly this fault, or these (a list)."""
        body = await request.json()
        for bmc in self._bmcs.values():
            bmc.faults.replace([Fault.from_json(item) for item in (body if isinstance(body, list) else [body])])
        return _json({})

    async def clear_faults_of_all(self, _request: web.Request) -> web.Response:
        """Heal every BMC."""
        for bmc in self._bmcs.values():
            bmc.faults.replace([])
        return _json({})

    async def clear_faults(self, request: web.Request) -> web.Response:
        """Heal the BMC."""
        self._bmc(request).faults.replace([])
        return _json([])

    async def emit(self, request: web.Request) -> web.Response:
        """Let something happen on one BMC."""
        return _json({"deliveries": self._emit(self._bmc(request), await request.json())})

    def _emit(self, bmc: Bmc, body: Any) -> int:
        if isinstance(body, list):
            return bmc.emit([Record.from_json(item) for item in body])
        if "raw" in body:
            return bmc.emit_raw(str(body["raw"]).encode())
        kind = str(body.get("kind", "Alert"))
        return catalogue.emit(bmc, kind, int(body.get("count", 1)), int(body.get("records_per_post", 1)), self._rng)

    async def storm(self, request: web.Request) -> web.Response:
        """The same on all BMCs (or those in `bmcs`); `rate` is POSTs per second over the whole fleet."""
        body = await request.json()
        options: Json = {} if isinstance(body, list) else body
        names = options.get("bmcs") or list(self._bmcs)
        rate = float(options.get("rate") or 0)
        if not rate:
            return _json({"deliveries": sum(self._emit(self._bmcs[name], body) for name in names)})
        return _json({"deliveries": await self._paced(names, options, rate)})

    async def _paced(self, names: list[str], options: Json, rate: float) -> int:
        loop = asyncio.get_running_loop()
        start, sent, queued = loop.time(), 0, 0
        size = int(options.get("records_per_post", 1))
        left = int(options.get("count", 1))
        while left > 0:
            one = {**options, "count": min(size, left)}
            for name in names:
                queued += self._emit(self._bmcs[name], one)
                sent += 1
                await asyncio.sleep(max(0.0, start + sent / rate - loop.time()))
            left -= size
        return queued

    async def reset(self, request: web.Request) -> web.Response:
        """Restart a BMC's management controller."""
        body = await request.json() if request.can_read_body else {}
        self._bmc(request).reset(bool(body.get("forget_subscriptions", False)))
        return _json({})

    async def expire_sessions(self, request: web.Request) -> web.Response:
        """Let all sessions expire now."""
        self._bmc(request).sessions.clear()
        return _json([])

    async def seed_subscriptions(self, request: web.Request) -> web.Response:
        """Have exactly these subscriptions, unchecked: those of others, or of an older version of us."""
        bmc, body = self._bmc(request), await request.json()
        if any("Destination" not in item for item in body):
            raise ControlError("each subscription needs a Destination")
        bmc.subscriptions.clear()
        for slot, item in enumerate(body, 1):
            properties = {"Protocol": "Redfish", "Context": "", "SubscriptionType": "RedfishEvent", **item}
            headers, own_id = headers_of(properties), str(properties.pop("Id", ""))
            properties.pop("HttpHeaders", None)
            if bmc.subscriptions.slots:
                own_id = own_id or str(slot)
                properties = {**_SLOT, **properties}
            bmc.subscriptions.add(properties, headers, own_id)
        return _json(bmc.inside()["subscriptions"])

    async def wait_idle(self, request: web.Request) -> web.Response:
        """Wait until nothing is under way to any listener."""
        body = await request.json() if request.can_read_body else {}
        idle = await self._world.activity.wait_idle(float(body.get("timeout", 30)))
        return _json({"idle": idle, "pending": self._world.activity.count})

    async def trust(self, request: web.Request) -> web.Response:
        """Add the CA certificates in the body (PEM) to those that BMCs verify listeners with."""
        self._world.trust.trust(await request.text())
        return _json({})


def control_app(bmcs: dict[str, Bmc], world: World, rng: random.Random) -> web.Application:
    """The control API as an application."""
    control = Control(bmcs, world, rng)
    app = web.Application(middlewares=[_explain], client_max_size=64 << 20)
    app.add_routes(
        [
            web.get("/bmcs", control.bmcs),
            web.get("/bmcs/{name}", control.bmc),
            web.get("/bmcs/{name}/requests", control.requests),
            web.put("/bmcs/{name}/faults", control.set_faults),
            web.delete("/bmcs/{name}/faults", control.clear_faults),
            web.post("/bmcs/{name}/events", control.emit),
            web.post("/bmcs/{name}/reset", control.reset),
            web.put("/bmcs/{name}/subscriptions", control.seed_subscriptions),
            web.delete("/bmcs/{name}/sessions", control.expire_sessions),
            web.put("/faults", control.set_faults_of_all),
            web.delete("/faults", control.clear_faults_of_all),
            web.get("/counters", control.counters),
            web.get("/requests", control.requests),
            web.delete("/requests", control.clear_requests),
            web.post("/events", control.storm),
            web.post("/wait-idle", control.wait_idle),
            web.put("/trust", control.trust),
        ]
    )
    return app
