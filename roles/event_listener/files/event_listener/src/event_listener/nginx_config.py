# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx.conf from the listener's settings: what is limited, refused and logged is said once, there. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from event_listener.settings import Ingest, Settings

# Ours, so that a BMC that ingest can't answer gets what it would get from ingest (docs/listener.md).
_UNAVAILABLE = '{"status": "unavailable", "detail": "the listener is being started; send it again"}'


def render(settings: Settings, listen: Sequence[str], directory: str, connections: int, *, root: bool = False) -> str:
    """Return the configuration.

    `listen` are the addresses of the sockets that nginx inherits, `directory` is its own for files,
    `connections` how many it may hold per worker, those to ingest counted too, `root` whether we stayed root (`user`).
    """
    ingest = settings.ingest
    temporary = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    lines = [
        "# Written by event-listener at each start. Change its settings, not this file.",
        "daemon off;",
        f"worker_processes {settings.nginx.workers};",
        # As root it would change to an account that may not connect to ingest.
        *(["user root;"] if root else []),
        f"pid {_quoted(directory + '/nginx.pid')};",
        "error_log stderr warn;",
        f"events {{ worker_connections {connections}; }}",
        "http {",
        # A URL may hold a secret.
        "  access_log off;",
        "  server_tokens off;",
        "  default_type application/json;",
        *(f"  {kind}_temp_path {_quoted(f'{directory}/{kind}')};" for kind in temporary),
        *_limits(ingest),
        *_tls(ingest),
        "  upstream ingest {",
        f"    server {_quoted(ingest.bind[0])};",
        "    keepalive 128;",
        "    keepalive_requests 1000000;",
        # Ended here first: a connection that ingest ends while an event is on its way is a 503 to the BMC.
        f"    keepalive_timeout {max(1, ingest.keepalive // 2)}s;",
        "  }",
        "  server {",
        *(f"    listen {_address(one)} ssl backlog=4096;" for one in listen),
        *_location(ingest),
        "  }",
        "}",
    ]
    return "\n".join(lines) + "\n"


def _limits(ingest: Ingest) -> list[str]:
    return [
        # The first covers the handshake too.
        f"  client_header_timeout {ingest.head_timeout}s;",
        f"  client_body_timeout {ingest.body_timeout}s;",
        f"  send_timeout {ingest.body_timeout}s;",
        f"  keepalive_timeout {ingest.keepalive}s;",
        "  keepalive_requests 1000000;",
        "  reset_timedout_connection on;",
        "  client_header_buffer_size 2k;",
        "  large_client_header_buffers 8 8k;",
        # Ingest knows who sends and what is free, so it decides, counts and answers 413.
        "  client_max_body_size 0;",
    ]


def _tls(ingest: Ingest) -> list[str]:
    settings = ingest.tls
    pairs = [
        f"  ssl_certificate{kind} {_quoted(path)};"
        for pair in settings.pairs()
        for kind, path in zip(("", "_key"), pair, strict=True)
    ]
    versions = "TLSv1.3" if settings.min_version == "1.3" else "TLSv1.2 TLSv1.3"
    ciphers = [f"  ssl_ciphers {_quoted(settings.ciphers)};"] if settings.ciphers else []
    verified = (
        [f"  ssl_client_certificate {_quoted(settings.client_ca)};", "  ssl_verify_client on;"]
        if settings.client_ca
        else []
    )
    return [
        *pairs,
        f"  ssl_protocols {versions};",
        *ciphers,
        "  ssl_prefer_server_ciphers on;",
        # For all of its workers: 16 MiB hold 60,000 sessions. Tickets would be under one key for as long as nginx runs,
        # and cost more to make.
        "  ssl_session_cache shared:ingest:16m;",
        "  ssl_session_tickets off;",
        "  ssl_session_timeout 1h;",
        "  ssl_buffer_size 4k;",
        *verified,
    ]


def _location(ingest: Ingest) -> list[str]:
    answer = ingest.body_timeout + ingest.commit_timeout + 5
    return [
        "    location / {",
        "      proxy_pass http://ingest;",
        "      proxy_http_version 1.1;",
        '      proxy_set_header Connection "";',
        "      proxy_set_header Host $host;",
        # Replaced, never added to: ingest believes it.
        "      proxy_set_header X-Forwarded-For $remote_addr;",
        # Whose body may take memory is decided by ingest, which checks credentials first.
        "      proxy_request_buffering off;",
        "      proxy_max_temp_file_size 0;",
        "      proxy_connect_timeout 5s;",
        f"      proxy_send_timeout {answer}s;",
        f"      proxy_read_timeout {answer}s;",
        # An event is never sent twice.
        "      proxy_next_upstream off;",
        "      error_page 502 504 =503 @unavailable;",
        "    }",
        "    location @unavailable {",
        f"      add_header Retry-After {ingest.retry_after} always;",
        f"      return 503 '{_UNAVAILABLE}\\n';",
        "    }",
    ]


def _address(bind: str) -> str:
    return f"{bind} ipv6only=on" if bind.startswith("[") else bind


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
