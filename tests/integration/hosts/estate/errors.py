# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong with the estate, in two kinds: this machine can't hold one, or a host misbehaves."""


class EstateUnavailable(Exception):  # noqa: N818 - it is a reason to skip, not a failure of the estate
    """This machine can't hold an estate; the text says what is missing and how to get it."""


class HostError(Exception):
    """A host of the estate did not do what was asked of it."""
