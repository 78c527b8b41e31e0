"""Local refinement: the same head, conforming, with shorter edges around a place."""

import numpy as np
import pytest
from scipy.spatial import Delaunay

from efield.ground.errors import InputError, OutsideHeadError
from efield.head.locate import Locator
from efield.head.mesh import HeadMesh
from efield.head.quality import mesh_quality
from efield.head.refinement import refined_head
from efield.head.spheres import sphere_head

PLACE = np.array([0.0, 20.0, 60.0])


def delaunay_head():
    """A mesh of random points, as other programs make them, without its flattest tetrahedra."""
    points = np.array([0.0, 20.0, 40.0]) + np.random.default_rng(0).uniform(-60, 60, (700, 3))
    tets = Delaunay(points).simplices
    six = np.linalg.det(points[tets[:, 1:]] - points[tets[:, :1]])
    tets = np.where((six > 0)[:, None], tets, tets[:, [0, 1, 3, 2]])[np.abs(six) > 1.0]
    return HeadMesh(points, tets, np.where(points[tets].mean(axis=1)[:, 2] > 45, 3, 2))


@pytest.fixture(scope="module", params=["sphere", "delaunay"])
def given(request):
    return sphere_head(edge_mm=9.0) if request.param == "sphere" else delaunay_head()


@pytest.fixture(scope="module")
def finer(given):
    return refined_head(given, PLACE, (20.0, 12.0))


def test_the_finer_head_conforms_and_fills_the_same_space(given, finer):
    before, after = mesh_quality(given), mesh_quality(finer.head)
    assert after.conforming
    assert after.boundary_closed == before.boundary_closed
    assert after.tissue_volume_mm3 == pytest.approx(before.tissue_volume_mm3)
    assert len(finer.head.points) > len(given.points)


def test_parts_lie_in_their_parents(given, finer):
    volumes = np.bincount(finer.parents, finer.head.volumes, minlength=len(given.tets))
    np.testing.assert_allclose(volumes, given.volumes, rtol=1e-9)
    assert np.array_equal(finer.head.tissue, given.tissue[finer.parents])
    corners = given.points[given.tets[finer.parents]]
    weights = np.linalg.solve(
        np.swapaxes(corners[:, 1:] - corners[:, :1], 1, 2), (finer.head.barycenters - corners[:, 0])[..., None]
    )[..., 0]
    assert weights.min() > 0
    assert weights.sum(axis=1).max() < 1


def test_what_is_not_cut_keeps_its_number(given, finer):
    n, m = len(given.points), len(given.tets)
    assert np.array_equal(finer.head.points[:n], given.points)
    assert np.array_equal(finer.parents[:m], np.arange(m))
    whole = np.bincount(finer.parents, minlength=m) == 1
    assert np.array_equal(finer.head.tets[:m][whole], given.tets[whole])
    assert whole.mean() > 0.3


def test_each_halving_leaves_eight_equal_parts():
    head = sphere_head(edge_mm=14.0)
    near = np.linalg.norm(head.barycenters - PLACE, axis=1) < 10
    for times in (1, 2):
        finer = refined_head(head, PLACE, (40.0,) * times, surface_mm=0.0)
        assert (np.bincount(finer.parents)[near] == 8**times).all()
        ratio = finer.head.volumes * 8**times / head.volumes[finer.parents]
        np.testing.assert_allclose(ratio[near[finer.parents]], 1.0, rtol=1e-9)


def test_at_surfaces_of_gray_matter_edges_are_halved_once_more(given):
    flat = refined_head(given, PLACE, (20.0,), surface_mm=0.0)
    finer = refined_head(given, PLACE, (20.0,), surface_mm=18.0)
    head = flat.head
    tissues = [set() for _ in head.points]
    for tet, tag in zip(head.tets, head.tissue, strict=True):
        for node in tet:
            tissues[node].add(int(tag))
    at_surface = np.array(
        [tag == 2 and any(len(tissues[n]) > 1 for n in tet) for tet, tag in zip(head.tets, head.tissue, strict=True)]
    )
    near = np.linalg.norm(head.barycenters - PLACE, axis=1) < 18.0
    parts = np.bincount(Locator(head).find(finer.head.barycenters)[0], minlength=len(head.tets))
    assert (at_surface & near).any()
    assert (parts[at_surface & near] == 8).all()
    assert (parts[~(at_surface & near)] < 8).all()
    assert mesh_quality(finer.head).conforming


def test_surfaces_may_reach_farther_than_what_was_halved_before(given):
    finer = refined_head(given, PLACE, (3.0,), surface_mm=30.0)
    others = np.zeros(len(given.points), dtype=bool)
    others[given.tets[given.tissue != 2]] = True
    far = np.linalg.norm(given.barycenters - PLACE, axis=1)
    chosen = (given.tissue == 2) & others[given.tets].any(axis=1) & (far > 22.0) & (far < 30.0)
    assert chosen.any()
    assert (np.bincount(finer.parents, minlength=len(given.tets))[chosen] == 8).all()
    assert mesh_quality(finer.head).conforming


def test_shapes_suffer_beside_what_is_halved_only():
    head = sphere_head(edge_mm=14.0)
    before = mesh_quality(head)
    after = mesh_quality(refined_head(head, (0, 0, 60), (25.0, 17.0)).head)
    # Cut once more where it was cut in part before: a quarter of the angle.
    assert after.min_dihedral_deg > 0.2 * before.min_dihedral_deg
    assert after.p5_dihedral_deg > 0.9 * before.p5_dihedral_deg


def test_short_edges_are_left():
    head = sphere_head(edge_mm=9.0)
    assert len(refined_head(head, (0, 0, 60), (20.0,), shortest_mm=100.0).head.tets) == len(head.tets)


def test_a_place_inside_a_large_tetrahedron_is_refined():
    corners = 60.0 * np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    head = HeadMesh(points=corners, tets=[[0, 1, 2, 3]], tissue=[2])
    assert len(refined_head(head, (2, 2, 2), (5.0,)).head.tets) == 8


def test_a_place_outside_is_refused():
    head = sphere_head(edge_mm=14.0)
    with pytest.raises(OutsideHeadError, match=r"within 10 mm of \(0, 0, 200\)"):
        refined_head(head, (0, 0, 200))
    with pytest.raises(InputError, match="radii_mm"):
        refined_head(head, (0, 0, 60), (-1.0,))
    for wrong in (-1.0, np.nan):
        with pytest.raises(InputError, match="surface_mm"):
            refined_head(head, (0, 0, 60), surface_mm=wrong)
