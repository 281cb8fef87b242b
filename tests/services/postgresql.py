# SPDX-License-Identifier: GPL-3.0-or-later
"""A real PostgreSQL, as the user ``postgres`` when the tests are root (it refuses to be root)."""

from __future__ import annotations

import itertools
import os
import subprocess

import psycopg

from tests.services.service import Service, ServiceError, free_address, program

_FOLDER = "/usr/lib/postgresql/*/bin"


class PostgreSQL(Service):
    """``url`` is a libpq URL of an empty database.

    ``durable`` keeps fsync on: for tests that kill it and look at what is left. ``settings`` go to postgresql.conf.
    """

    name = "postgresql"
    user = "postgres"
    username = "redfleet"
    password = "not-a-secret"

    def __init__(self, *, durable: bool = False, settings: dict[str, str] | None = None) -> None:
        super().__init__()
        self._numbers = itertools.count(1)
        self.address = free_address()
        self._settings = {
            "listen_addresses": self.address.host,
            "port": str(self.address.port),
            "unix_socket_directories": "",
            "fsync": "on" if durable else "off",
            **(settings or {}),
        }

    def prepare(self) -> None:
        secret = self.directory / "password"
        secret.write_text(self.password)
        self._give_away()
        initialise = [
            program("initdb", "postgresql", _FOLDER),
            f"--pgdata={self.directory}/data",
            f"--username={self.username}",
            f"--pwfile={secret}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ]
        user = self.user if self._switches_user() else None
        run = subprocess.run(
            initialise, user=user, group=user, capture_output=True, text=True, cwd=self.directory, timeout=60
        )
        if run.returncode != 0:
            raise ServiceError(f"initdb failed: {run.stdout}{run.stderr}")
        with (self.directory / "data" / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in self._settings.items())

    def command(self) -> list[str]:
        return [program("postgres", "postgresql", _FOLDER), "-D", str(self.directory / "data")]

    def environment(self) -> dict[str, str]:
        return {"LC_ALL": "C", "PATH": os.environ.get("PATH", "")}

    def ready(self) -> bool:
        return "database system is ready to accept connections" in self.printed()

    def url(self, address: object = None, database: str = "postgres") -> str:
        """``postgresql://user:password@host:port/database``, of a fault proxy's address if one is given."""
        return f"postgresql://{self.username}:{self.password}@{address or self.address}/{database}"

    def new_database(self) -> str:
        """Make an empty database of its own for a test; returns its name, for ``url(database=...)``."""
        name = f"test{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return name

    def without_password(self, database: str = "postgres", address: object = None) -> str:
        """The URL as `event_log.url` takes it; the password is ``password``."""
        return self.url(address, database).replace(f":{self.password}@", "@")

    def execute(self, statement: str, database: str = "postgres") -> None:
        """Run one statement, outside of a transaction."""
        with psycopg.connect(self.url(database=database), autocommit=True) as connection:
            connection.execute(statement)
