"""The gap between coil and scalp is the true one, its sign says overlap, and coils are moved until they touch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from efield.coils.casing import Casing
from efield.coils.model import Coil
from efield.ground.errors import CollisionError
from efield.ground.pose import Pose
from efield.head.mesh import HeadMesh
from efield.head.spheres import sphere_head
from efield.head.surface import scalp
from efield.targeting import collision
from efield.targeting.collision import (
    GAP_TOLERANCE_MM,
    TOUCHING_MM,
    clearance_mm,
    lift_clear,
    scalp_distance,
    touch,
)
from efield.targeting.placement import check_clear, place_coil

SCALP_MM = 85.0

#: Flat triangles with 9 mm edges lie up to h^2 / (6 R) inside the sphere they approximate.
FACETS_MM = 0.35

#: Sums of a few hundred millimeters in float64.
ROUNDING_MM = 1e-9

BOX = np.array([(x, y, z) for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 0.0)])
BOX_FACES = np.array(
    [
        (0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5), (0, 4, 5), (0, 5, 1),
        (2, 3, 7), (2, 7, 6), (0, 2, 6), (0, 6, 4), (1, 5, 7), (1, 7, 3),
    ]
)  # fmt: skip


@pytest.fixture(scope="module")
def head():
    return sphere_head((70.0, 73.0, 79.0, SCALP_MM), (2, 3, 4, 5), edge_mm=9.0)


def above(distance, x=0.0):
    return Pose.from_axes((x, 0, SCALP_MM + distance), y=(0, 1, 0), z=(0, 0, -1))


def boxed(half=(60.0, 40.0, 10.0)):
    """A closed box with its face at z = 0: 12 large triangles, and sources well inside."""
    coil = Coil.from_dipoles([[0, 0, -5.0]], [[0, 0, 1.0]], name="box")
    return coil.with_casing(Casing(BOX * half, BOX_FACES))


@pytest.fixture(scope="module")
def sampled_scalp(head):
    """Places on every triangle of the scalp, 3 mm apart at most."""
    surface = scalp(head)
    return Casing(surface.points_mm, surface.triangles).samples_mm(3.0)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_the_signed_distance_is_the_smallest_over_all_triangles_and_negative_inside(head, sampled_scalp, seed):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(40, 3))
    points *= (rng.uniform(40, 130, 40) / np.linalg.norm(points, axis=1))[:, None]
    found = scalp_distance(head)(points)
    # Independent: the nearest sample is at most 3 mm farther than the surface.
    reference = cKDTree(sampled_scalp).query(points)[0]
    assert (np.abs(found) <= reference + ROUNDING_MM).all()
    assert (np.abs(found) >= reference - 3.0).all()
    radius = np.linalg.norm(points, axis=1)
    clear = np.abs(radius - SCALP_MM) > FACETS_MM
    assert np.array_equal(found[clear] > 0, radius[clear] > SCALP_MM)
    assert np.allclose(found, radius - SCALP_MM, atol=FACETS_MM)


def test_the_sign_is_exact_at_a_sharp_corner():
    """One tetrahedron: its corners are where the nearest triangle's own normal can tell the wrong side."""
    points = np.array([[0, 0, 0], [100.0, 0, 0], [0, 100.0, 0], [0, 0, 100.0]])
    head = HeadMesh(points=points, tets=np.array([[0, 1, 2, 3]]), tissue=np.array([5]))
    rng = np.random.default_rng(2)
    probes = np.repeat(points, 50, axis=0) + rng.normal(scale=4.0, size=(200, 3))
    weights = np.linalg.solve(np.vstack([points.T, np.ones(4)]), np.vstack([probes.T, np.ones(200)])).T
    inside = (weights > 0).all(axis=1)
    assert 0 < inside.sum() < 100
    assert np.array_equal(scalp_distance(head)(probes) < 0, inside)


@pytest.mark.parametrize("shape", ["points", "surface"])
def test_what_was_seen_elsewhere_on_a_slide_changes_nothing(head, shape):
    """A bent sheet of 2000 points, or a box: in and out of the head by little and by much, and turned."""
    rng = np.random.default_rng(4)
    sheet = rng.uniform(-70, 70, size=(2000, 3)) * (1, 0.6, 0)
    sheet[:, 2] = 0.3 * np.abs(sheet[:, 0])
    coil = boxed() if shape == "surface" else Coil.from_dipoles(sheet, np.tile([0.0, 0, 1.0], (2000, 1)))
    pose = above(9.0)
    for turn in (0.0, 0.3, 0.3):
        pose = Pose(pose.matrix @ _turned(turn))
        slide = collision._Slide(head, coil, pose)
        for out in (0.0, 0.5, -0.01, 6.0, 25.0, -3.0, -3.02, -14.0, -11.0, 0.0):
            fresh = clearance_mm(head, coil, pose.moved((0, 0, -out)))
            assert slide.clearance(out) == pytest.approx(fresh, abs=ROUNDING_MM)
            if shape == "points":
                points = pose.moved((0, 0, -out)).to_head(sheet)
                assert fresh == pytest.approx(scalp_distance(head)(points).min(), abs=ROUNDING_MM)


def _turned(angle):
    return np.block([[Rotation.from_rotvec((0, angle, 0)).as_matrix(), np.zeros((3, 1))], [0, 0, 0, 1]])


@pytest.mark.parametrize("distance", [0.5, 4.0, 30.0])
def test_a_flat_casing_over_a_sphere_is_as_far_as_it_was_put(head, distance):
    assert clearance_mm(head, boxed(), above(distance)) == pytest.approx(distance, abs=FACETS_MM)


