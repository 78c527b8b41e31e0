"""The picture of coil axes shows what files are read with."""

import numpy as np
import pytest

from efield.viz.coil_axes import TITLES, axes_figure, axes_on_page, save_axes_picture

RIGHT, UP, OUT = np.eye(3)

#: By hand, for a coil on the vertex seen from above, nose up: where x, y and z point (as in test_frames.py).
SEEN = {
    "simnibs": (-RIGHT, UP, -OUT),
    "brainsight": (RIGHT, UP, OUT),
    "localite": (-OUT, -UP, -RIGHT),
    "softaxic": (UP, RIGHT, -OUT),
    "invesalius": (UP, -RIGHT, OUT),
    "handle": (RIGHT, -UP, -OUT),
}


@pytest.mark.parametrize("name", SEEN)
def test_axes_are_drawn_where_they_point(name):
    assert axes_on_page(name).tolist() == np.array(SEEN[name]).tolist()


def test_every_program_is_drawn_and_written(tmp_path):
    assert set(TITLES) == set(SEEN)
    figure = axes_figure(size=(900, 620))
    words = {text.get_text() for axes in figure.axes for text in axes.texts}
    assert {"handle", "induced\ncurrent", "z into the head", "z out of the head", "x into the head"} <= words
    save_axes_picture(tmp_path / "a.png", size=(900, 620))
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
