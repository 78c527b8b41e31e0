"""Sphere heads: conforming, exact radii, even elements."""

import numpy as np
import pytest

from efield.ground.errors import InputError
from efield.head.spheres import sphere_head


def distinct(nodes, size):
    """Edges or faces of several nodes, each once, and how often it is there."""
    keys, count = np.unique(np.sort(nodes, axis=1) @ size ** np.arange(nodes.shape[1]), return_counts=True)
    return np.stack(np.unravel_index(keys, (size,) * nodes.shape[1]), axis=1), count


def edges(head):
    pairs = np.concatenate([head.tets[:, [a, b]] for a in range(4) for b in range(a)])
    return distinct(pairs, len(head.points))[0]


def faces(head):
    triangles = np.concatenate([np.delete(head.tets, k, axis=1) for k in range(4)])
    return distinct(triangles, len(head.points))


def smallest_dihedral_deg(head):
    corners = head.points[head.tets]
    angles = []
    for i, j, k, m in ((0, 1, 2, 3), (0, 2, 1, 3), (0, 3, 1, 2), (1, 2, 0, 3), (1, 3, 0, 2), (2, 3, 0, 1)):
        axis = corners[:, j] - corners[:, i]
        n1, n2 = np.cross(axis, corners[:, k] - corners[:, i]), np.cross(axis, corners[:, m] - corners[:, i])
        cosine = np.einsum("ij,ij->i", n1, n2) / np.linalg.norm(n1, axis=1) / np.linalg.norm(n2, axis=1)
        angles.append(np.degrees(np.arccos(cosine)).min())
    return min(angles)


@pytest.fixture(scope="module")
def head():
    return sphere_head(edge_mm=6.0)


def test_every_radius_carries_nodes_and_splits_the_tissues(head):
    radius = np.linalg.norm(head.points, axis=1)
    for tag, (low, high) in zip((2, 3, 4, 5), ((0, 70), (70, 73), (73, 79), (79, 85)), strict=True):
        of_tissue = radius[np.unique(head.tets[head.tissue == tag])]
        assert of_tissue.min() == pytest.approx(low, abs=1e-9)
        assert of_tissue.max() == pytest.approx(high, abs=1e-9)


def test_mesh_is_conforming_and_closed(head):
    triangles, count = faces(head)
    assert count.max() == 2
    surface = triangles[count == 1]
    assert np.linalg.norm(head.points[surface], axis=2) == pytest.approx(85, abs=1e-9)
    # Euler characteristic of a ball: vertices - edges + faces - tets = 1.
    assert len(head.points) - len(edges(head)) + len(triangles) - len(head.tets) == 1


def test_volumes_approach_the_spheres_at_second_order():
    def defect(edge_mm):
        return 1 - sphere_head((85.0,), (5,), edge_mm=edge_mm).volumes.sum() / (4 / 3 * np.pi * 85**3)

    assert 0 < defect(6.0) < 0.003
    assert np.log2(defect(12.0) / defect(6.0)) == pytest.approx(2, abs=0.3)


@pytest.mark.parametrize("edge_mm", [5.0, 8.0, 12.0])
def test_mean_edge_is_as_asked_and_elements_are_well_shaped(edge_mm):
    ball = sphere_head((85.0,), (2,), edge_mm=edge_mm)
    ends = ball.points[edges(ball)]
    length = np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1)
    assert length.mean() == pytest.approx(edge_mm, rel=0.08)
    assert length.max() < 2.2 * length.min()
    assert smallest_dihedral_deg(ball) > 30


def test_thin_shells_get_one_layer_each():
    head = sphere_head((78.0, 80.0, 86.0, 92.0), (2, 3, 4, 5), edge_mm=15.0)
    assert head.tags == (2, 3, 4, 5)
    assert smallest_dihedral_deg(head) > 10


def test_the_same_call_gives_the_same_mesh(head):
    again = sphere_head(edge_mm=6.0)
    assert np.array_equal(head.points, again.points)
    assert np.array_equal(head.tets, again.tets)


@pytest.mark.parametrize(
    ("radii", "tags", "edge", "message"),
    [
        ((70, 60), (1, 2), 5, "ascending"),
        ((0, 60), (1, 2), 5, "positive"),
        ((), (), 5, "positive"),
        ((60, 70), (1,), 5, "one tag per radius"),
        ((60, 70), (1, 2), 0, "edge_mm must be > 0"),
        ((60, 70), (1, 2), 0.1, "at most 120 layers"),
    ],
)
def test_unusable_spheres_are_refused(radii, tags, edge, message):
    with pytest.raises(InputError, match=message):
        sphere_head(radii, tags, edge_mm=edge)
