"""Errors that stop a tape from being written."""

from ..errors import UserError


class TapeFull(UserError):
    """The disk is full. The message says what was kept and how to go on."""
