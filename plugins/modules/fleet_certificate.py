#!/usr/bin/python
# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_certificate
short_description: Issue a listener's TLS certificate from the fleet's own authority
version_added: 0.1.0
description:
  - Keeps one private certificate authority (CA) per fleet in a folder, normally on the controller, and issues one
    server certificate per listener from it.
  - Both private keys are stored encrypted with O(passphrase). The key of the CA never has to leave the folder; the
    filter P(redfleet.events.private_key#filter) opens the key of a listener for the task that deploys it.
  - A certificate is issued again when its names, its key type or the authority changed, and O(renew_days) before it
    expires. Otherwise nothing changes.
author:
  - redfleet.events contributors (@redfleet)
requirements:
  - cryptography >= 42
options:
  ca_dir:
    description:
      - Folder of the authority. It is created with mode V(0700) where it is missing.
      - Holds C(ca.pem), C(ca.key) and the folder C(issued) with C(NAME.pem) and C(NAME.key).
    type: path
    required: true
  passphrase:
    description: Encrypts the private keys. At least 12 characters.
    type: str
    required: true
  name:
    description: Name of the certificate's files, normally the listener's inventory name.
    type: str
    required: true
  names:
    description:
      - Host names and IP addresses under which BMCs reach the listener. They become the certificate's subject
        alternative names. The first one is the common name.
    type: list
    elements: str
    required: true
  key_type:
    description: Kind of the listener's key. V(rsa) is for BMCs with old TLS libraries.
    type: str
    choices: [ecdsa, rsa]
    default: ecdsa
  days:
    description: How long a certificate is valid. It never outlives the authority.
    type: int
    default: 397
  renew_days:
    description: A certificate is issued again when it expires within this many days.
    type: int
    default: 60
  ca_name:
    description: Common name of the authority, used when it is created.
    type: str
    default: redfleet.events fleet CA
  ca_days:
    description: How long the authority is valid, used when it is created.
    type: int
    default: 7300
  permitted:
    description:
      - Domains and networks for which the authority may issue, such as V(bmc.example.com) and V(192.0.2.0/24), used
        when it is created. They become its name constraints, so that whoever trusts it trusts it for nothing else.
      - A name or address that isn't below one of them is refused. Where only domains are given no address is allowed,
        and where only networks are, no host name. Empty is no constraint.
      - Old TLS libraries of BMCs may refuse an authority with constraints. Prove it with one BMC of each make.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Can run in check mode and predict what it would issue.
    support: full
  diff_mode:
    description: Shows names and end of validity before and after, never a key.
    support: full
notes:
  - The folder is the identity of the fleet. Back it up; without it every BMC has to be taught a new authority.
"""

EXAMPLES = r"""
- name: Certificate of this listener
  redfleet.events.fleet_certificate:
    ca_dir: "{{ inventory_dir }}/fleet-ca"
    passphrase: "{{ event_listener_ca_passphrase }}"
    name: "{{ inventory_hostname }}"
    names:
      - events.example.com
      - 192.0.2.10
  delegate_to: localhost
"""

RETURN = r"""
action:
  description: What was done to the listener's certificate.
  returned: success
  type: str
  sample: issued
reason:
  description: Why a certificate was issued again; empty when it wasn't or when it is the first.
  returned: success
  type: str
  sample: expires soon
ca_created:
  description: Whether the authority itself was created.
  returned: success
  type: bool
ca_path:
  description: The authority's certificate, for those who verify the listener.
  returned: success
  type: str
  sample: /etc/fleet/fleet-ca/ca.pem
certificate_path:
  description: The listener's certificate, followed by the authority's.
  returned: success
  type: str
  sample: /etc/fleet/fleet-ca/issued/listener1.pem
key_path:
  description: The listener's private key, encrypted.
  returned: success
  type: str
  sample: /etc/fleet/fleet-ca/issued/listener1.key
fingerprint:
  description: SHA-256 of the certificate; empty in check mode when it would be issued.
  returned: success
  type: str
  sample: sha256:5f2b...
not_after:
  description: End of the certificate's validity in UTC; empty in check mode when it would be issued.
  returned: success
  type: str
  sample: "2027-12-24T00:00:00+00:00"
"""

import contextlib
import fcntl
import os
import re
import tempfile

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.redfleet.events.plugins.module_utils import _certificate as certs


def argument_spec():
    """Return the module's options as AnsibleModule takes them."""
    return {
        "ca_dir": {"type": "path", "required": True},
        "passphrase": {"type": "str", "required": True, "no_log": True},
        "name": {"type": "str", "required": True},
        "names": {"type": "list", "elements": "str", "required": True},
        "key_type": {"type": "str", "choices": ["ecdsa", "rsa"], "default": "ecdsa", "no_log": False},
        "days": {"type": "int", "default": 397},
        "renew_days": {"type": "int", "default": 60},
        "ca_name": {"type": "str", "default": "redfleet.events fleet CA"},
        "ca_days": {"type": "int", "default": 7300},
        "permitted": {"type": "list", "elements": "str", "default": []},
    }


def validate(params):
    """Raise CertificateError for options that can't lead to a usable certificate."""
    if not re.fullmatch(r"[A-Za-z0-9._:-]{1,128}", params["name"]) or params["name"].startswith("."):
        raise certs.CertificateError(
            f"name {params['name']!r} can't be a file name. Use letters, digits, dot, underscore, colon and dash."
        )
    if len(params["passphrase"]) < 12:
        raise certs.CertificateError("passphrase is shorter than 12 characters. Choose a longer one.")
    if not params["names"]:
        raise certs.CertificateError(
            "names is empty. List the names and addresses under which BMCs reach the listener."
        )
    if not 0 <= params["renew_days"] < params["days"]:
        raise certs.CertificateError(
            f"renew_days ({params['renew_days']}) has to be less than days ({params['days']}), "
            "or every run would renew."
        )
    certs.general_names(params["names"])


def read(path):
    """Return the file's bytes, or None where there is no file."""
    try:
        with open(path, "rb") as handle:
            return handle.read()
    except FileNotFoundError:
        return None


def write(path, content, mode):
    """Replace the file in one step, so that a reader sees the old content or the new one."""
    descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(path))
    try:
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


