"""Fixtures of the registry's tests."""

from __future__ import annotations

from fakes.distributions import site as site
