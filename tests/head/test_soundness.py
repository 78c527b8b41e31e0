"""A mesh that is cut, doubled or in parts is seen, and where; cavities and detached specks are no fault."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from efield.ground.errors import InputError
from efield.ground.pose import Pose
from efield.head.mesh import HeadMesh
from efield.head.soundness import check_sound, defects
from efield.head.spheres import sphere_head
from efield.io.meshes.meshdata import MeshData
from efield.io.meshes.repair import merge_nodes
from efield.targeting.simulate import Simulator
from tests.small import light_coil


@pytest.fixture(scope="module")
def whole():
    return sphere_head((60.0, 65.0, 72.0, 80.0), (2, 3, 4, 5), edge_mm=12.0)


def mesh_of(points, tets, tissue):
    return HeadMesh(points=points, tets=np.asarray(tets, dtype=np.int32), tissue=tissue)


def torn_off(head, chosen, shift=0.0):
    """The head with nodes of their own for some tetrahedra, moved a little toward their middle."""
    tets, points = np.array(head.tets), head.points
    nodes, corners = np.unique(tets[chosen], return_inverse=True)
    tets[chosen] = len(points) + corners.reshape(-1, 4)
    middle = points[nodes].mean(axis=0)
    way = middle - points[nodes]
    copies = points[nodes] + shift * way / np.linalg.norm(way, axis=1, keepdims=True)
    return mesh_of(np.vstack([points, copies]), tets, head.tissue)


def ball(head, radius=15.0, center=(0.0, 0.0, 60.0)):
    return np.flatnonzero(np.linalg.norm(head.barycenters - center, axis=1) < radius)


def cut_in_half(head):
    """Nodes of the plane are there twice, but for its rim: one mesh, one part, a slit through its middle."""
    upper = np.flatnonzero(head.barycenters[:, 2] > 0)
    shared = np.intersect1d(head.tets[upper], np.delete(head.tets, upper, axis=0))
    slit = shared[np.linalg.norm(head.points[shared], axis=1) < 50.0]
    tets = np.array(head.tets)
    copy = np.arange(len(head.points))
    copy[slit] = len(head.points) + np.arange(len(slit))
    tets[upper] = copy[tets[upper]]
    return mesh_of(np.vstack([head.points, head.points[slit]]), tets, head.tissue)


def unmerged(head):
    for tag in head.tags[1:]:
        head = torn_off(head, np.flatnonzero(head.tissue == tag))
    return head


def doubled(head, own_nodes):
    again = head.tets[ball(head)]
    both = mesh_of(head.points, np.vstack([head.tets, again]), np.concatenate([head.tissue, head.tissue[ball(head)]]))
    return torn_off(both, np.arange(len(head.tets), len(both.tets))) if own_nodes else both


def refined(head, chosen):
    """Some tetrahedra cut into eight, the others left: nodes hang on the faces between them."""
    points, ends = list(head.points), {}
    corners = {pair: k for k, pair in enumerate(combinations(range(4), 2))}

    def middle(pair):
        if pair not in ends:
            ends[pair] = len(points)
            points.append((head.points[pair[0]] + head.points[pair[1]]) / 2)
        return ends[pair]

    parts, tissue = [], []
    for tet, tag in zip(head.tets[chosen].tolist(), head.tissue[chosen].tolist(), strict=True):
        m = [middle(tuple(sorted((tet[a], tet[b])))) for a, b in corners]
        ab, ac, ad, bc, bd, cd = m
        a, b, c, d = tet
        eight = [(a, ab, ac, ad), (ab, b, bc, bd), (ac, bc, c, cd), (ad, bd, cd, d)]
        eight += [(ab, ac, ad, bd), (ab, ac, bd, bc), (ac, ad, bd, cd), (ac, bc, bd, cd)]
        parts += eight
        tissue += [tag] * 8
    rest = np.delete(np.arange(len(head.tets)), chosen)
    tets = np.vstack([head.tets[rest], parts])
    p = np.array(points)[tets]
    inverted = np.linalg.det(p[:, 1:] - p[:, :1]) < 0
    tets[inverted] = tets[inverted][:, [0, 2, 1, 3]]
    return mesh_of(np.array(points), tets, np.concatenate([head.tissue[rest], tissue]))


BROKEN = {
    "nodes twice on a cut": (cut_in_half, "cut", r"cut along .* mm\^2.*nodes lie where others do.*mesh repair"),
    "a piece torn off": (lambda h: torn_off(h, ball(h)), "cut", r"from \(-1\d, -1\d, \d\d\) to .*mesh repair"),
    "a piece with a gap": (lambda h: torn_off(h, ball(h), 0.04), "cut", r"mesh repair --tolerance 0\.05"),
    "a region twice": (lambda h: doubled(h, own_nodes=False), "crowded faces", "a region is there twice"),
    "a region twice, apart": (lambda h: doubled(h, own_nodes=True), "overlap", r"cm\^3 are meshed twice"),
    "tissues not merged": (unmerged, "cut", r"from \(-7\d, -7\d, -7\d\) to \(7\d, 7\d, 7\d\)"),
    "hanging nodes": (lambda h: refined(h, ball(h)), "cut", r"do not share their nodes.*mesh the head again"),
}


@pytest.mark.parametrize(("broken", "kind", "words"), BROKEN.values(), ids=BROKEN.keys())
def test_what_changes_the_field_is_refused_with_its_place(whole, broken, kind, words):
    head = broken(whole)
    assert kind in {defect.kind for defect in defects(head) if defect.harmful}
    with pytest.raises(InputError, match=words):
        check_sound(head)


def test_the_simulator_refuses_unless_told_to_go_on(whole):
    head = torn_off(whole, ball(whole))
    with pytest.raises(InputError, match="must be whole"):
        Simulator(head)
    assert Simulator(head, check_mesh=False).head is head
    with pytest.raises(InputError, match="true or false"):
        Simulator(head, check_mesh=0)


def test_insulated_brain_is_refused_and_specks_are_not(whole):
    for size, tag, harmful in ((0.05, 5, False), (0.05, 2, False), (0.14, 2, True), (0.14, 5, False), (0.4, 5, True)):
        points = np.vstack([whole.points, size * whole.points + [160, 0, 0]])
        tets = np.vstack([whole.tets, whole.tets + len(whole.points)])
        head = mesh_of(points, tets, np.concatenate([whole.tissue, np.full(len(whole.tets), tag)]))
        (found,) = defects(head)
        assert (found.kind, found.harmful) == ("insulated part", harmful)
        assert "from (1" in found.text


def test_cavities_and_wholes_are_sound(whole):
    assert defects(whole) == ()
    hollow = np.linalg.norm(whole.barycenters - [20, 0, 0], axis=1) > 25
    assert defects(mesh_of(whole.points, whole.tets[hollow], whole.tissue[hollow])) == ()
    check_sound(whole)


REPAIRED = ("nodes twice on a cut", "a piece torn off", "a region twice", "a region twice, apart", "tissues not merged")


@pytest.mark.parametrize("name", REPAIRED)
def test_merging_nodes_gives_the_whole_mesh_back(whole, name):
    broken = BROKEN[name][0](whole)
    size, count = np.linalg.norm(broken.barycenters, axis=1), np.arange(len(broken.points))
    faces = {"triangles": broken.tets[:5, :3], "triangle_tags": np.full(5, 1002), "triangle_entities": None}
    mesh = replace(MeshData.of_head(broken, {"n": count}, {"r": size}), **faces)
    found = merge_nodes(mesh)
    head = found.mesh.head()
    assert defects(head) == ()
    assert (len(head.points), len(head.tets)) == (len(whole.points), len(whole.tets))
    assert head.volumes.sum() == pytest.approx(whole.volumes.sum())
    assert found.merged == len(broken.points) - len(whole.points)
    assert found.copies == len(broken.tets) - len(whole.tets)
    np.testing.assert_allclose(np.linalg.norm(head.barycenters, axis=1), found.mesh.element_data["r"], rtol=1e-12)
    np.testing.assert_array_equal(broken.points[found.mesh.node_data["n"]], head.points)
    assert found.mesh.triangle_tags.tolist() == [1002] * 5


def mean_under_coil(head):
    """Mean |E| of the gray matter within 8 mm of a place under the coil, V/m."""
    pose = Pose.from_axes((0.0, 0, 90), (0, 1, 0), (0, 0, -1))
    field = Simulator(head, check_mesh=False).solve(light_coil(), pose, 1e6)
    near = (np.linalg.norm(head.barycenters - [0, 0, 55], axis=1) < 8) & (head.tissue == 2)
    return float(np.average(field.magnitude[near], weights=head.volumes[near]))


@pytest.mark.parametrize("name", ["a piece torn off", "a region twice"])
def test_a_broken_mesh_would_give_another_field_and_the_repaired_one_does_not(whole, name):
    broken, right = BROKEN[name][0](whole), mean_under_coil(whole)
    assert mean_under_coil(broken) < 0.75 * right
    repaired = merge_nodes(MeshData.of_head(broken)).mesh.head()
    # Nodes and elements are the same in another order: what is left is the solver's tolerance.
    assert mean_under_coil(repaired) == pytest.approx(right, rel=1e-6)


def test_a_gap_is_closed_only_with_a_tolerance_that_spans_it(whole):
    mesh = MeshData.of_head(torn_off(whole, ball(whole), 0.04))
    assert merge_nodes(mesh).merged == 0
    found = merge_nodes(mesh, 0.05)
    assert defects(found.mesh.head()) == ()
    with pytest.raises(InputError, match="tolerance"):
        merge_nodes(mesh, 5.0)


def test_a_tetrahedron_of_two_tissues_is_not_decided(whole):
    twice = mesh_of(whole.points, np.vstack([whole.tets, whole.tets[:1]]), np.append(whole.tissue, 9))
    with pytest.raises(InputError, match=r"1 are there twice, once as tag \d and once as tag 9"):
        merge_nodes(MeshData.of_head(twice))
