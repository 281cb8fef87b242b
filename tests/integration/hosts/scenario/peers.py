# SPDX-License-Identifier: GPL-3.0-or-later
"""The host with RabbitMQ, over TLS, and rsyslog: where the listeners publish to, and what came to them there."""

from __future__ import annotations

import re
import ssl
from collections import Counter

import pika
import trustme

from tests.integration.hosts.estate import Estate, Host
from tests.services.service import wait_until

USER, PASSWORD = "redfleet", "estate-broker-password"
EXCHANGE, QUEUE = "redfleet-events", "account"
RECEIVED = "var/log/events-of-the-estate"
RSYSLOG = f"""\
global(workDirectory="/var/spool/rsyslog" maxMessageSize="256k")
module(load="imtcp")
template(name="whole" type="string" string="%rawmsg-after-pri%\\n")
ruleset(name="keep") {{
  action(type="omfile" file="/{RECEIVED}" template="whole" asyncWriting="off" flushOnTXEnd="on")
}}
input(type="imtcp" port="514" ruleset="keep")
"""


# Nothing but TLS, below a name that is in the certificate.
RABBITMQ = """\
listeners.tcp = none
listeners.ssl.default = 5671
ssl_options.cacertfile = /etc/rabbitmq/ca.pem
ssl_options.certfile = /etc/rabbitmq/broker.pem
ssl_options.keyfile = /etc/rabbitmq/broker.key
ssl_options.versions.1 = tlsv1.3
ssl_options.versions.2 = tlsv1.2
"""


class Peers:
    """RabbitMQ with a queue that takes everything, and rsyslog with a file that does."""

    def __init__(self, estate: Estate, host: Host) -> None:
        self._estate, self.host = estate, host
        self._authority = trustme.CA()
        self.published: Counter[str] = Counter()

    def settings(self) -> dict[str, object]:
        """The sinks, for event_listener_settings; what they refer to is in `secrets`."""
        bus = {
            "name": "bus",
            "hosts": [f"{self.host.address}:5671"],
            "tls": {"ca": "/etc/event-listener/secrets/broker-ca"},
            "username": USER,
            "password": {"file": "/etc/event-listener/secrets/broker"},
            "exchange": EXCHANGE,
        }
        return {"amqp": [bus], "syslog": [{"name": "soc", "host": self.host.address, "transport": "tcp"}]}

    def secrets(self) -> dict[str, str]:
        """For event_listener_secrets: the broker's password, and the authority that its certificate is of."""
        return {"broker": PASSWORD, "broker-ca": self._authority.cert_pem.bytes().decode()}

    def start(self) -> None:
        """Configure and start both, as their administrators would."""
        issued = self._authority.issue_cert(self.host.address)
        files = {
            "ca.pem": self._authority.cert_pem,
            "broker.pem": issued.cert_chain_pems[0],
            "broker.key": issued.private_key_pem,
        }
        lines = [
            *(f"cat > /etc/rabbitmq/{name} <<'END'\n{pem.bytes().decode()}END" for name, pem in files.items()),
            "chown rabbitmq /etc/rabbitmq/broker.key && chmod 400 /etc/rabbitmq/broker.key",
            f"cat > /etc/rabbitmq/rabbitmq.conf <<'END'\n{RABBITMQ}END",
            f"cat > /etc/rsyslog.conf <<'END'\n{RSYSLOG}END",
            "systemctl restart rsyslog",
            "systemctl start rabbitmq-server",
            f"rabbitmqctl -q add_user {USER} {PASSWORD}",
            f"rabbitmqctl -q set_permissions {USER} '.*' '.*' '.*'",
        ]
        self.host.ssh("set -e\n" + "\n".join(lines), root=True, timeout=180)
        with self._estate.network(), self._connection() as connection:
            channel = connection.channel()
            channel.exchange_declare(EXCHANGE, "topic", durable=True)
            channel.queue_declare(QUEUE, durable=True)
            channel.queue_bind(QUEUE, EXCHANGE, "#")

    def restart_broker(self) -> None:
        """Restart RabbitMQ and wait until it answers."""
        self.host.ssh("systemctl restart rabbitmq-server", root=True, timeout=180)
        answers = "rabbitmqctl -q status >/dev/null"
        wait_until(lambda: self.host.succeeds(answers, root=True), "RabbitMQ doesn't answer", 120)

    def take(self) -> Counter[str]:
        """Take what waits in the queue; returns how often each event's id has come so far."""
        with self._estate.network(), self._connection() as connection:
            channel = connection.channel()
            channel.basic_qos(prefetch_count=500)
            for delivery, properties, _body in channel.consume(QUEUE, inactivity_timeout=1):
                if delivery is None:
                    break
                self.published[str(properties.message_id)] += 1
                channel.basic_ack(delivery.delivery_tag)
            channel.cancel()
        return self.published

    def received(self) -> Counter[str]:
        """How often each event's id came by syslog so far."""
        path = self.host.directory / "upper" / RECEIVED
        text = path.read_text(errors="replace") if path.exists() else ""
        return Counter(re.findall(r'\[redfish@\d+ id="([^"]+)"', text))

    def _connection(self) -> pika.BlockingConnection:
        account = pika.PlainCredentials(USER, PASSWORD)
        context = ssl.create_default_context()
        self._authority.configure_trust(context)
        tls = pika.SSLOptions(context, self.host.address)
        return pika.BlockingConnection(
            pika.ConnectionParameters(self.host.address, 5671, credentials=account, ssl_options=tls)
        )
