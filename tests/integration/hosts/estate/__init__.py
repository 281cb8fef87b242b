# SPDX-License-Identifier: GPL-3.0-or-later
"""Booted Debian machines for tests, in a network of their own. See docs/contributing-hosts.md."""

from .errors import EstateUnavailable, HostError
from .estate import Estate, check_machine, remove_stale
from .host import Host
from .tree import RELEASES, tree

__all__ = ["RELEASES", "Estate", "EstateUnavailable", "Host", "HostError", "check_machine", "remove_stale", "tree"]
