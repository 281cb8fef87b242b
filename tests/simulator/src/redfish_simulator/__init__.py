# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of simulated Redfish services (BMCs) in one process, with the habits of real vendors.

`redfish-simulator --count 24` starts one; tests use `redfish_simulator.client.Fleet`.
"""

__version__ = "0.1.0"
