"""The locator against looking into every tetrahedron."""

import numpy as np
import pytest

from efield.ground.errors import InputError
from efield.head.locate import Locator
from efield.head.mesh import HeadMesh
from efield.head.spheres import sphere_head


@pytest.fixture(scope="module")
def head():
    return sphere_head(edge_mm=16.0)


@pytest.fixture(scope="module")
def locator(head):
    return Locator(head)


def test_found_tetrahedra_are_those_of_brute_force(head, locator):
    targets = np.random.default_rng(0).uniform(-90, 90, (400, 3))
    tet, weights = locator.find(targets)
    origin = head.points[head.tets[:, 0]]
    frame = np.linalg.inv(np.stack([head.points[head.tets[:, k]] - origin for k in (1, 2, 3)], axis=2))
    for target, found, weight in zip(targets, tet, weights, strict=True):
        local = np.einsum("ijk,ik->ij", frame, target - origin)
        inside = np.flatnonzero(np.minimum(local.min(axis=1), 1 - local.sum(axis=1)) >= -1e-9)
        assert found == (inside[0] if len(inside) else -1)
        if len(inside):
            np.testing.assert_allclose(weight[1:], local[found], atol=1e-9)
        else:
            assert np.isnan(weight).all()


def test_weights_bring_the_point_back(head, locator):
    targets = np.random.default_rng(1).uniform(-45, 45, (1000, 3))
    tet, weights = locator.find(targets)
    assert (tet >= 0).all()
    np.testing.assert_allclose(np.einsum("ij,ijk->ik", weights, head.points[head.tets[tet]]), targets, atol=1e-9)


def test_nodes_and_centers_are_inside(head, locator):
    assert (locator.find(head.points)[0] >= 0).all()
    assert np.array_equal(locator.find(head.barycenters)[0], np.arange(len(head.tets)))


def test_order_of_the_points_does_not_matter(locator):
    targets = np.random.default_rng(2).uniform(-90, 90, (300, 3))
    order = np.random.default_rng(3).permutation(300)
    assert np.array_equal(locator.find(targets)[0][order], locator.find(targets[order])[0])


def test_far_points_and_no_points_are_answered(locator):
    assert (locator.find([[1e12, 0, 0], [-1e12, 0, 0]])[0] == -1).all()
    assert locator.find(np.zeros((0, 3)))[1].shape == (0, 4)


def test_unused_nodes_far_away_cost_nothing(head):
    points = np.concatenate([head.points, [[1e7, 0, 0]]])
    far = Locator(HeadMesh(points=points, tets=head.tets, tissue=head.tissue))
    assert far.find([[0, 0, 50.0]])[0] >= 0


def test_unusable_points_are_refused(locator):
    with pytest.raises(InputError, match="finite"):
        locator.find([[0, 0, np.nan]])
    with pytest.raises(InputError, match="shape"):
        locator.find([0, 0, 0])
