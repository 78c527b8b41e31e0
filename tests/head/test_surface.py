"""Surfaces enclose their tissues and point outward."""

import numpy as np
import pytest

from efield.ground.errors import InputError
from efield.head.mesh import HeadMesh
from efield.head.spheres import sphere_head
from efield.head.surface import boundary, cortex, scalp

RADII = (70.0, 73.0, 79.0, 85.0)


@pytest.fixture(scope="module")
def head():
    return sphere_head(RADII, (2, 3, 4, 5), edge_mm=9.0)


def enclosed_volume(surface):
    corners = surface.points_mm[surface.triangles]
    return float(np.einsum("ij,ij->", np.cross(corners[:, 0], corners[:, 1]), corners[:, 2]) / 6)


def test_the_boundary_encloses_exactly_its_tissue(head):
    assert enclosed_volume(boundary(head)) == pytest.approx(head.volumes.sum(), rel=1e-12)
    assert enclosed_volume(boundary(head, (2,))) == pytest.approx(head.tissue_volume_mm3(2), rel=1e-12)


def test_a_shell_is_bounded_by_two_surfaces_and_the_outer_is_the_larger(head):
    shell = boundary(head, (4,))
    assert enclosed_volume(shell) == pytest.approx(head.tissue_volume_mm3(4), rel=1e-12)
    outer = shell.largest_component()
    assert np.allclose(np.linalg.norm(outer.points_mm, axis=1), RADII[2])


def test_every_edge_of_the_scalp_is_shared_by_two_triangles(head):
    edges = np.sort(scalp(head).triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    counts = np.unique(edges, axis=0, return_counts=True)[1]
    assert (counts == 2).all()


def test_normals_point_out(head):
    surface = scalp(head)
    radial = surface.points_mm / np.linalg.norm(surface.points_mm, axis=1, keepdims=True)
    assert np.einsum("ij,ij->i", surface.normals, radial).min() > 0.999
    assert np.allclose(np.linalg.norm(surface.normals, axis=1), 1)


def test_owners_are_the_tetrahedra_behind_the_triangles(head):
    surface = cortex(head)
    assert (head.tissue[surface.owners] == 2).all()
    of_owner = head.tets[surface.owners]
    nodes = surface.nodes[surface.triangles]
    assert all(np.isin(nodes[k], of_owner[k]).all() for k in range(0, len(nodes), 97))


def test_a_surface_is_computed_once_per_head(head):
    assert scalp(head) is scalp(head)


@pytest.mark.parametrize("tags", [(2,), (2, 3), (4, 5)])
@pytest.mark.parametrize("twice", [0, 40])
def test_a_boundary_is_made_of_the_faces_that_one_of_its_tetrahedra_has(head, tags, twice):
    again = np.linspace(0, len(head.tets) - 1, twice).astype(int)
    tets, tissue = np.concatenate([head.tets, head.tets[again]]), np.concatenate([head.tissue, head.tissue[again]])
    given = HeadMesh(points=head.points, tets=tets, tissue=tissue)
    faces = tets[np.isin(tissue, tags)][:, [[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]]].reshape(-1, 3)
    found, counts = np.unique(np.sort(faces, axis=1), axis=0, return_counts=True)
    surface = boundary(given, tags)
    triangles = np.unique(np.sort(surface.nodes[surface.triangles], axis=1), axis=0)
    assert np.array_equal(triangles, found[counts == 1])


def test_absent_tissue_is_refused(head):
    with pytest.raises(InputError, match="occur in the head"):
        boundary(head, (9,))
    with pytest.raises(InputError, match="gray matter"):
        cortex(HeadMesh(points=head.points, tets=head.tets, tissue=np.full(len(head.tets), 5)))
