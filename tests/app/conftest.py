"""Commands draw pictures; here they are small. Their real size is that of the tests of `efield.viz`."""

import pytest

from efield.viz import render
from efield.viz.picture import save_picture


@pytest.fixture(autouse=True)
def _small_pictures(monkeypatch):
    monkeypatch.setattr(render, "_OVERSAMPLING", 1)
    monkeypatch.setitem(save_picture.__kwdefaults__, "dpi", 75.0)
