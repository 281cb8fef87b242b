# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the listener's certificates are valid: what metrics, readiness and the doctor say of them."""

from __future__ import annotations

import ssl
import time
from typing import Literal

import msgspec

from event_listener.settings import Settings

_DAY = 86400

State = Literal["good", "soon", "wrong"]


class Validity(msgspec.Struct, frozen=True):
    """Of a certificate's file: Unix times between which it is valid (0 where it can't be read), and how that is."""

    path: str
    begins: float
    ends: float
    state: State
    text: str


def certificates(settings: Settings, now: float | None = None) -> list[Validity]:
    """Those that BMCs are shown, by the listener or by nginx in front of it; none with plain HTTP alone."""
    if settings.ingest.plain_http and not settings.nginx.enabled:
        return []
    tls = settings.ingest.tls
    return [_validity(path, tls.expiry_warning, time.time() if now is None else now) for path, _key in tls.pairs()]


def _validity(path: str, warning: int, now: float) -> Validity:
    try:
        # A documented gap: the standard library reads a certificate's dates only through this function.
        found = ssl._ssl._test_decode_cert(path)  # type: ignore[attr-defined]
    except (OSError, ssl.SSLError) as error:
        return Validity(path, 0, 0, "wrong", f"{path} can't be read: {error}")
    begins, ends = (float(ssl.cert_time_to_seconds(found[name])) for name in ("notBefore", "notAfter"))
    state, text = _judged(path, found, begins - now, ends - now, warning)
    return Validity(path, begins, ends, state, text)


def _judged(path: str, found: dict[str, str], begins_in: float, ends_in: float, warning: int) -> tuple[State, str]:
    if begins_in > 0:
        return "wrong", f"{path} isn't valid before {found['notBefore']}; is the clock right?"
    if ends_in < 0:
        return "wrong", f"{path} is out of date since {found['notAfter']}; renew it"
    if ends_in < warning * _DAY:
        return "soon", f"{path} is valid until {found['notAfter']}; renew it"
    return "good", f"valid until {found['notAfter']}"
