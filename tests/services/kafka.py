# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Apache Kafka: one KRaft node, broker and controller in one JVM."""

from __future__ import annotations

import os
import subprocess

from tests.services import certificates, jars
from tests.services.service import Service, ServiceError, free_address, program

_JVM = ["-Xms256m", "-Xmx768m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=4", "-Xshare:auto"]
_CLUSTER = "cmVkZmxlZXQtdGVzdHMtMQ"  # any 16 bytes, base64


class Kafka(Service):
    """``address`` is plain, ``tls_address`` TLS.

    A Kafka client goes where the broker says that it is, past any proxy. So a fault proxy listens on ``proxy_address``
    and forwards to ``behind_proxy``: who came that way is told to stay there.
    """

    name = "kafka"

    def __init__(self) -> None:
        super().__init__()
        self.address, self.tls_address = free_address(), free_address()
        self.proxy_address, self.behind_proxy = free_address(), free_address()
        self._controller = free_address()

    def prepare(self) -> None:
        self.certificates = certificates.issue(self.directory)
        keystore = self.directory / "keystore.pem"
        keystore.write_bytes(
            self.certificates.server_key.read_bytes() + self.certificates.server_certificate.read_bytes()
        )
        (self.directory / "server.properties").write_text(
            f"""\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{self._controller}
controller.listener.names=CONTROLLER
listeners=PLAIN://{self.address},TLS://{self.tls_address},PROXIED://{self.behind_proxy},CONTROLLER://{self._controller}
advertised.listeners=PLAIN://{self.address},TLS://{self.tls_address},PROXIED://{self.proxy_address}
listener.security.protocol.map=PLAIN:PLAINTEXT,TLS:SSL,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAIN
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={self.certificates.ca}
log.dirs={self.directory}/data
num.partitions=4
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=250
"""
        )
        self._format()

    def environment(self) -> dict[str, str]:
        return {"LC_ALL": "C"}

    def command(self) -> list[str]:
        return [*self._java(), "kafka.Kafka", str(self.directory / "server.properties")]

    def ready(self) -> bool:
        return "Kafka Server started" in self.printed()

    def tool(self, main_class: str, *arguments: str, timeout: float = 120) -> str:
        """What one of Kafka's own tools prints. Raises ServiceError when it fails."""
        return self._run([*self._java("warn"), main_class, *arguments], timeout)

    def _java(self, level: str = "info") -> list[str]:
        java = program("java", "default-jre-headless")
        return [java, *_JVM, f"-Dorg.slf4j.simpleLogger.defaultLogLevel={level}", "-cp", jars.class_path("kafka")]

    def _format(self) -> None:
        arguments = ["format", "--cluster-id", _CLUSTER, "--config", str(self.directory / "server.properties")]
        self.tool("kafka.tools.StorageTool", *arguments)

    def _run(self, command: list[str], timeout: float) -> str:
        run = subprocess.run(
            command, env={**os.environ, **self.environment()}, capture_output=True, text=True, timeout=timeout
        )
        if run.returncode != 0:
            raise ServiceError(f"{command[-3:]} failed:\n{run.stdout[-1500:]}{run.stderr[-1500:]}")
        return run.stdout
