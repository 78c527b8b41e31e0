"""Grids of placements: at every position what `place_coil` does there."""

import numpy as np
import pytest

from efield.ground.errors import InputError
from efield.ground.pose import Pose
from efield.head.spheres import sphere_head
from efield.head.surface import scalp
from efield.sweeping.grid import COORDINATES, PlacementGrid, Placements
from efield.targeting.collision import GAP_TOLERANCE_MM, clearance_mm
from efield.targeting.placement import place_coil, scalp_point_over, scalp_tree

ROUNDING = 1e-9

#: The points of a casing are 3 mm apart: over a sphere the nearest may be this much farther than the casing (mm).
BETWEEN_POINTS = 0.05


@pytest.fixture(scope="module")
def grid():
    return PlacementGrid(
        radius_mm=12.0, spacing_mm=6.0, angles_deg=(0, 45, 200), tilts_deg=((0, 0), (6, -3)), distances_mm=(4, 9)
    )


@pytest.fixture(scope="module")
def laid(grid, head, target, coil):
    return grid.on(head, target, coil, lift=False)


def test_each_placement_is_that_of_place_coil_over_its_point(grid, laid, head, coil):
    known = laid.coordinates
    upright = np.flatnonzero((known["tilt_x_deg"] == 0) & (known["tilt_y_deg"] == 0))
    for number in upright[:: max(1, len(upright) // 20)]:
        place = (laid.plane @ [known["u_mm"][number], known["v_mm"][number], 0, 1])[:3]
        alone = place_coil(head, place, known["angle_deg"][number], known["distance_mm"][number], coil=coil)
        found = Pose(laid.matrices[number])
        np.testing.assert_allclose(found.rotation, alone.rotation, atol=ROUNDING)
        lifted = (alone.center_mm - found.center_mm) @ -found.z
        assert lifted >= -BETWEEN_POINTS
        np.testing.assert_allclose(found.center_mm - lifted * found.z, alone.center_mm, atol=1e-6)


def test_coils_hang_at_their_distance_over_the_scalp(grid, laid, head):
    surface, tree = scalp(head), scalp_tree(head)
    known = laid.coordinates
    for number in range(0, len(laid), 17):
        place = (laid.plane @ [known["u_mm"][number], known["v_mm"][number], 0, 1])[:3]
        foot, outward = scalp_point_over(surface, tree, place)
        off = laid.matrices[number, :3, 3] - foot
        assert off @ outward == pytest.approx(known["distance_mm"][number], abs=ROUNDING)
        assert np.linalg.norm(np.cross(off, outward)) < 1e-6


def test_tilts_turn_about_the_axes_of_the_coil(grid, laid):
    known = laid.coordinates
    flat = laid.matrices[(known["tilt_x_deg"] == 0) & (known["tilt_y_deg"] == 0)]
    tilted = laid.matrices[known["tilt_x_deg"] == 6]
    np.testing.assert_allclose(flat[:, :3, 3], tilted[:, :3, 3], atol=ROUNDING)
    x, y, z = (flat[:, :3, k] for k in range(3))
    # The front goes to the head: y gains of z by the sine of the tilt about x; the axis z leaves by both.
    toward = np.einsum("ij,ij->i", tilted[:, :3, 1], z)
    np.testing.assert_allclose(toward, np.sin(np.radians(6)), atol=ROUNDING)
    left = np.einsum("ij,ij->i", -tilted[:, :3, 0], z)
    # Positive about y brings -x to the head; here it is negative.
    assert (left < 0).all()
    cosine = np.einsum("ij,ij->i", tilted[:, :3, 2], z)
    np.testing.assert_allclose(cosine, np.cos(np.radians(6)) * np.cos(np.radians(3)), atol=ROUNDING)
    np.testing.assert_allclose(np.linalg.det(tilted[:, :3, :3]), 1, atol=ROUNDING)
    assert np.abs(np.einsum("ij,ij->i", x, y)).max() < ROUNDING


@pytest.mark.parametrize(("pattern", "neighbors"), [("square", 4), ("hex", 6)])
def test_positions_have_their_neighbors_at_the_spacing(pattern, neighbors):
    offsets = PlacementGrid(radius_mm=20.0, spacing_mm=4.0, pattern=pattern).offsets_mm
    distance = np.linalg.norm(offsets[:, None] - offsets, axis=2) + 99 * np.eye(len(offsets))
    assert distance.min() == pytest.approx(4.0)
    center = np.flatnonzero(np.linalg.norm(offsets, axis=1) < ROUNDING)
    assert len(center) == 1
    assert np.isclose(distance[center[0]], 4.0).sum() == neighbors
    assert np.linalg.norm(offsets, axis=1).max() <= 20.0 * (1 + 1e-9)


def test_there_are_as_many_on_any_head(grid, laid, coil):
    other = sphere_head((60.0, 63.0, 69.0, 75.0), (2, 3, 4, 5), edge_mm=15.0)
    again = grid.on(other, "C3", coil)
    assert len(again) == len(laid) == grid.count == np.prod(grid.shape)
    assert set(again.coordinates) == set(COORDINATES)
    for name in ("position", "u_mm", "v_mm", "angle_deg", "distance_mm"):
        np.testing.assert_array_equal(again.coordinates[name], laid.coordinates[name])


def test_u_is_medial_and_v_is_anterior(grid, head):
    for place, medial in (("C3", 1.0), ("C4", -1.0)):
        plane = grid.on(head, place).plane
        assert plane[0, 0] * medial > 0.3
        assert plane[1, 1] > 0.8


def test_coils_are_held_with_the_distance_as_smallest_gap_and_say_how_far_out_that_is(head, target, coil):
    close = PlacementGrid(
        radius_mm=10.0, spacing_mm=10.0, angles_deg=(0, 90), tilts_deg=((0, 0), (20, 0)), distances_mm=(0.5, 20)
    )
    raw, held = close.on(head, target, coil, lift=False), close.on(head, target, coil)
    moved = raw.matrices[:, :3, 3] - held.matrices[:, :3, 3]
    up = np.einsum("ij,ij->i", moved, raw.matrices[:, :3, 2])
    np.testing.assert_allclose(up, held.coordinates["lifted_mm"], atol=1e-9)
    assert held.coordinates["lifted_mm"].max() > 1
    gaps = np.array([clearance_mm(head, coil, pose) for pose in held.poses])
    # Of a coil without a casing the origin keeps its distance, too.
    as_laid = held.coordinates["lifted_mm"] == 0
    distance = held.coordinates["distance_mm"]
    np.testing.assert_allclose(gaps[~as_laid], distance[~as_laid], atol=GAP_TOLERANCE_MM)
    assert (gaps[as_laid] >= distance[as_laid] - GAP_TOLERANCE_MM).all()


def test_reverse_turns_the_handles_and_not_the_induced_current(head, target, coil):
    grid = PlacementGrid(radius_mm=0.0, angles_deg=(0, 45))
    normal, reverse = (grid.on(head, target, coil, current=current) for current in ("normal", "reverse"))
    np.testing.assert_allclose(normal.matrices[:, :3, 1], -reverse.matrices[:, :3, 1], atol=1e-12)
    with pytest.raises(InputError, match="current"):
        grid.on(head, target, coil, current="back")


def test_parts_of_placements_keep_what_is_known(laid):
    part = laid[3:9]
    assert len(part) == 6
    np.testing.assert_array_equal(part.coordinates["angle_deg"], laid.coordinates["angle_deg"][3:9])
    np.testing.assert_allclose(part.poses[2].matrix, laid.matrices[5], atol=1e-12)
    assert Placements.of(laid) is laid
    assert len(Placements.of(part.poses)) == 6


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"angles_deg": ()}, "angles_deg"),
        ({"angles_deg": (0, 0)}, "once"),
        ({"angles_deg": (-90, 0, 270)}, "360 degrees apart"),
        ({"distances_mm": (0,)}, "distances_mm"),
        ({"spacing_mm": 0}, "spacing_mm"),
        ({"radius_mm": -1}, "radius_mm"),
        ({"tilts_deg": ((1, 2, 3),)}, "tilts_deg"),
        ({"tilts_deg": ((90, 0),)}, "tilts_deg"),
        ({"pattern": "star"}, "pattern"),
        ({"spacing_mm": 0.05, "radius_mm": 60}, "at most"),
        ({"angles_deg": ("north",)}, "angles_deg"),
    ],
)
def test_a_wrong_grid_is_refused_by_name(wrong, words):
    with pytest.raises(InputError, match=words):
        PlacementGrid(**wrong)


def test_matrices_that_are_no_poses_are_refused():
    with pytest.raises(InputError, match="rigid"):
        Placements(np.diag([1.0, 1.0, -1.0, 1.0])[None])
    with pytest.raises(InputError, match=r"\(p, 4, 4\)"):
        Placements(np.eye(4))
    with pytest.raises(InputError, match="angle_deg"):
        Placements(np.eye(4)[None], {"angle_deg": np.zeros(2)})
