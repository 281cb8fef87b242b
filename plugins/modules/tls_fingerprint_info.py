#!/usr/bin/python
# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tls_fingerprint_info
short_description: Collect the TLS certificate fingerprints of BMCs
version_added: 0.1.0
description:
  - Connects to every target, reads the certificate it shows and returns its SHA-256 fingerprint, as C(ssh-keyscan)
    does for host keys. Nothing is sent but the TLS handshake, no credentials are used.
  - One call asks many targets at once.
  - What is collected is only as trustworthy as the network between here and the BMCs at this moment.
author:
  - redfleet.events contributors (@redfleet)
options:
  targets:
    description: The BMCs to ask.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name under which the result is returned, normally the inventory name.
        type: str
        required: true
      address:
        description: Host name or IP address of the BMC.
        type: str
        required: true
      port:
        description: HTTPS port of the BMC.
        type: int
        default: 443
  timeout:
    description: Seconds to wait for one target to connect and to complete the handshake.
    type: int
    default: 10
  parallel:
    description: How many targets are asked at once.
    type: int
    default: 32
attributes:
  check_mode:
    description: Only reads, so check mode makes no difference.
    support: full
  diff_mode:
    description: Nothing is changed, so there is no difference to show.
    support: none
"""

EXAMPLES = r"""
- name: Fingerprints of two BMCs
  redfleet.events.tls_fingerprint_info:
    targets:
      - {name: bmc001, address: 192.0.2.11}
      - {name: bmc002, address: 192.0.2.12, port: 8443}
  register: scan
"""

RETURN = r"""
fingerprints:
  description: Fingerprint by name, for the targets that answered.
  returned: success
  type: dict
  sample: {"bmc001": "sha256:5f2b..."}
failures:
  description: Reason by name, for the targets that did not.
  returned: success
  type: dict
  sample: {"bmc002": "connection refused"}
"""

import concurrent.futures
import hashlib
import socket
import ssl

from ansible.module_utils.basic import AnsibleModule


def permissive_context():
    """Return a context that accepts any certificate and old protocols: it only looks, and never sends a secret."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    # Old BMCs offer nothing better. SECLEVEL=0 admits their 1024-bit keys.
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    return context


def fingerprint(address, port, timeout):
    """Return C(sha256:HEX) of the certificate that the address shows. Raises OSError (ssl.SSLError is one)."""
    raw = socket.create_connection((address, port), timeout=timeout)
    # wrap_socket takes the socket over: it is closed also when the handshake fails.
    with permissive_context().wrap_socket(raw, server_hostname=address) as connection:
        return "sha256:" + hashlib.sha256(connection.getpeercert(binary_form=True)).hexdigest()


def scan(targets, timeout, parallel):
    """Return (fingerprints by name, failure reasons by name)."""
    fingerprints, failures = {}, {}
    with concurrent.futures.ThreadPoolExecutor(max_workers=max(1, parallel)) as pool:
        jobs = {
            pool.submit(fingerprint, target["address"], target["port"], timeout): target["name"] for target in targets
        }
    for job, name in jobs.items():
        error = job.exception()
        if error is None:
            fingerprints[name] = job.result()
        elif isinstance(error, OSError):
            failures[name] = error.strerror or str(error) or type(error).__name__
        else:
            raise error
    return fingerprints, failures


def main():
    """Run as an Ansible module."""
    target = {
        "name": {"type": "str", "required": True},
        "address": {"type": "str", "required": True},
        "port": {"type": "int", "default": 443},
    }
    module = AnsibleModule(
        argument_spec={
            "targets": {"type": "list", "elements": "dict", "required": True, "options": target},
            "timeout": {"type": "int", "default": 10},
            "parallel": {"type": "int", "default": 32},
        },
        supports_check_mode=True,
    )
    fingerprints, failures = scan(module.params["targets"], module.params["timeout"], module.params["parallel"])
    module.exit_json(changed=False, fingerprints=fingerprints, failures=failures)


if __name__ == "__main__":
    main()
