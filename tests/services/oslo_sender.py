# SPDX-License-Identifier: GPL-3.0-or-later
"""Notifications sent by oslo.messaging itself, as OpenStack's services send them.

A process of its own: kombu's threads and warnings stay out of the tests. Run as a file it reads one order (JSON) per
line and prints one line for each: ``ok``, ``gave up`` with the numbers of notifications that oslo.messaging gave up
(which it only logs), or what went wrong. It ends with its input.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any, Self

_SECONDS = 60
_GAVE_UP = "gave up "


class _Failures(logging.Handler):
    """Counts what oslo.messaging's notifier logs in place of raising it."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.count = 0

    def emit(self, _record: logging.LogRecord) -> None:
        self.count += 1


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
        given_up = self.send(event_type, payload, **order)
        assert not given_up, f"oslo.messaging gave up {event_type} {sorted(given_up)}"
        return "ok"

    def send(self, event_type: str, payload: Any, **order: Any) -> set[int]:
        """The same; returns the numbers of those that oslo.messaging gave up."""
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"event_type": event_type, "payload": payload, **order}) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().strip()
        if answer.startswith(_GAVE_UP):
            return {int(number) for number in answer.removeprefix(_GAVE_UP).split()}
        assert answer == "ok", f"oslo.messaging could not send {event_type}: {answer}"
        return set()


def _serve(url: str, options: dict[str, Any]) -> None:
    warnings.simplefilter("ignore")
    import oslo_messaging
    from oslo_config import cfg
    from oslo_context.context import RequestContext

    class Context(RequestContext):
        """With names beside ids, as Neutron's own context says them."""

        def to_dict(self) -> dict[str, Any]:
            return {**super().to_dict(), "user_name": self.user_name, "project_name": self.project_name}

    failures = _Failures()
    logging.getLogger("oslo_messaging.notify.messaging").addHandler(failures)
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
        send = functools.partial(getattr(one, order.get("priority", "info")), Context(**order.get("context", {})))
        try:
            given_up = _carry_out(order, send, failures)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test is told
            print(f"{type(error).__name__}: {error}".replace("\n", " "), flush=True)
        else:
            print(_GAVE_UP + " ".join(map(str, given_up)) if given_up else "ok", flush=True)


def _carry_out(order: dict[str, Any], send: Callable[[str, Any], None], failures: _Failures) -> list[int]:
    """Send what was ordered; returns the numbers that were given up."""
    first, given_up = order.get("first", 0), []
    for number in range(first, first + order.get("count", 1)):
        before = failures.count
        send(order["event_type"], {**order["payload"], "number": number} if "count" in order else order["payload"])
        if failures.count > before:
            given_up.append(number)
    return given_up


if __name__ == "__main__":
    _serve(sys.argv[1], json.loads(sys.argv[2]))
