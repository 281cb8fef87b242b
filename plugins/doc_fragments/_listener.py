# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all modules that talk to the event listener have in common."""

from __future__ import annotations


class ModuleDocFragment:
    """Connection options; the argument spec is C(CONNECTION) in plugins/module_utils/_listener.py."""

    DOCUMENTATION = r"""
options:
  url:
    description:
      - Address of the listener's management API.
      - By default it listens on loopback only, so the task runs on the listener's host (C(delegate_to)).
    type: str
    default: http://127.0.0.1:9440
  token:
    description: A token of the listener's setting C(manage.tokens).
    type: str
  validate_certs:
    description: Whether the certificate of an V(https) address is verified.
    type: bool
    default: true
  ca_path:
    description: File with the certificate authorities to trust, instead of those of the system.
    type: path
  timeout:
    description: Seconds to wait for each answer.
    type: int
    default: 30
  use_proxy:
    description: Whether the proxy variables of the environment are followed.
    type: bool
    default: false
"""

    ATTRIBUTES = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and says what would change, without changing it.
  diff_mode:
    description: Returns what changed, or would change in check mode.
  action_group:
    description: Use C(module_defaults) with the group to set the connection options once.
    support: full
    membership:
      - redfleet.events.listener
"""
