# SPDX-License-Identifier: GPL-3.0-or-later
"""A real RabbitMQ: AMQP 0-9-1 plain and over TLS, with its name server (epmd) on a port of its own."""

from __future__ import annotations

import os
import subprocess

from tests.services import certificates
from tests.services.service import Service, ServiceError, free_address, listens, program

_SCRIPTS = "/usr/lib/rabbitmq/bin"  # the scripts in /usr/sbin change the user and the directory


class RabbitMQ(Service):
    """``address`` and ``tls_address`` speak AMQP; the user is an administrator of the virtual host ``/``."""

    name = "rabbitmq"
    username = "redfleet"
    password = "not-a-secret"

    def __init__(self) -> None:
        super().__init__()
        self.address, self.tls_address = free_address(), free_address()
        self._distribution, self._epmd = free_address(), free_address()

    def prepare(self) -> None:
        self.certificates = certificates.issue(self.directory)
        (self.directory / "enabled_plugins").write_text("[].\n")
        (self.directory / "rabbitmq.conf").write_text(
            f"""\
listeners.tcp.1 = {self.address}
listeners.ssl.1 = {self.tls_address}
ssl_options.cacertfile = {self.certificates.ca}
ssl_options.certfile = {self.certificates.server_certificate}
ssl_options.keyfile = {self.certificates.server_key}
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = false
default_user = {self.username}
default_pass = {self.password}
heartbeat = 10
log.console = false
"""
        )

    def environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.directory),  # holds the Erlang cookie
            "RABBITMQ_CONF_ENV_FILE": str(self.directory / "none"),
            "RABBITMQ_CONFIG_FILE": str(self.directory / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.directory / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.directory / "data"),
            "RABBITMQ_LOG_BASE": str(self.directory / "log"),
            "RABBITMQ_USE_LONGNAME": "true",
            "RABBITMQ_NODENAME": f"redfleet{self.address.port}@127.0.0.1",
            "RABBITMQ_DIST_PORT": str(self._distribution.port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_EPMD_PORT": str(self._epmd.port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }

    def command(self) -> list[str]:
        return [program("rabbitmq-server", "rabbitmq-server", _SCRIPTS) and f"{_SCRIPTS}/rabbitmq-server"]

    def ready(self) -> bool:
        return "completed with" in self.printed() and listens(self.address)

    def control(self, *arguments: str) -> str:
        """What ``rabbitmqctl ARGUMENTS`` prints. Raises ServiceError when it fails."""
        run = subprocess.run(
            [f"{_SCRIPTS}/rabbitmqctl", "--silent", *arguments],
            env={**os.environ, **self.environment()},
            capture_output=True,
            text=True,
            timeout=60,
        )
        if run.returncode != 0:
            raise ServiceError(f"rabbitmqctl {' '.join(arguments)}: {run.stdout}{run.stderr}")
        return run.stdout

    def block(self) -> None:
        """Raise the memory alarm: the broker stops reading from every connection that publishes."""
        self.control("set_vm_memory_high_watermark", "0")

    def unblock(self) -> None:
        """Take the alarm back."""
        self.control("set_vm_memory_high_watermark", "0.4")

    def url(self, address: object = None, virtual_host: str = "%2F") -> str:
        """An ``amqp://`` URL, of ``address`` (a fault proxy's, for one) instead of our own if it is given."""
        return f"amqp://{self.username}:{self.password}@{address or self.address}/{virtual_host}"
