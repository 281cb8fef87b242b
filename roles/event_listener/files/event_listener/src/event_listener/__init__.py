# SPDX-License-Identifier: GPL-3.0-or-later
"""A receiver for Redfish events that acknowledges what is on disk, and nothing else."""

__version__ = "0.1.0"
