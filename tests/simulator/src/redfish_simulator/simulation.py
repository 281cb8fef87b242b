# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole fleet: made, started, stopped."""

from __future__ import annotations

import asyncio
import gc
import random
from asyncio import sslproto
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from .bmc import Bmc
from .control import control_app
from .files import inventory, state, write_private
from .identity import bmc_address, bmc_name, identity
from .mix import spread
from .personalities import PERSONALITIES
from .server import RedfishServer, bind
from .tls import CertificateAuthority, FleetTls, ListenerTrust
from .world import World

# asyncio gives each TLS connection a read buffer of 256 KiB; a TLS record has 16, and connections come by thousands.
sslproto.SSLProtocol.max_size = 32 * 1024


@dataclass(frozen=True)
class Options:
    """The command line."""

    count: int = 24
    mix: dict[str, int] | None = None
    network: str = "127.20.0.0/16"
    port: int = 8443
    control_host: str = "127.0.0.1"
    control_port: int = 0
    state: Path | None = None
    inventory: Path | None = None
    seed: int = 1
    ca_dir: Path | None = None
    listener_ca: Path | None = None
    time_scale: float = 1.0
    delivery_timeout: float = 30.0


class Simulation:
    """The BMCs of one process."""

    def __init__(self, options: Options) -> None:
        self.options = options
        listener_ca = str(options.listener_ca) if options.listener_ca else None
        self.world = World(ListenerTrust(listener_ca), options.time_scale, options.delivery_timeout)
        self.bmcs: dict[str, Bmc] = {}
        self.rng = random.Random(options.seed)
        self.control = ""
        self._server = RedfishServer()
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen everywhere, then write the files. Raises OSError, ValueError."""
        options = self.options
        if options.state:
            options.state.unlink(missing_ok=True)  # that of an earlier fleet must not be taken for ours
        addresses = [bmc_address(options.network, index) for index in range(options.count)]
        port, sockets = bind(addresses, options.port)
        tls = FleetTls(CertificateAuthority(options.ca_dir) if options.ca_dir else None)
        for index, (personality_name, login_type) in enumerate(spread(options.count, options.mix)):
            name = bmc_name(index, options.count)
            personality = PERSONALITIES[personality_name]
            who = identity(personality, name, addresses[index], port, login_type, options.seed)
            self.bmcs[name] = Bmc(personality, who, tls.certificate(name, addresses[index]), self.world)
        for bmc, listening in zip(self.bmcs.values(), sockets, strict=True):
            self._server.listen(bmc, listening)
        await self._start_control()
        gc.freeze()  # thousands of BMCs stay: the collector need not look at them again
        self._write_files()

    async def stop(self) -> None:
        """Close everything."""
        if self._runner:
            await self._runner.cleanup()
        await asyncio.gather(*(bmc.close() for bmc in self.bmcs.values()))
        await self._server.close()

    async def _start_control(self) -> None:
        self._runner = web.AppRunner(control_app(self.bmcs, self.world, self.rng), access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.options.control_host, self.options.control_port)
        await site.start()
        port = self._runner.addresses[0][1]
        self.control = f"http://{self.options.control_host}:{port}"

    def _write_files(self) -> None:
        public = [bmc.public() for bmc in self.bmcs.values()]
        if self.options.inventory:
            write_private(self.options.inventory, inventory(public))
        if self.options.state:
            write_private(self.options.state, state(self.control, public))
