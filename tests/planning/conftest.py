"""Shared by tests of planning: a coil of few sources."""

from dataclasses import replace

import pytest

from tests.small import coarse_sources


@pytest.fixture(scope="session")
def light(coil):
    """A figure-8 of twelve dipoles: a search looks at thousands of placements, and asks for nothing else of a coil."""
    return replace(coil, sources=coarse_sources(), casing_points_mm=coil.casing_points_mm[::8])
