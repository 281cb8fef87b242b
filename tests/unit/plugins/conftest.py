# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes `import ansible_collections.redfleet.events` mean this checkout, as `make setup` does for ansible itself."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TREE = ROOT / ".build" / "dev"

link = TREE / "ansible_collections" / "redfleet" / "events"
link.parent.mkdir(parents=True, exist_ok=True)
if not link.is_symlink():
    link.symlink_to("../../../..", target_is_directory=True)
sys.path.insert(0, str(TREE))
