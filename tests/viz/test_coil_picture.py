"""The picture of a coil's field."""

import numpy as np
import pytest

from efield.coils.model import Coil
from efield.coils.shapes import circular
from efield.coils.winding import Winding
from efield.ground.errors import InputError
from efield.targeting.depth_spread import cortical_field, depth_spread
from efield.viz.coil_picture import coil_figure, save_coil_picture


@pytest.fixture(scope="module")
def ring():
    return circular(Winding(40, 60, 4, 2, 6), 4).coil("ring")


def test_the_map_shows_the_field_that_depth_and_spread_are_made_of(ring):
    field = cortical_field(ring)
    assert field.magnitude.max() == pytest.approx(depth_spread(ring).peak_v_per_m, rel=2e-3)
    assert np.allclose(np.linalg.norm(field.points_mm, axis=-1), 70.0)
    # Around the axis of a round coil |E| is the same everywhere, and zero on it.
    assert np.ptp(field.magnitude, axis=1).max() < 1e-3 * field.magnitude.max()
    assert field.magnitude[0].max() < 1e-3 * field.magnitude.max()


def test_a_picture_is_written(ring, tmp_path):
    save_coil_picture(tmp_path / "ring.png", ring, size=(900, 450))
    assert (tmp_path / "ring.png").read_bytes().startswith(b"\x89PNG")
    words = [text.get_text() for text in coil_figure(ring, size=(900, 450)).texts]
    assert any("ring" in word and "1 A/µs" in word for word in words)


def test_a_coil_of_dipoles_has_no_windings_to_draw(tmp_path):
    coil = Coil.from_dipoles([[0, 0, -8.0]], [[0, 0, 1e-3]], name="dipole")
    save_coil_picture(tmp_path / "dipole.png", coil, size=(900, 450))


def test_a_folder_that_is_missing_is_said(ring, tmp_path):
    with pytest.raises(InputError, match="must exist"):
        save_coil_picture(tmp_path / "none" / "ring.png", ring, size=(900, 450))
    with pytest.raises(InputError, match="suffix"):
        save_coil_picture(tmp_path / "ring.gif", ring)
    with pytest.raises(InputError, match="coil must be one of"):
        save_coil_picture(tmp_path / "ring.png", "d71")
