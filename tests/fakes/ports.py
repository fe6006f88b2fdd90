"""Ports for servers that cannot choose their own."""

from __future__ import annotations

import socket


def free_port() -> int:
    """A port of loopback on which nothing listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
