"""A Hub on loopback used by the real client."""

from __future__ import annotations

from fakes.hub import cache as cache
from fakes.hub import hub as hub
from fakes.hub import server as server
