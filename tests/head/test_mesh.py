"""HeadMesh refuses what is not a head in millimeters."""

import numpy as np
import pytest

from efield.ground.errors import InputError
from efield.head.mesh import HeadMesh

POINTS = np.array([[0.0, 0, 0], [100, 0, 0], [0, 100, 0], [0, 0, 100]])
TETS = np.array([[0, 1, 2, 3]])
TISSUE = np.array([5])


def head(points=POINTS, tets=TETS, tissue=TISSUE, **more):
    return HeadMesh(points=points, tets=tets, tissue=tissue, **more)


def test_volume_and_barycenter_of_the_corner_tetrahedron():
    mesh = head()
    assert mesh.volumes == pytest.approx([100**3 / 6])
    assert mesh.barycenters[0] == pytest.approx([25, 25, 25])
    assert mesh.tissue_volume_mm3(5) == pytest.approx(100**3 / 6)
    assert (mesh.points.dtype, mesh.tets.dtype, mesh.tissue.dtype) == (np.float64, np.int32, np.uint16)


def test_arrays_are_read_only():
    with pytest.raises(ValueError, match="read-only"):
        head().points[0, 0] = 1
    given = {"points": POINTS.astype(np.float64), "tets": TETS.astype(np.int32), "tissue": np.array([5], np.uint16)}
    mesh = head(**given)
    for name, values in given.items():
        before = getattr(mesh, name).copy()
        values += 1
        assert np.array_equal(getattr(mesh, name), before), name


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"points": POINTS / 1000}, "meters"),
        ({"points": POINTS * 1000}, "micrometers"),
        ({"points": np.where(POINTS == 100, np.nan, POINTS)}, "finite"),
        ({"points": POINTS[:, :2]}, "shape"),
        ({"tets": TETS[:, [0, 2, 1, 3]]}, "inverted"),
        ({"tets": np.array([[0, 1, 2, 2]])}, "flat"),
        ({"tets": np.array([[1, 2, 3, 4]])}, "start at 1"),
        ({"tets": TETS.astype(float)}, "integers"),
        ({"tets": np.zeros((0, 4), int), "tissue": np.zeros(0, int)}, "m >= 1"),
        ({"tissue": np.array([1, 2])}, "one tag per tetrahedron"),
        ({"tissue": np.array([-1])}, "tags"),
        ({"tissue": np.array([1.5])}, "tags"),
        ({"mni": np.zeros((4, 4))}, "invertible"),
    ],
)
def test_what_is_not_a_head_is_refused(change, words):
    with pytest.raises(InputError, match=words):
        head(**change)
