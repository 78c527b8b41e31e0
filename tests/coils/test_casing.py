"""A casing covers its coil."""

import numpy as np
import pytest

from efield.coils.casing import Casing, joined
from efield.coils.model import Coil
from efield.ground.errors import InputError

TRIANGLE = np.array([[0.0, 0, 0], [60, 0, 0], [0, 80, 0]])


def test_samples_leave_no_place_uncovered():
    casing = Casing(TRIANGLE, [[0, 1, 2]])
    samples = casing.samples_mm(3.0)
    weights = np.random.default_rng(0).dirichlet(np.ones(3), 2000)
    gap = np.linalg.norm((weights @ TRIANGLE)[:, None] - samples, axis=2).min(axis=1)
    assert gap.max() < 3.0
    assert np.isin([0.0, 60.0], samples[:, 0]).all()


def test_a_coil_in_a_casing_is_tested_by_it():
    coil = Coil.from_dipoles([[0, 0, -5.0]], [[0, 0, 1.0]])
    dressed = coil.with_casing(Casing(TRIANGLE, [[0, 1, 2]]))
    assert coil.casing is None
    assert len(dressed.casing_points_mm) > 100
    assert dressed.sources == coil.sources


def test_casings_are_moved_and_joined():
    shift = np.eye(4)
    shift[:3, 3] = 5.0
    both = joined([Casing(TRIANGLE, [[0, 1, 2]]), Casing(TRIANGLE, [[0, 1, 2]]).moved(shift)])
    assert len(both) == 2
    assert np.array_equal(both.corners_mm[1], TRIANGLE + 5.0)
    assert joined([]) is None


@pytest.mark.parametrize(
    ("points", "triangles", "message"),
    [
        (TRIANGLE, [[0, 1, 3]], "points 0 to 2"),
        (TRIANGLE, [[0, 1, -1]], "points 0 to 2"),
        (TRIANGLE, [[0, 1]], "whole numbers"),
        (TRIANGLE, [[0.0, 1, 2]], "whole numbers"),
        (TRIANGLE, [[0, 1, 1]], "an area"),
        (TRIANGLE * np.nan, [[0, 1, 2]], "finite"),
    ],
)
def test_bad_casings_are_refused(points, triangles, message):
    with pytest.raises(InputError, match=message):
        Casing(points, triangles)