def test_large_triangles_count_as_a_whole_not_only_at_their_corners(head):
    """The box's corners are 60 mm out; its flat face meets the sphere in the middle."""
    coil = boxed()
    corners = np.asarray(coil.casing.points_mm)
    by_corners = scalp_distance(head)(above(2.0).to_head(corners)).min()
    assert by_corners > 20
    assert clearance_mm(head, coil, above(2.0)) == pytest.approx(2.0, abs=FACETS_MM)


def test_between_two_edges_the_distance_is_exact():
    """Two tetrahedra whose nearest features are edges that cross in view: no corner or face is as near."""
    points = np.array([[-50.0, 0, 0], [50.0, 0, 0], [0, 30.0, -60], [0, -30.0, -60]])
    tets = np.array([[0, 1, 2, 3]])
    head = HeadMesh(points=points, tets=tets if _volume(points) > 0 else tets[:, [1, 0, 2, 3]], tissue=np.array([5]))
    wedge = Casing(
        [[0, -50.0, 0], [0, 50.0, 0], [30, 0, -60], [-30, 0, -60]], [[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]]
    )
    coil = Coil.from_dipoles([[0, 0, -40.0]], [[0, 0, 1.0]]).with_casing(wedge)
    pose = Pose.from_axes((1.3, 0.7, 7.0), y=(0, 1, 0), z=(0, 0, -1))
    assert clearance_mm(head, coil, pose) == pytest.approx(7.0, abs=ROUNDING_MM)


def _volume(p):
    return np.dot(np.cross(p[1] - p[0], p[2] - p[0]), p[3] - p[0])


@pytest.mark.parametrize("depth", [0.3, 2.0, 8.0])
def test_an_overlap_is_negative_by_its_depth(head, depth):
    # Samples are at most 3 mm apart, so the deepest may miss the deepest place by 3^2 / (2 * 85) mm.
    assert clearance_mm(head, boxed(), above(-depth)) == pytest.approx(-depth, abs=FACETS_MM + 0.06)


def test_a_thin_blade_that_cuts_the_scalp_without_a_corner_inside_is_an_overlap(head):
    blade = Casing([[-400.0, 0, 0.2], [400.0, 0, 0.2], [0, 300.0, -300.0]], [[0, 1, 2]])
    coil = Coil.from_dipoles([[0, 0, -100.0]], [[0, 0, 1.0]]).with_casing(blade)
    assert clearance_mm(head, coil, above(0.0)) < 0


def test_a_surface_and_points_that_cover_it_agree(head):
    coil = boxed()
    points = Coil(name="points", sources=coil.sources, casing_points_mm=coil.casing.samples_mm(1.0))
    for pose in (above(5.0, x=30.0), above(12.0), above(-1.0)):
        assert clearance_mm(head, points, pose) == pytest.approx(clearance_mm(head, coil, pose), abs=0.1)


def test_windings_count_where_the_casing_covers_the_front_only(head):
    """Upside down, the windings are nearer to the head than the casing's face."""
    ring = np.array([[20.0, 0, -10], [0, 20.0, -10], [-20.0, 0, -10], [20.0, 0, -10]])
    coil = Coil(
        name="upside",
        sources=Coil.from_segments(ring[:-1], ring[1:]).sources,
        windings=(ring,),
        casing_points_mm=[[0, 0, 0.0]],
    )
    pose = Pose.from_axes((0, 0, SCALP_MM + 5), y=(0, 1, 0), z=(0, 0, 1))
    with pytest.raises(CollisionError, match="upside is inside by"):
        check_clear(head, coil, pose)


@pytest.mark.parametrize("start", [-6.0, 3.0, 80.0])
def test_a_coil_is_moved_along_its_axis_until_it_touches(head, start):
    pose = touch(head, boxed(), above(start, x=10.0))
    assert 0 <= clearance_mm(head, boxed(), pose) <= TOUCHING_MM
    assert pose.center_mm[:2] == pytest.approx([10.0, 0.0])


def test_a_coil_beside_the_head_never_touches(head):
    with pytest.raises(CollisionError, match="passes beside"):
        touch(head, boxed((5, 5, 5)), above(10.0, x=300.0))


def test_a_clear_coil_is_not_lifted_and_a_buried_one_just_enough(head):
    pose = above(1.0)
    assert lift_clear(head, boxed(), pose) is pose
    lifted = lift_clear(head, boxed(), above(-5.0))
    assert 0 <= clearance_mm(head, boxed(), lifted) <= TOUCHING_MM


def test_placement_holds_a_bent_casing_at_the_distance(head):
    roof = Casing(
        [[-60.0, -30, 40], [-60, 30, 40], [0, -30, 0.0], [0, 30, 0], [60, -30, 40], [60, 30, 40]],
        [[0, 1, 2], [1, 3, 2], [2, 3, 4], [3, 5, 4]],
    )
    coil = Coil.from_dipoles([[0, 0, -10.0]], [[0, 0, 1.0]]).with_casing(roof)
    pose = place_coil(head, (0, 0, 60), 0, 1.0, coil=coil)
    assert clearance_mm(head, coil, pose) == pytest.approx(1.0, abs=GAP_TOLERANCE_MM)
    assert np.linalg.norm(pose.center_mm) > SCALP_MM + 5


def test_a_coil_of_unknown_shape_is_taken_to_be_a_flat_plate(head):
    assert clearance_mm(head, None, above(4.0)) == pytest.approx(4.0, abs=FACETS_MM + 0.1)
