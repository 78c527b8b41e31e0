"""Which way a coil induces is its own, is said, and does not change what an angle means."""

import numpy as np
import pytest

from efield.coils import catalog
from efield.coils.drive import Drive
from efield.coils.model import Coil
from efield.coils.polarity import induced_direction, induced_words, signed, turn_deg
from efield.coils.primary import dadt
from efield.ground.errors import InputError
from efield.ground.pose import Pose

#: As measured on the coils' models: -A at 20 mm.
DIRECTIONS = {
    "magstim-70mm-figure8": (0, 1, 0),
    "magstim-25mm-figure8": (0, 1, 0),
    "magstim-double-cone": (0, -1, 0),
    "magventure-c-b60": (0, -1, 0),
    "magventure-mc-b70": (0, -1, 0),
    "magventure-twin": (0, -1, 0),
    "magstim-70mm-circular": None,
    "circular-90mm": None,
}


def wings(turn):
    """Two dipoles side by side, a figure-8 whose induced current is `turn` degrees from +y toward +x."""
    angle = np.radians(turn)
    depth = np.array([0, 0, 5.0])
    across = 30 * np.array([np.cos(angle), -np.sin(angle), 0])
    return Coil.from_dipoles([across - depth, -across - depth], [[0, 0, 1e-3], [0, 0, -1e-3]])


def test_every_coil_of_the_catalog_induces_as_the_measured_models_do():
    assert {name: induced_direction(catalog.load_named(name)) for name in catalog.names()} == DIRECTIONS


@pytest.mark.parametrize(
    ("turn", "words"), [(0, "+y, away from the handle"), (180, "-y, toward the handle"), (90, "+x"), (-90, "-x")]
)
def test_the_direction_is_that_of_minus_a(turn, words):
    coil = wings(turn)
    induced = -dadt(coil, Pose(np.eye(4)), [[0, 0, 20.0]], 1.0)[0]
    np.testing.assert_allclose(induced_direction(coil), induced / np.linalg.norm(induced), atol=1e-3)
    assert induced_words(coil) == words
    assert turn_deg(coil) == turn % 360
    assert turn_deg(coil, "reverse") == (turn + 180) % 360


def test_a_direction_near_an_axis_is_that_axis_and_others_are_kept():
    assert turn_deg(wings(6)) == 0
    assert turn_deg(wings(30)) == pytest.approx(30, abs=0.1)
    assert turn_deg(None) == 0


def test_reverse_is_the_other_sign_and_other_words_are_refused():
    coil, pose = wings(0), Pose(np.eye(4))
    assert Drive(coil, pose, 2e6, current="reverse").didt == -2e6
    assert signed(2e6, "normal") == 2e6
    with pytest.raises(InputError, match="current must be one of normal, reverse"):
        Drive(coil, pose, 2e6, current="backward")
    with pytest.raises(InputError, match="looks like A/us"):
        Drive(coil, pose, 80)
