# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all Redfish modules have in common: connection options, results, attributes."""

from __future__ import annotations


class ModuleDocFragment:
    """Connection options; the argument spec is C(CONNECTION) in plugins/module_utils/_argspec.py."""

    DOCUMENTATION = r"""
requirements:
  - redfish >= 3.4.1 (on the host that runs the task, usually the controller)
options:
  baseuri:
    description:
      - Address of the Redfish service (BMC). A host, V(host:port), an IPv6 address or a URL.
      - HTTPS is used unless a URL says V(http://), which sends the credentials in clear text.
      - Defaults to the variable C(redfish_baseuri), then to C(ansible_host), then to the inventory name.
      - Each of these connection options that is not given is taken from the host's variable of the same name with the
        prefix C(redfish_), such as C(redfish_username), before its default counts.
    type: str
  username:
    description: Account on the BMC. Needed unless O(auth_token) is given.
    type: str
  password:
    description:
      - Password of O(username).
      - A refused password is never tried again within a task, so that accounts are not locked.
    type: str
  auth_token:
    description: Token of an existing session. It is used instead of O(username) and O(password), and is not logged out.
    type: str
  login_type:
    description:
      - V(session) creates a Redfish session and deletes it at the end, also after a failure.
      - V(basic) sends the credentials with each request. It needs two requests less and no place in the session table.
    type: str
    choices: [session, basic]
    default: session
  validate_certs:
    description:
      - Whether to verify the BMC's certificate. Ignored with O(tls_fingerprint), which is stricter.
      - Most BMCs have self-signed certificates. Prefer O(tls_fingerprint) to switching this off.
    type: bool
    default: true
  ca_path:
    description: File or directory of CA certificates to trust instead of the system's.
    type: path
  tls_fingerprint:
    description:
      - SHA-256 of the BMC's certificate (DER) as V(sha256:) and 64 hex digits; colons are allowed.
      - It replaces the verification of chain and name, and is checked before credentials are sent.
      - The playbook C(pin.yml) collects fingerprints as ssh collects known hosts, for all hosts in the variable
        C(redfish_tls_fingerprints), which counts where C(redfish_tls_fingerprint) is not set.
    type: str
  tls_min_version:
    description: Oldest version of TLS to accept. V(1.0) and V(1.1) also lower OpenSSL's security level to 0.
    type: str
    choices: ['1.0', '1.1', '1.2', '1.3']
    default: '1.2'
  tls_ciphers:
    description: Ciphers to offer, in OpenSSL's format, for BMCs that need old ones, such as V(DEFAULT:@SECLEVEL=0).
    type: str
  timeout:
    description:
      - Seconds to wait for a connection, and for each piece of an answer.
      - A request that timed out is not repeated.
    type: int
    default: 30
  retries:
    description:
      - How often a request is repeated after a lost connection or an answer 429, 502, 503 or 504.
      - Requests that create something are never repeated, nor is anything after 401 or 403.
    type: int
    default: 2
  use_proxy:
    description: Whether to use the proxies named in the environment. BMC networks seldom have one.
    type: bool
    default: false
"""

    ATTRIBUTES = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and says what would change, without changing it.
  diff_mode:
    description: Returns what changed, or would change in check mode. Secrets are masked.
  action_group:
    description: Use C(module_defaults) with the group to set the connection options once.
    support: full
    membership:
      - redfleet.events.redfish
  connection_local:
    description:
      - With a local connection the work is done in Ansible's worker process, without starting Python per host.
      - Otherwise (C(delegate_to) another host, C(become), C(environment), C(async)) it runs as any module does.
    support: full
"""
