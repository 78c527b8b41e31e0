"""Commands draw pictures; here they are small."""

import pytest


@pytest.fixture(autouse=True)
def _small_pictures(small_pictures):
    pass
