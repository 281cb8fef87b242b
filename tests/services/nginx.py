# SPDX-License-Identifier: GPL-3.0-or-later
"""A real nginx: TLS in front of an upstream that speaks HTTP."""

from __future__ import annotations

from tests.services import certificates
from tests.services.service import Address, Service, free_address, listens, program


class Nginx(Service):
    """``address`` speaks HTTPS and forwards to ``upstream`` (``host:port`` or ``unix:/path``), naming the client.

    ``location`` are directives of the one location, ``http`` of the http block.
    """

    name = "nginx"

    def __init__(self, upstream: Address | str, *, location: str = "", http: str = "", workers: int = 1) -> None:
        super().__init__()
        self.address = free_address()
        self._upstream, self._location, self._http, self._workers = upstream, location, http, workers

    def prepare(self) -> None:
        self.certificates = certificates.issue(self.directory)
        temporary = "".join(
            f"  {kind}_temp_path {self.directory}/{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (self.directory / "nginx.conf").write_text(
            f"""\
daemon off;
worker_processes {self._workers};
pid {self.directory}/nginx.pid;
error_log stderr;
events {{ worker_connections 8192; }}
http {{
  access_log off;
{temporary}  {self._http}
  upstream behind {{ server {self._upstream}; keepalive 64; }}
  server {{
    listen {self.address} ssl backlog=4096;
    ssl_certificate {self.certificates.server_certificate};
    ssl_certificate_key {self.certificates.server_key};
    location / {{
      proxy_pass http://behind;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto https;
      {self._location}
    }}
  }}
}}
"""
        )

    def command(self) -> list[str]:
        return [program("nginx", "nginx-light"), "-p", str(self.directory), "-c", str(self.directory / "nginx.conf")]

    def ready(self) -> bool:
        return listens(self.address)
