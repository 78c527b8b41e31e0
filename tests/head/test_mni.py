"""Maps from MNI coordinates: what goes there comes back, and what is no map is refused."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

from efield.ground.errors import InputError, OutsideHeadError
from efield.head.mni import AffineMap, ReversedMap, WarpMap, as_map

SPACING = 4.0
LOW = np.array([-100.0, -130.0, -80.0])


def moved(points):
    """A smooth, one-to-one motion of a few mm on top of a rotation, a scale and a shift."""
    turn = Rotation.from_euler("xyz", (8, -5, 12), degrees=True).as_matrix() * (1.05, 0.95, 1.1)
    bend = 4.0 * np.sin(points[:, [1, 2, 0]] / 25.0)
    return points @ turn.T + bend + (12.0, -7.0, 30.0)


def warp(function=moved, *, affine=None, shape=(50, 60, 50), description="nonlinear warp of a test"):
    if affine is None:
        affine = np.diag([SPACING, SPACING, SPACING, 1.0])
        affine[:3, 3] = LOW
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1).reshape(-1, 3)
    field = function(index @ affine[:3, :3].T + affine[:3, 3]).reshape(*shape, 3)
    return WarpMap(field, affine, description)


@pytest.fixture(scope="module")
def bent():
    return warp()


@pytest.fixture(scope="module")
def brain_points():
    return np.random.default_rng(3).uniform((-70, -100, -50), (70, 70, 80), (400, 3))


def test_a_warp_gives_the_stored_coordinates_at_voxels_and_interpolates_between(bent, brain_points):
    voxels = LOW + SPACING * np.random.default_rng(1).integers(1, 45, (100, 3))
    assert_allclose(bent.to_head(voxels), moved(voxels), atol=1e-4)  # float32
    # Trilinear error is at most h^2/8 times the second derivatives: 3 axes of 4/25^2 mm per mm^2 at most.
    assert np.abs(bent.to_head(brain_points) - moved(brain_points)).max() < 3 * SPACING**2 / 8 * 4 / 25**2


def test_a_warp_of_an_affine_is_that_affine(brain_points):
    matrix = np.array([[1.1, 0.1, 0, 5], [0, 0.9, -0.1, 3], [0, 0.2, 1, -9], [0, 0, 0, 1]])
    stored = warp(AffineMap(matrix).to_head)
    assert_allclose(stored.to_head(brain_points), AffineMap(matrix).to_head(brain_points), atol=1e-4)
    assert_allclose(stored.from_head(brain_points), AffineMap(matrix).from_head(brain_points), atol=2e-3)


@pytest.mark.parametrize("kind", ["affine", "warp", "reversed"])
def test_what_is_mapped_to_the_head_comes_back(bent, brain_points, kind):
    maps = {"affine": AffineMap(np.diag([1.1, 0.9, 1.0, 1.0])), "warp": bent}
    points = brain_points
    if kind == "reversed":
        maps["reversed"], points = ReversedMap(bent), bent.to_head(brain_points)
    assert_allclose(maps[kind].from_head(maps[kind].to_head(points)), points, atol=0.003)


def test_a_warp_on_a_flipped_grid_is_the_same_warp(bent, brain_points):
    las = np.diag([-SPACING, SPACING, SPACING, 1.0])
    las[:3, 3] = LOW + np.array([49 * SPACING, 0, 0])
    assert_allclose(warp(affine=las).to_head(brain_points), bent.to_head(brain_points), atol=1e-4)


def test_a_point_outside_the_grid_is_refused_with_the_grid_named(bent):
    with pytest.raises(OutsideHeadError, match=r"\(-100, -130, -80\) to \(96, 106, 116\) mm.*first \(200, 0, 0\)"):
        bent.to_head([[0, 0, 0], [200.0, 0, 0]])
    with pytest.raises(OutsideHeadError, match="nonlinear warp of a test"):
        bent.from_head([[0, 0, 400.0]])


@pytest.mark.parametrize("empty", [np.nan, 0.0])
def test_voxels_without_a_value_are_not_interpolated(bent, empty):
    field = bent.field.copy()
    field[:, :20] = empty
    holed = WarpMap(field, bent.affine)
    assert_allclose(holed.to_head([[0, 20, 0]]), bent.to_head([[0, 20, 0]]))
    assert_allclose(holed.from_head(holed.to_head([[0.0, 20, 0]])), [[0, 20, 0]], atol=0.003)
    with pytest.raises(OutsideHeadError, match="empty voxels"):
        holed.to_head([[0, -90.0, 0]])


def test_one_voxel_at_the_origin_is_a_value():
    identity = warp(lambda points: points, description="identity")
    assert_allclose(identity.to_head([[0.0, 0, 0], [1, 2, 3]]), [[0, 0, 0], [1, 2, 3]], atol=1e-4)


@pytest.mark.parametrize(
    ("field", "words"),
    [
        (np.zeros((4, 4, 4, 3)), "most voxels"),
        (np.full((4, 4, 4, 3), 1e30), "damaged"),
        (np.full((4, 4, 4, 3), np.nan), "most voxels"),
        (np.ones((4, 4, 4, 2)), "shape"),
        (np.ones((4, 4, 1, 3)), "two voxels"),
        (np.ones((4, 4, 4)), "shape"),
        (np.full((4, 4, 4, 3), "x"), "shape"),
    ],
)
def test_what_is_no_warp_is_refused(field, words):
    with pytest.raises(InputError, match=words):
        WarpMap(field, np.diag([4.0, 4, 4, 1]))


def test_displacements_meters_and_mirrors_are_told_from_coordinates():
    with pytest.raises(InputError, match="displacements"):
        warp(lambda points: moved(points) - points)
    with pytest.raises(InputError, match="meters"):
        warp(lambda points: moved(points) / 1000)
    with pytest.raises(InputError, match="RAS"):
        warp(lambda points: moved(points) * (-1, 1, 1))


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (np.zeros((4, 4)), "invertible"),
        (np.eye(3), "4x4"),
        (np.diag([1.0, 1, 1, 2]), "last row"),
        (np.diag([-1.0, 1, 1, 1]), "mirrors"),
        (np.diag([1e-3, 1e-3, 1e-3, 1]), "invertible"),
        (np.full((4, 4), np.nan), "finite"),
        ("affine", "numbers"),
    ],
)
def test_what_is_no_affine_is_refused(matrix, words):
    with pytest.raises(InputError, match=words):
        as_map(matrix)


def test_a_matrix_is_an_affine_map_and_only_the_identity_says_so(bent):
    assert as_map(None) is None
    assert as_map(bent) is bent
    assert as_map(np.eye(4)).is_identity
    assert not as_map(np.diag([1.0, 1, 1.1, 1])).is_identity
    assert not bent.is_identity
    assert not ReversedMap(bent).is_identity
    assert ReversedMap(bent).description == "inverse of nonlinear warp of a test"
