# SPDX-License-Identifier: GPL-3.0-or-later
"""What PostgreSQL checks a password by."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.redfleet.events.plugins.filter.scram_verifier import scram_verifier
from ansible_collections.redfleet.events.plugins.plugin_utils import _scram

# RFC 7677, section 3, gives user, password, salt, iterations and the server's signature, which proves these keys.
SALT = "W22ZaJ0SNY7soEsUEjb6gQ=="
KEYS = "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
KNOWN = f"SCRAM-SHA-256$4096:{SALT}${KEYS}"


def test_a_known_password_is_left_alone():
    """The second run changes nothing; another password is another verifier, with a salt of its own."""
    assert scram_verifier("pencil", KNOWN) == KNOWN
    new = scram_verifier("pencils", KNOWN)
    assert _scram.VERIFIER.fullmatch(new)
    assert SALT not in new
    assert scram_verifier("pencils", f"{new}\n") == new
    assert scram_verifier("pencils") != scram_verifier("pencils")


@pytest.mark.parametrize("known", ["", "md5d41d8cd98f00b204e9800998ecf8427e", "SCRAM-SHA-256$4096:=$=:=", "pencil"])
def test_what_is_no_verifier_is_replaced(known):
    """An older server's MD5 sum, rubbish, or nothing."""
    assert _scram.VERIFIER.fullmatch(scram_verifier("pencil", known))


def test_other_characters_are_refused():
    """They would have to be normalised as the client's library does it."""
    with pytest.raises(AnsibleFilterError, match="not ASCII"):
        scram_verifier("Bleistift für alle")
