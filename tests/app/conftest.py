"""Commands draw pictures; here they are small, and blank where nobody looks at them."""

import pytest
from matplotlib.figure import Figure

from efield.viz import picture


@pytest.fixture
def drawn():
    """For tests of what `efield simulate` draws."""


@pytest.fixture(autouse=True)
def _small_pictures(request, small_pictures, monkeypatch):
    if "drawn" not in request.fixturenames:
        monkeypatch.setattr(picture, "field_figure", lambda *_, **__: Figure())