class Authority:
    """The folder of one fleet's authority.

    Attributes: certificate and key are None until load_or_create() ran; created tells whether it made them.
    """

    def __init__(self, params, check_mode):
        self.params = params
        self.check_mode = check_mode
        self.certificate = None
        self.created = False
        folder = params["ca_dir"]
        self.certificate_path = os.path.join(folder, "ca.pem")
        self.key_path = os.path.join(folder, "ca.key")

    @contextlib.contextmanager
    def locked(self):
        """Hold the folder's lock: several listeners are deployed at once, and each may be the first."""
        if self.check_mode:
            yield
            return
        os.makedirs(os.path.join(self.params["ca_dir"], "issued"), mode=0o700, exist_ok=True)
        os.chmod(self.params["ca_dir"], 0o700)
        with open(os.path.join(self.params["ca_dir"], ".lock"), "a", encoding="ascii") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def load_or_create(self):
        """Read the authority's certificate, or make key and certificate where both are missing."""
        pem, key = read(self.certificate_path), read(self.key_path)
        if (pem is None) != (key is None):
            missing = self.certificate_path if pem is None else self.key_path
            raise certs.CertificateError(
                f"{missing} is missing, but the rest of the authority is there. "
                "Restore it from your backup, or move the folder away to start a new authority."
            )
        if pem is not None:
            self.certificate = certs.load_certificate(pem, self.certificate_path)
            return
        self.created = True
        if self.check_mode:
            return
        key = certs.make_key("ecdsa")
        permitted = self.params["permitted"]
        self.certificate = certs.make_authority(key, self.params["ca_name"], self.params["ca_days"], permitted)
        # The key first: a certificate without its key would be the state that nobody can repair.
        write(self.key_path, certs.encrypt_key(key, self.params["passphrase"]), 0o600)
        write(self.certificate_path, certs.to_pem(self.certificate), 0o644)

    def issue(self, names):
        """Return a new leaf certificate and its key."""
        if certs.not_after(self.certificate) <= certs.utcnow():
            raise certs.CertificateError(
                f"The authority in {self.certificate_path} has expired. "
                "Move the folder away to start a new one, then teach it to the BMCs that verify the listener."
            )
        if outside := certs.not_permitted(self.certificate, names):
            raise certs.CertificateError(
                f"The authority in {self.certificate_path} may not issue for {', '.join(outside)} (name constraints). "
                "Correct the names, or begin a new authority whose option permitted has them."
            )
        authority_key = certs.decrypt_key(read(self.key_path), self.params["passphrase"], self.key_path)
        key = certs.make_key(self.params["key_type"])
        return key, certs.make_leaf(key, names, self.params["days"], self.certificate, authority_key)


def current_leaf(authority, paths):
    """Return the leaf certificate on disk and why it has to be replaced (empty: it stays)."""
    pem = read(paths[0])
    if pem is None or read(paths[1]) is None or authority.certificate is None:
        return None, ""
    leaf, params = certs.load_certificate(pem, paths[0]), authority.params
    return leaf, certs.reason_to_issue(
        leaf, params["names"], params["key_type"], authority.certificate, params["renew_days"]
    )


def describe(leaf):
    """Return what diff mode shows of a certificate."""
    if leaf is None:
        return {}
    return {
        "names": sorted(certs.names_of(leaf)),
        "not_after": certs.not_after(leaf).isoformat(),
        "key_type": certs.key_type_of(leaf),
    }


def run(params, check_mode):
    """Bring the folder to what the options declare and return the module's result (see RETURN)."""
    validate(params)
    authority = Authority(params, check_mode)
    base = os.path.join(params["ca_dir"], "issued", params["name"])
    paths = (base + ".pem", base + ".key")
    with authority.locked():
        authority.load_or_create()
        before, reason = current_leaf(authority, paths)
        after = before
        issue = before is None or bool(reason)
        if issue and not check_mode:
            key, after = authority.issue(params["names"])
            write(paths[1], certs.encrypt_key(key, params["passphrase"]), 0o600)
            write(paths[0], certs.to_pem(after) + certs.to_pem(authority.certificate), 0o644)
    predicted = {"names": sorted(params["names"]), "key_type": params["key_type"]}
    known = after is not None and not (issue and check_mode)
    return {
        "changed": authority.created or issue,
        "action": "none" if not issue else ("issued" if before is None else "renewed"),
        "reason": reason,
        "ca_created": authority.created,
        "ca_path": authority.certificate_path,
        "certificate_path": paths[0],
        "key_path": paths[1],
        "fingerprint": certs.fingerprint(after) if known else "",
        "not_after": certs.not_after(after).isoformat() if known else "",
        "diff": {"before": describe(before), "after": describe(after) if known else predicted},
    }


def main():
    """Run as an Ansible module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    if certs.CRYPTOGRAPHY_IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("cryptography"), exception=certs.CRYPTOGRAPHY_IMPORT_ERROR)
    try:
        module.exit_json(**run(module.params, module.check_mode))
    except certs.CertificateError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}. Check the folder ca_dir and who may write there.")


if __name__ == "__main__":
    main()
