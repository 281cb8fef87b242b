# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventory plugin: the config.ini of the DMTF Redfish Event Listener is an inventory."""

from __future__ import annotations

DOCUMENTATION = r"""
name: dmtf_listener
short_description: The config.ini of the DMTF Redfish Event Listener as an inventory
version_added: 0.1.0
description:
  - Reads the C(config.ini) of the DMTF Redfish Event Listener as that tool does. Servers become the group C(bmcs), this
    machine becomes the host C(listener) of the group C(event_listeners).
  - The subscription that it describes becomes C(event_subscription), with a path that names the BMC. The Destination
    that the tool used is listed as retired, so that the subscriptions it left behind are removed.
  - Passwords are not in the inventory. Variables refer to them by P(redfleet.events.dmtf_secret#lookup).
  - Where the file has no C([ListenerAuthentication]), and for the token of the management API, secrets are made up and
    kept in the folder C(.redfleet) beside the file.
  - As with the DMTF tool, certificates of BMCs are not verified, until the playbook C(redfleet.events.pin) has pinned
    them or C(redfish_validate_certs) is true in C(group_vars/bmcs) beside the file.
  - Everything can be overridden by C(group_vars) and C(host_vars) beside the file.
  - Enable it before C(ini) in C(enable_plugins) of C(ansible.cfg), since that one takes any file.
options:
  plugin:
    description: Not used; the source is the C(config.ini) itself, whose name ends in C(.ini).
    type: str
author:
  - redfleet.events contributors (@redfleet)
"""

EXAMPLES = r"""
# [inventory]
# enable_plugins = redfleet.events.dmtf_listener, host_list, script, auto, yaml, ini
#
# ansible-inventory -i config.ini --graph
# ansible-playbook redfleet.events.site -i config.ini
"""

import getpass
import os

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin
from ansible.utils.display import Display
from ansible.utils.unsafe_proxy import wrap_var
from ansible_collections.redfleet.events.plugins.plugin_utils import _dmtf_file
from ansible_collections.redfleet.events.plugins.plugin_utils import _dmtf_inventory as shape
from ansible_collections.redfleet.events.plugins.plugin_utils._dmtf_config import looks_like

try:
    from ansible.template import trust_as_template
except ImportError:

    def trust_as_template(value):
        """Return it as it is: ansible-core 2.18 evaluates whatever an inventory says, unless it is marked unsafe."""
        return value


display = Display()

UNVERIFIED = (
    "{path}: the certificates of the BMCs are not verified, as with the DMTF tool. "
    "Pin them: ansible-playbook redfleet.events.pin -i {path}"
)
PUBLISHED = (
    "{path}: [CertificateDetails] keyfile is the example that the DMTF tool comes with. Anybody has it, so the "
    "connection of the BMCs is as good as clear text. Give the listener a certificate of its own."
)


class InventoryModule(BaseInventoryPlugin):
    """Turns a config.ini into groups and variables."""

    NAME = "redfleet.events.dmtf_listener"

    def verify_file(self, path):
        """Return whether this is a DMTF configuration; others that end in .ini are none of ours."""
        if not path.endswith(".ini") or not super().verify_file(path):
            return False
        with open(path, encoding="utf-8", errors="replace") as file:
            return looks_like(file.read())

    def parse(self, inventory, loader, path, cache=True):
        """Fill the inventory."""
        super().parse(inventory, loader, path, cache)
        path = os.path.abspath(path)
        try:
            config = _dmtf_file.load(path)
        except AnsibleParserError as error:
            # The next plugin may take the file for something else, and its success would hide what is raised here.
            display.error(str(error), wrap_text=False)
            raise AnsibleParserError(f"{path} can't be used as an inventory, the error above says why.") from None
        self._fill(config, path)
        for note in self._notes(config, path):
            display.warning(note)

    def _fill(self, config, path):
        for group in ("bmcs", "event_listeners"):
            self.inventory.add_group(group)
        folder = os.path.dirname(path)
        password = reference(path) if config.password else generated(folder, "bmc-events")
        for name, value in shape.common(config, password, generated(folder, "api-token")).items():
            self.inventory.set_variable("all", name, ready(value))
        bmcs = {"event_subscription": shape.subscription(config), "redfish_validate_certs": False}
        for name, value in bmcs.items():
            self.inventory.set_variable("bmcs", name, ready(value))
        for server in config.servers:
            self.inventory.add_host(server.name, group="bmcs")
            for name, value in shape.bmc(server, reference(path, server.name)).items():
                self.inventory.set_variable(server.name, name, ready(value))
        self._fill_listener(config, folder)

    def _fill_listener(self, config, folder):
        self.inventory.add_host(shape.LISTENER, group="event_listeners")
        variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": shape.Template("{{ ansible_playbook_python }}"),
            **shape.listener(config, lambda name: os.path.join(folder, name)),
            **({} if os.geteuid() == 0 else unprivileged(folder)),
        }
        for name, value in variables.items():
            self.inventory.set_variable(shape.LISTENER, name, ready(value))

    @staticmethod
    def _notes(config, path):
        notes = [f"{path}: {note}" for note in config.notes]
        if config.servers:
            notes.append(UNVERIFIED.format(path=path))
        if config.tls and _dmtf_file.is_published_key(os.path.join(os.path.dirname(path), config.key)):
            notes.append(PUBLISHED.format(path=path))
        return notes


def ready(value):
    """Return a value as Ansible takes it: our templates are evaluated, what the file says never is."""
    if isinstance(value, shape.Template):
        return trust_as_template("".join(("", value)))
    if isinstance(value, dict):
        return {name: ready(item) for name, item in value.items()}
    if isinstance(value, list):
        return [ready(item) for item in value]
    if not isinstance(value, str):
        return value
    # Only what could be taken for a template is marked: the mark makes listings hard to read.
    return wrap_var(value) if "{" in value else trust_as_template(value)


def reference(path, name=None):
    """Return the template that finds a password in the file."""
    of = f", of={name!r}" if name else ""
    return shape.Template(f"{{{{ lookup('redfleet.events.dmtf_secret', {path!r}{of}) }}}}")


def generated(folder, name):
    """Return the template that makes up a secret once and keeps it, readable by its owner alone."""
    path = os.path.join(folder, ".redfleet", name)
    return shape.Template(
        f"{{{{ lookup('ansible.builtin.password', {path!r}, length=32, chars=['ascii_letters', 'digits']) }}}}"
    )


def unprivileged(folder):
    """Return the role's variables for somebody who isn't root: processes below the file's folder, as themselves."""
    base = os.path.join(folder, "event-listener")
    return {
        "ansible_become": False,
        "event_listener_service_manager": "process",
        "event_listener_user": getpass.getuser(),
        "event_listener_install_dir": os.path.join(base, "programs"),
        "event_listener_config_dir": os.path.join(base, "configuration"),
        "event_listener_state_dir": os.path.join(base, "data"),
        "event_listener_log_dir": os.path.join(base, "logs"),
    }
