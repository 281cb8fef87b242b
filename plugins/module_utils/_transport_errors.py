# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a request got no answer: unreachable, TLS, or lost on the way. No I/O."""

from __future__ import annotations

from ansible_collections.redfleet.events.plugins.module_utils._errors import (
    InvalidInputError,
    RedfishError,
    TlsError,
    UnreachableError,
)


class AnswerLostError(UnreachableError):
    """The request may have reached the BMC, but no answer came back: its effect is unknown."""


def transport_error(base: str, method: str, uri: str, cause: BaseException) -> RedfishError:
    """The error of a request that got no answer; `cause` is an exception of urllib3, known by its classes' names."""
    cause = getattr(cause, "original_error", cause)  # a proxy's
    kinds = {kind.__name__ for kind in type(cause).__mro__}
    root = _root_cause(cause)
    asked = f"{method} {base}{uri}"
    if "SSLError" in kinds:
        return TlsError(f"{base} failed the TLS handshake: {root}.", _tls_advice(str(root)))
    if "NewConnectionError" in kinds:
        return UnreachableError(f"{base} cannot be reached: {root}.", _NETWORK)
    if "ConnectTimeoutError" in kinds:
        return UnreachableError(f"{base} did not accept a connection in time.", _NETWORK, timed_out=True)
    if "TimeoutError" in kinds:
        return AnswerLostError(f"{asked} was not answered in time.", "Raise timeout, or reset the BMC.", timed_out=True)
    if "LocationValueError" in kinds:
        return InvalidInputError(f"{base} is no usable address: {root}.", "Correct baseuri.")
    return AnswerLostError(
        f"{asked} lost its connection: {root}.", "See whether the BMC is restarting, then run again."
    )


_NETWORK = "Check address, port, route and firewall, and that the BMC is up."


def _root_cause(error: BaseException) -> str:
    """The innermost message; urllib3 wraps errors in errors."""
    seen = 0
    while seen < 8:
        seen += 1
        inner = getattr(error, "reason", None)
        if not isinstance(inner, BaseException):
            inner = next((arg for arg in error.args if isinstance(arg, BaseException)), None)
        if inner is None:
            break
        error = inner
    text = str(error).strip().rstrip(".")
    return text.rsplit(">: ", 1)[-1] or type(error).__name__


def _tls_advice(text: str) -> str:
    lowered = text.lower()
    if "fingerprint" in lowered:
        return (
            "The certificate is not the pinned one. If it was renewed on purpose, check it and run playbooks/pin.yml "
            "again; no credentials were sent."
        )
    if "verify failed" in lowered or "hostname" in lowered or "ip address mismatch" in lowered:
        return (
            "Pin the certificate with tls_fingerprint (playbooks/pin.yml collects them), or give ca_path; "
            "no credentials were sent."
        )
    return "If the BMC is old, lower tls_min_version or set tls_ciphers, for example DEFAULT:@SECLEVEL=0."
