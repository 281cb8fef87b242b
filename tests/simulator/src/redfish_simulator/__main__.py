# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m redfish_simulator` is the command `redfish-simulator`."""

from .cli import main

if __name__ == "__main__":
    main()
