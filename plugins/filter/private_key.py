# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter that opens an encrypted private key for the task that deploys it."""

from __future__ import annotations

DOCUMENTATION = r"""
name: private_key
short_description: Open an encrypted private key
version_added: 0.1.0
description:
  - Returns the key as unencrypted PKCS#8 PEM. Use it only in tasks with C(no_log=true).
positional: passphrase
options:
  _input:
    description: The encrypted private key, PEM.
    type: str
    required: true
  passphrase:
    description: What the key was encrypted with.
    type: str
    required: true
author:
  - redfleet.events contributors (@redfleet)
"""

EXAMPLES = r"""
- name: Deploy the key that fleet_certificate made
  ansible.builtin.copy:
    content: "{{ lookup('ansible.builtin.file', made.key_path) | redfleet.events.private_key(passphrase) }}"
    dest: /etc/event-listener/tls/key.pem
    mode: "0640"
  no_log: true
"""

RETURN = r"""
_value:
  description: The private key, PEM, not encrypted.
  type: str
"""

from ansible.errors import AnsibleFilterError
from ansible_collections.redfleet.events.plugins.module_utils import _certificate as certs


def private_key(pem, passphrase):
    """Return the encrypted PEM as plain PEM."""
    if certs.CRYPTOGRAPHY_IMPORT_ERROR:
        raise AnsibleFilterError("The Python library cryptography is missing on the controller. Install it with pip.")
    try:
        return certs.plain_key(str(pem).encode("utf-8"), str(passphrase), "the given text")
    except certs.CertificateError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Registers the filter."""

    def filters(self):
        """Return the filter by name."""
        return {"private_key": private_key}
