"""Fixtures of the conformance checks' tests."""

from __future__ import annotations

from fakes.distributions import site as site
