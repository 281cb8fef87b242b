# SPDX-License-Identifier: GPL-3.0-or-later
"""An endpoint on a loopback address that answers as told, over sockets: HTTP servers are too well-behaved."""

import contextlib
import socket
import ssl
import threading

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
STEP = 0.02


def status(code, *headers):
    lines = "".join(f"{header}\r\n" for header in headers)
    return f"HTTP/1.1 {code} X\r\n{lines}Content-Length: 0\r\n\r\n".encode()


class Receiver:
    """``answers`` are bytes, or functions of the connection; the last one repeats. ``requests`` is what came."""

    def __init__(self, *answers, host="127.0.0.1", context=None):
        self.answers, self.requests = list(answers) or [OK], []
        self._context, self._ended = context, threading.Event()
        self._socket = socket.create_server((host, 0))
        self.host, self.port = self._socket.getsockname()[:2]
        self.url = f"{'https' if context else 'http'}://{host}:{self.port}/in"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self._ended.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(60)

    @property
    def ended(self):
        return self._ended.is_set()

    def wait(self):
        """Until the test ends."""
        self._ended.wait(120)

    @property
    def ids(self):
        return [headers["webhook-id"] for headers, _body in self.requests]

    def _serve(self):
        while not self.ended:
            try:
                connection, _peer = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection):
        with contextlib.suppress(OSError):
            if self._context:
                connection = self._context.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as stream:
                while self._one(connection, stream):
                    pass

    def _one(self, connection, stream):
        if not stream.readline():
            return False
        lines = iter(lambda: stream.readline().decode().strip(), "")
        headers = dict(line.split(": ", 1) for line in lines)
        body = stream.read(int(headers["Content-Length"]))
        self.requests.append((headers, body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if callable(answer):
            answer(connection, self)
            return False
        connection.sendall(answer)
        return True


def server_context(certificate):
    """TLS for a trustme certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context
