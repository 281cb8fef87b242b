# SPDX-License-Identifier: GPL-3.0-or-later
"""The accounts of a BMC and what their roles may do (DSP0266 clause 13.2; the standard roles' privileges)."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

ROLES: Mapping[str, frozenset[str]] = {
    "Administrator": frozenset({"Login", "ConfigureManager", "ConfigureUsers", "ConfigureComponents", "ConfigureSelf"}),
    "Operator": frozenset({"Login", "ConfigureComponents", "ConfigureSelf"}),
    "ReadOnly": frozenset({"Login", "ConfigureSelf"}),
}


@dataclass
class Account:
    """One account; its password is never shown."""

    id: str
    username: str
    password: str
    role: str = "Administrator"
    enabled: bool = True
    locked: bool = False

    def may(self, privilege: str) -> bool:
        """Whether its role has this privilege."""
        return privilege in ROLES[self.role]


class AccountTable:
    """Accounts by name; the first is the one that the inventory knows."""

    def __init__(self, username: str, password: str) -> None:
        self._by_name = {username: Account("1", username, password)}
        self._last = 1

    def login(self, username: str, password: str) -> Account | None:
        """The account with this name and password; None for any doubt. Compares in constant time."""
        account = self._by_name.get(username)
        expected = account.password if account else ""
        right = hmac.compare_digest(password.encode(), expected.encode())
        return account if account and right and account.enabled and not account.locked else None

    def named(self, username: str) -> Account | None:
        """The account of this name."""
        return self._by_name.get(username)

    def all(self) -> list[Account]:
        """All, oldest first."""
        return list(self._by_name.values())

    def get(self, account_id: str) -> Account | None:
        """The account with this id."""
        return next((account for account in self._by_name.values() if account.id == account_id), None)

    def add(self, username: str, password: str, role: str) -> Account:
        """A new account."""
        self._last += 1
        account = Account(str(self._last), username, password, role)
        self._by_name[username] = account
        return account

    def remove(self, account: Account) -> None:
        """Delete an account."""
        self._by_name.pop(account.username, None)
