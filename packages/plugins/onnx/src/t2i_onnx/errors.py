"""The error of drawing without torch."""

from __future__ import annotations


class OnnxError(Exception):
    """An exported folder or a request cannot be used; the message is one sentence for the user."""
