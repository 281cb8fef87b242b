# SPDX-License-Identifier: GPL-3.0-or-later
"""What the answers of HTTP servers mean to who posts to them: the http sink and webhooks. No I/O."""

from __future__ import annotations

import email.utils
import time

LONGEST_WAIT = 3600.0  # of what a Retry-After asks for
PASSES = {408, 425, 429}  # and all of 5xx: a busy or broken server, ask again soon
_HINTS = {
    401: "check its token, or username and password",
    403: "its token or user may not send there",
    404: "check its url",
    405: "check its url: nothing takes a POST there",
    407: "a proxy wants credentials",
    410: "the receiver is gone for good: remove the sink, or give the new url",
    415: "the url takes no CloudEvents in batches",
}


def passes(status: int) -> bool:
    """Whether it is the server's trouble, which ends by itself."""
    return status in PASSES or status >= 500


def hint(status: int, default: str) -> str:
    """What a person can do about a refusal."""
    return "it leads elsewhere: give that url" if 300 <= status < 400 else _HINTS.get(status, default)


def retry_after(text: str | None) -> float | None:
    """Retry-After, as seconds or as a date (RFC 9110); None where there is none or it can't be understood."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return min(float(text), LONGEST_WAIT)
    try:
        moment = email.utils.parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None
    return min(max(moment - time.time(), 0.0), LONGEST_WAIT)
