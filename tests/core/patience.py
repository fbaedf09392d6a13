"""Tests that wait for each other's threads, on machines that others use too."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

PATIENCE = 600.0
"""Seconds after which a test that waits for another thread gives up. No test waits for them to pass."""

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For hypothesis: what is slow here is the machine."""
