# SPDX-License-Identifier: GPL-3.0-or-later
"""Who a simulated BMC is: derived from the fleet's seed and its number, so that a fleet comes back as it was."""

from __future__ import annotations

import ipaddress
import random
import string
import uuid
from dataclasses import dataclass

from .personality import Personality


@dataclass(frozen=True)
class Identity:
    """Name, address and credentials of a BMC, and what is printed on the machine that it manages."""

    name: str
    address: str
    port: int
    username: str
    password: str
    login_type: str
    uuid: str
    serial: str
    model: str
    firmware: str

    @property
    def authority(self) -> str:
        """`address:port`, as it stands in URLs; without the port where it is that of https."""
        return self.address if self.port == 443 else f"{self.address}:{self.port}"

    @property
    def baseuri(self) -> str:
        """The base URL of the service."""
        return f"https://{self.authority}"


def bmc_name(index: int, count: int) -> str:
    """`bmc001`, with as many digits as the fleet needs (at least three); `index` counts from 0."""
    return f"bmc{index + 1:0{max(3, len(str(count)))}d}"


def bmc_address(network: str, index: int) -> str:
    """The address of a BMC; the network's own address is left out. Raises ValueError where it is full or public.

    Other private networks than loopback work where the kernel takes their addresses for local, as in a namespace.
    """
    net = ipaddress.ip_network(network)
    if not net.is_private:
        raise ValueError(f"The network {network} is public; a simulated fleet lives on loopback or private addresses.")
    if index + 2 >= net.num_addresses:
        raise ValueError(f"The network {network} has no room for {index + 1} BMCs; give a larger one by --network.")
    return str(net.network_address + index + 1)


def identity(personality: Personality, name: str, address: str, port: int, login_type: str, seed: int) -> Identity:
    """Derive everything else from the seed and the name."""
    rng = random.Random(f"{seed}:{name}")
    alphabet = string.ascii_uppercase + string.digits
    return Identity(
        name=name,
        address=address,
        port=port,
        username=personality.username,
        password="".join(rng.choices(string.ascii_letters + string.digits, k=16)),
        login_type=login_type,
        uuid=str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        serial="".join(rng.choices(alphabet, k=10)),
        model=rng.choice(personality.models),
        firmware=rng.choice(personality.firmware),
    )
