"""Mesh quality figures agree with closed forms, and unsound surfaces are found."""

from itertools import pairwise

import numpy as np
import pytest

from efield.head.mesh import HeadMesh
from efield.head.quality import face_neighbors, mesh_quality, outer_faces, pinched_nodes

#: Corners of the unit cube, x fastest, and its five tetrahedra of positive volume.
CUBE = np.array([[x, y, z] for z in (0, 1) for y in (0, 1) for x in (0, 1)], dtype=float)
FIVE_TETS = np.array([[0, 1, 2, 4], [1, 3, 2, 7], [1, 5, 7, 4], [2, 7, 6, 4], [1, 7, 2, 4]])


def head_of(points, tets, size_mm=100.0):
    tets = np.atleast_2d(tets)
    return HeadMesh(points=np.asarray(points, dtype=float) * size_mm, tets=tets, tissue=np.full(len(tets), 5))


def regular():
    return head_of([[1, 1, 1], [1, -1, -1], [-1, -1, 1], [-1, 1, -1]], [0, 1, 2, 3])


def test_the_regular_tetrahedron_is_perfect():
    quality = mesh_quality(regular())
    assert quality.min_dihedral_deg == pytest.approx(np.degrees(np.arccos(1 / 3)), rel=1e-12)
    assert quality.max_dihedral_deg == pytest.approx(quality.min_dihedral_deg, rel=1e-12)
    assert quality.min_radius_ratio == pytest.approx(1.0, rel=1e-12)


def test_a_cube_corner_has_its_known_angles_and_radii():
    quality = mesh_quality(head_of([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], [0, 1, 2, 3]))
    assert quality.min_dihedral_deg == pytest.approx(np.degrees(np.arctan(np.sqrt(2))), rel=1e-12)
    assert quality.max_dihedral_deg == pytest.approx(90.0, rel=1e-12)
    # r_in = 1 / (3 + sqrt 3), r_out = sqrt(3) / 2.
    assert quality.min_radius_ratio == pytest.approx(3 * 2 / np.sqrt(3) / (3 + np.sqrt(3)), rel=1e-12)


@pytest.mark.parametrize("height", [1e-1, 1e-3, 1e-5])
def test_flat_tetrahedra_show_their_small_angle_without_loss_of_digits(height):
    quality = mesh_quality(head_of([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, height]], [0, 1, 2, 3]))
    assert quality.min_dihedral_deg == pytest.approx(np.degrees(np.arctan(height * np.sqrt(2))), rel=1e-6)


def test_quality_does_not_depend_on_place_size_or_node_order():
    rng = np.random.default_rng(7)
    points = rng.normal(size=(4, 3))
    if np.linalg.det(points[1:] - points[0]) < 0:
        points[[0, 1]] = points[[1, 0]]
    one = mesh_quality(head_of(points, [0, 1, 2, 3], 50.0))
    other = mesh_quality(head_of(points[[1, 2, 0, 3]] + 0.5, [0, 1, 2, 3], 200.0))
    assert one.min_dihedral_deg == pytest.approx(other.min_dihedral_deg, rel=1e-9)
    assert one.min_radius_ratio == pytest.approx(other.min_radius_ratio, rel=1e-9)


def test_a_cube_of_five_tetrahedra_is_sound():
    quality = mesh_quality(head_of(CUBE, FIVE_TETS))
    assert quality.conforming
    assert quality.boundary_closed
    assert quality.boundary_manifold
    assert (quality.n_points, quality.n_tets) == (8, 5)
    assert quality.tissue_volume_mm3 == {5: pytest.approx(1e6)}


def test_neighbors_share_three_nodes_and_the_central_tetrahedron_touches_all():
    neighbors = face_neighbors(FIVE_TETS, 8)
    assert sorted(neighbors[4]) == [0, 1, 2, 3]
    for t, row in enumerate(neighbors):
        for k, other in enumerate(row):
            if other >= 0:
                assert set(np.delete(FIVE_TETS[t], k)) <= set(FIVE_TETS[other])
    assert len(outer_faces(FIVE_TETS.astype(np.int32), neighbors)) == 12


def test_tetrahedra_that_share_only_an_edge_are_no_manifold():
    points = np.array([[0, 0, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0]])
    quality = mesh_quality(head_of(points, [[0, 2, 3, 1], [0, 4, 5, 1]]))
    assert quality.conforming
    assert quality.boundary_closed
    assert not quality.boundary_manifold


def test_tetrahedra_that_share_only_a_node_are_no_manifold():
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [-1, 0, 0], [0, -1, 0], [0, 0, -1]])
    head = head_of(points, [[0, 1, 2, 3], [0, 5, 4, 6]])
    assert not mesh_quality(head).boundary_manifold
    faces = outer_faces(head.tets, face_neighbors(head.tets, 7))
    assert pinched_nodes(faces).tolist() == [0]


def test_a_surface_with_a_hole_is_not_a_manifold():
    faces = outer_faces(FIVE_TETS.astype(np.int32), face_neighbors(FIVE_TETS, 8))
    assert len(pinched_nodes(faces)) == 0
    assert set(pinched_nodes(faces[1:])) == set(faces[0])


def test_pieces_of_a_tissue_are_counted_across_faces():
    head = HeadMesh(points=CUBE * 100, tets=FIVE_TETS, tissue=np.array([2, 2, 2, 2, 1]))
    assert mesh_quality(head).pieces == {1: 1, 2: 4}
    assert mesh_quality(head_of(CUBE, FIVE_TETS)).pieces == {5: 1}


def test_an_empty_surface_has_no_pinched_nodes():
    assert len(pinched_nodes(np.empty((0, 3), dtype=np.int32))) == 0


def test_three_tetrahedra_on_one_face_do_not_conform():
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, -1], [0.2, 0.2, 0.5]])
    assert not mesh_quality(head_of(points, [[0, 1, 2, 3], [0, 2, 1, 4], [0, 1, 2, 5]])).conforming


def test_percentiles_lie_between_the_extremes():
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], *[[0, 0, h] for h in (0.1, 0.4, 1.0)]])
    tets = [[0, 1, 2, 3], [3, 1, 2, 4], [4, 1, 2, 5]]
    quality = mesh_quality(head_of(points, tets))
    ordered = (quality.min_dihedral_deg, quality.p5_dihedral_deg, quality.max_dihedral_deg)
    assert all(low <= high for low, high in pairwise(ordered))
    assert quality.min_radius_ratio <= quality.p5_radius_ratio <= 1
