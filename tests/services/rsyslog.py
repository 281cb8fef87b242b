# SPDX-License-Identifier: GPL-3.0-or-later
"""A real rsyslog: UDP, TCP, TLS and mutual TLS; what its RFC 5424 parser understood is read back as JSON."""

from __future__ import annotations

import json
import socket
from typing import Any

from tests.services import certificates
from tests.services.service import Service, free_address, listens, program

_FIELDS = {
    "input": "inputname",
    "priority": "pri",
    "version": "protocol-version",
    "timestamp": "timereported",
    "host": "hostname",
    "app": "app-name",
    "process": "procid",
    "message_id": "msgid",
    "structured_data": "structured-data",
    "message": "msg",
    "raw": "rawmsg-after-pri",
}


class Rsyslog(Service):
    """``tls_address`` takes any client, ``mutual_address`` only one with a certificate of the CA."""

    name = "rsyslog"

    def __init__(self) -> None:
        super().__init__()
        self.udp_address, self.tcp_address = free_address(), free_address()
        self.tls_address, self.mutual_address = free_address(), free_address()

    def prepare(self) -> None:
        self.certificates = certificates.issue(self.directory)
        (self.directory / "spool").mkdir()
        properties = "".join(
            f'  property(outname="{ours}" name="{theirs}" format="jsonf"'
            + (' dateFormat="rfc3339"' if ours == "timestamp" else "")
            + ')\n  constant(value=",")\n'
            for ours, theirs in _FIELDS.items()
        ).removesuffix('  constant(value=",")\n')
        (self.directory / "rsyslog.conf").write_text(
            f"""\
global(workDirectory="{self.directory}/spool" maxMessageSize="256k" net.enableDNS="off"
  parser.escapeControlCharactersOnReceive="off"
  defaultNetstreamDriverCAFile="{self.certificates.ca}"
  defaultNetstreamDriverCertFile="{self.certificates.server_certificate}"
  defaultNetstreamDriverKeyFile="{self.certificates.server_key}")
main_queue(queue.size="200000" queue.dequeueBatchSize="1000")
module(load="imudp")
module(load="imtcp")
template(name="parsed" type="list") {{
  constant(value="{{")
{properties}  constant(value="}}\\n")
}}
ruleset(name="keep") {{
  action(type="omfile" file="{self.directory}/received" template="parsed" asyncWriting="off" flushOnTXEnd="on")
}}
input(type="imudp" address="{self.udp_address.host}" port="{self.udp_address.port}" name="udp" ruleset="keep"
  rcvbufSize="4m")
input(type="imtcp" address="{self.tcp_address.host}" port="{self.tcp_address.port}" name="tcp" ruleset="keep")
input(type="imtcp" address="{self.tls_address.host}" port="{self.tls_address.port}" name="tls" ruleset="keep"
  streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon")
input(type="imtcp" address="{self.mutual_address.host}" port="{self.mutual_address.port}" name="mutual" ruleset="keep"
  streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="x509/certvalid")
"""
        )

    def command(self) -> list[str]:
        rsyslogd = program("rsyslogd", "rsyslog")
        return [rsyslogd, "-n", "-f", str(self.directory / "rsyslog.conf"), "-i", str(self.directory / "pid")]

    def ready(self) -> bool:
        listeners = (self.tcp_address, self.tls_address, self.mutual_address)
        if not all(map(listens, listeners)):
            return False
        with socket.socket(type=socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(self.udp_address)
            except OSError:
                return True
        return False

    def records(self) -> list[dict[str, Any]]:
        """Everything received so far, in order, as rsyslog parsed it. A last line that is still written is left out."""
        path = self.directory / "received"
        if not path.exists():
            return []
        whole = path.read_bytes().rpartition(b"\n")[0]
        return [json.loads(line) for line in whole.split(b"\n") if line]
