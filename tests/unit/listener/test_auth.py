# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may post. A header that is missing is a refusal: the DMTF listener lets it pass."""

from __future__ import annotations

import base64

import pytest
from event_listener.auth import Authenticator, Credential
from hypothesis import given
from hypothesis import strategies as st

AUTHENTICATOR = Authenticator(
    [
        Credential("old", "pass:word", "bmc"),
        Credential("new", "pässword", "bmc"),
        Credential("token", "t0ken"),
    ]
)


def basic(text: str | bytes) -> str:
    """Return the header's value."""
    return "Basic " + base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (basic("bmc:pass:word"), "old"),
        (basic("bmc:pässword"), "new"),
        (basic("bmc:pass:word").rstrip("="), "old"),
        (basic("bmc:pass:word").replace("Basic", "bAsIc "), "old"),
        ("Bearer t0ken", "token"),
        ("bearer  t0ken ", "token"),
    ],
)
def test_each_credential_is_taken(header: str, name: str):
    """Old and new are valid at once, so that a fleet can be rotated."""
    assert AUTHENTICATOR.judge(header).name == name


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (None, "missing"),
        ("", "missing"),
        ("Basic", "malformed"),
        ("Basic !!!", "malformed"),
        (basic("no colon"), "malformed"),
        ("Digest x", "malformed"),
        ("Bearer", "malformed"),
        (basic("bmc:wrong"), "wrong"),
        (basic("BMC:pass:word"), "wrong"),
        (basic(b"bmc:\xff"), "wrong"),
        ("Bearer t0ke", "wrong"),
        # A user and a password together are no token, nor the other way round.
        ("Bearer bmc:pass:word", "wrong"),
        (basic("t0ken"), "malformed"),
        (basic("bmc:pass:word") + "," + basic("bmc:pass:word"), "malformed"),
    ],
)
def test_everything_else_is_refused(header: str | None, reason: str):
    """With a reason for the log; the reason says nothing of which credential was near."""
    verdict = AUTHENTICATOR.judge(header)
    assert (verdict.name, verdict.reason) == ("", reason)


def test_without_credentials_nobody_is_let_in():
    """Fail closed."""
    nobody = Authenticator([])
    assert not nobody.judge(None).name
    assert not nobody.judge(basic(":")).name


@given(st.text(st.characters(max_codepoint=255)))
def test_no_header_raises(header: str):
    """Whatever a client sends, there is a verdict."""
    assert AUTHENTICATOR.judge(header).name == ""
