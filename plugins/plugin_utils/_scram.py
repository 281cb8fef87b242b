# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What PostgreSQL keeps of a password, by RFC 5803: SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey. No I/O."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re

ITERATIONS = 4096  # PostgreSQL's own default
VERIFIER = re.compile(r"SCRAM-SHA-256\$(\d{1,7}):([A-Za-z0-9+/=]+)\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+")


def make(password, salt, iterations=ITERATIONS):
    """Return the verifier of a password of printable ASCII (others would have to be normalised first, RFC 4013)."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    salt64, stored64, server64 = (base64.b64encode(part).decode("ascii") for part in (salt, stored_key, server_key))
    return f"SCRAM-SHA-256${iterations}:{salt64}${stored64}:{server64}"


def kept_or_new(password, known):
    """Return the known verifier where it is this password's, else a new one with a salt of its own."""
    found = VERIFIER.fullmatch(known)
    if found:
        try:
            same = make(password, base64.b64decode(found[2], validate=True), int(found[1]))
        except (binascii.Error, ValueError):
            same = ""
        if hmac.compare_digest(same, known):
            return known
    return make(password, os.urandom(16))
