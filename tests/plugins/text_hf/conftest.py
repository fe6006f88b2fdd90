"""A Hub on loopback with the real client turned to it."""

from __future__ import annotations

from fakes.hub import cache as cache
from fakes.hub import hub as hub
from fakes.hub import server as server
