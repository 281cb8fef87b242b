# SPDX-License-Identifier: GPL-3.0-or-later
"""Notifications sent by oslo.messaging itself, as OpenStack's services send them.

A process of its own: kombu's threads and warnings stay out of the tests. Run as a file it reads one order (JSON) per
line and prints one line for each: ``ok``, or what went wrong. It ends with its input.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from typing import Any, Self

_SECONDS = 60


class OsloSender:
    """``notify()`` returns once RabbitMQ has confirmed. A context manager. ``url`` begins with ``rabbit://``."""

    def __init__(self, url: str, **options: Any) -> None:
        self._url, self._options = url, options
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        command = [sys.executable, os.path.abspath(__file__), self._url, json.dumps(self._options)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        return self

    def __exit__(self, *_exception: object) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(_SECONDS)
        finally:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()

    def notify(self, event_type: str, payload: Any, **order: Any) -> str:
        """Send one, or ``count`` of them. ``exchange`` (the service's), ``publisher``, ``priority``, ``context``,
        ``topic``, ``driver`` (messagingv2: in an envelope; messaging: bare). Returns ``ok``."""
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"event_type": event_type, "payload": payload, **order}) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().strip()
        assert answer == "ok", f"oslo.messaging could not send {event_type}: {answer}"
        return answer


def _serve(url: str, options: dict[str, Any]) -> None:
    warnings.simplefilter("ignore")
    import oslo_messaging
    from oslo_config import cfg
    from oslo_context.context import RequestContext

    class Context(RequestContext):
        """With names beside ids, as Neutron's own context says them."""

        def to_dict(self) -> dict[str, Any]:
            return {**super().to_dict(), "user_name": self.user_name, "project_name": self.project_name}

    notifiers: dict[tuple[str, str, str], Any] = {}

    def notifier(exchange: str, topic: str, driver: str) -> Any:
        key = exchange, topic, driver
        if key not in notifiers:
            conf = cfg.ConfigOpts()
            conf([])
            oslo_messaging.set_transport_defaults(exchange)
            transport = oslo_messaging.get_notification_transport(conf, url=url)
            for name, value in options.items():
                conf.set_override(name, value, group="oslo_messaging_rabbit")
            notifiers[key] = oslo_messaging.Notifier(transport, driver=driver, topics=[topic], retry=-1)
        return notifiers[key]

    for line in sys.stdin:
        order = json.loads(line)
        one = notifier(
            order.get("exchange", "neutron"), order.get("topic", "notifications"), order.get("driver", "messagingv2")
        ).prepare(publisher_id=order.get("publisher", "network.controller"))
        send = getattr(one, order.get("priority", "info"))
        try:
            for number in range(order.get("count", 1)):
                payload = order["payload"]
                if "count" in order:
                    payload = {**payload, "number": order.get("first", 0) + number}
                send(Context(**order.get("context", {})), order["event_type"], payload)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test is told
            print(f"{type(error).__name__}: {error}".replace("\n", " "), flush=True)
        else:
            print("ok", flush=True)


if __name__ == "__main__":
    _serve(sys.argv[1], json.loads(sys.argv[2]))
