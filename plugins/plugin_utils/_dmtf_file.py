# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens a DMTF configuration. It is parsed once per process and version: each worker asks for a fleet's passwords."""

from __future__ import annotations

import functools
import hashlib
import os
from pathlib import Path

from ansible.errors import AnsibleParserError
from ansible_collections.redfleet.events.plugins.plugin_utils._dmtf_config import (
    PUBLISHED_KEY_SHA256,
    DmtfConfig,
    DmtfConfigError,
    parse,
)


def load(path: str) -> DmtfConfig:
    """Return what the file says.

    :raises AnsibleParserError: with every problem of the file, one per line.
    """
    try:
        status = os.stat(path)
        return _parsed(path, status.st_mtime_ns, status.st_size)
    except (OSError, UnicodeError) as error:
        raise AnsibleParserError(f"{path} can't be read: {error}") from error
    except DmtfConfigError as error:
        listed = "\n".join(f"  {problem}" for problem in error.problems)
        raise AnsibleParserError(f"{path} can't be used:\n{listed}") from None


@functools.lru_cache(maxsize=4)
def _parsed(path: str, _mtime: int, _size: int) -> DmtfConfig:
    return parse(Path(path).read_text(encoding="utf-8"))


def is_published_key(path: str) -> bool:
    """Whether a private key is the one that anybody can download with the DMTF tool."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest() == PUBLISHED_KEY_SHA256
    except OSError:
        return False
