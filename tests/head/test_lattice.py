"""Meshes of label volumes: conforming, well shaped, and of the volumes the labels have."""

import numpy as np
import pytest

from efield.head.lattice import Refinement, mesh_and_volumes, mesh_labels
from efield.head.mesh import HeadMesh
from efield.head.quality import face_neighbors, mesh_quality, tissue_pieces

RADII_MM = {3: 17.0, 4: 22.0, 5: 27.0}


def distances(shape, center=None):
    """(nx, ny, nz, 3) offsets of voxels of 1 mm from the middle of the volume."""
    middle = (np.array(shape) - 1) / 2 if center is None else np.array(center)
    return np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), axis=-1) - middle


def nested_spheres(n=60):
    r = np.linalg.norm(distances((n, n, n)), axis=-1)
    labels = np.zeros((n, n, n), dtype=np.uint8)
    for tag, radius in sorted(RADII_MM.items(), reverse=True):
        labels[r < radius] = tag
    return labels


def exact_volume(tag):
    inner = {3: 0.0, 4: RADII_MM[3], 5: RADII_MM[4]}[tag]
    return 4 / 3 * np.pi * (RADII_MM[tag] ** 3 - inner**3)


def folded_phantom():
    """White matter with folds 9 mm apart, 2.5 mm of gray on it, and CSF down to the bottom of the folds."""
    offset = distances((54, 54, 54))
    r = np.linalg.norm(offset, axis=-1)
    azimuth = np.arctan2(offset[..., 1], offset[..., 0])
    white = 14.0 + 3.5 * np.cos(8 * azimuth) * np.clip(np.hypot(offset[..., 0], offset[..., 1]) / 12, 0, 1)
    labels = np.zeros(r.shape, dtype=np.int16)
    for tag, radius in ((5, 26.0), (4, 24.0), (3, 21.5)):
        labels[r < radius] = tag
    labels[r < white + 2.5] = 2
    labels[r < white] = 1
    return labels


@pytest.fixture(scope="module")
def spheres() -> HeadMesh:
    return mesh_labels(nested_spheres(), np.eye(4))


@pytest.fixture(scope="module")
def coarse() -> HeadMesh:
    return mesh_labels(nested_spheres(), np.eye(4), scale=2.0)


def lopsided_labels():
    """Spheres with a bump on one side, so that no flip maps the volume onto itself."""
    labels = nested_spheres()
    labels[40:50, 30:38, 45:50] = 4
    return labels


@pytest.fixture(scope="module")
def lopsided() -> HeadMesh:
    return mesh_labels(lopsided_labels(), np.eye(4), scale=2.0)


@pytest.fixture(scope="module")
def folded() -> HeadMesh:
    return mesh_labels(folded_phantom(), np.eye(4), edge_mm={1: 3, 2: 2, 3: 2.5, 4: 3, 5: 4})


def assert_sound(head):
    """Conforming, nothing inverted or flat, a closed outer surface that nowhere touches itself."""
    quality = mesh_quality(head)
    assert quality.conforming
    assert quality.boundary_closed
    assert quality.boundary_manifold
    assert quality.min_dihedral_deg > 5
    assert head.volumes.min() > 0
    assert len(np.unique(head.tets)) == len(head.points)


def largest_piece_share(head, tag):
    neighbors = face_neighbors(head.tets, len(head.points))
    piece = tissue_pieces(head, neighbors)
    of_tag = head.tissue == tag
    volumes = np.bincount(piece[of_tag], head.volumes[of_tag])
    return volumes.max() / volumes.sum()


def test_nested_spheres_are_meshed_soundly(spheres):
    assert_sound(spheres)
    assert spheres.tags == (3, 4, 5)


def test_a_folded_phantom_is_meshed_soundly(folded):
    assert 20_000 < len(folded.tets) < 200_000
    assert_sound(folded)


def test_tets_fill_the_head_without_overlap(folded):
    # The divergence theorem over the outer faces gives the volume independently of the tetrahedra inside.
    neighbors = face_neighbors(folded.tets, len(folded.points))
    outward = np.array([[1, 2, 3], [0, 3, 2], [0, 1, 3], [0, 2, 1]])
    t, k = np.nonzero(neighbors == -1)
    a, b, c = (folded.points[folded.tets[t, outward[k, corner]]] for corner in range(3))
    enclosed = np.einsum("ij,ij->", np.cross(a, b), c) / 6
    assert enclosed == pytest.approx(folded.volumes.sum(), rel=1e-9)


def test_every_interface_of_a_folded_phantom_keeps_its_volume(folded):
    labels = folded_phantom()
    for tag in folded.tags:
        # Edges of 1.5 mm cannot follow every crest of folds 2.5 mm thick: 6 %.
        assert folded.tissue_volume_mm3(tag) == pytest.approx((labels == tag).sum(), rel=0.06)


def test_volumes_converge_to_the_spheres():
    errors = []
    for scale in (2.0, 1.0, 0.5):
        head, _ = mesh_and_volumes(nested_spheres(), np.eye(4), edge_mm={3: 5.0, 4: 5.0, 5: 5.0}, scale=scale)
        errors.append(max(abs(head.tissue_volume_mm3(t) / exact_volume(t) - 1) for t in head.tags))
    assert errors[1] < 0.5 * errors[0]
    # The voxels themselves are 0.5 % off.
    assert errors[2] < 0.01


def test_interface_nodes_lie_on_the_spheres(spheres):
    inner = np.unique(spheres.tets[spheres.tissue == 3])
    outer = np.unique(spheres.tets[spheres.tissue == 4])
    radius = np.linalg.norm(spheres.points[np.intersect1d(inner, outer)] - 29.5, axis=1)
    # The staircase of 1 mm voxels, smoothed, leaves about a tenth of a voxel.
    assert np.median(np.abs(radius - RADII_MM[3])) < 0.1
    assert np.abs(radius - RADII_MM[3]).max() < 0.6


def test_halving_the_scale_gives_about_eight_times_the_tets(spheres, coarse):
    assert 4 < len(spheres.tets) / len(coarse.tets) < 14


def test_a_sheet_of_two_voxels_stays_in_one_piece():
    r = np.linalg.norm(distances((56, 56, 56)), axis=-1)
    labels = np.zeros(r.shape, dtype=np.uint8)
    for tag, radius in ((5, 25.0), (3, 19.0), (2, 17.0)):
        labels[r < radius] = tag
    head = mesh_labels(labels, np.eye(4), edge_mm={2: 3.0, 3: 2.5, 5: 4.0})
    assert_sound(head)
    assert largest_piece_share(head, 3) > 0.999
    assert head.tissue_volume_mm3(3) == pytest.approx(4 / 3 * np.pi * (19**3 - 17**3), rel=0.05)


def test_a_fold_of_fluid_is_connected_with_the_fluid_outside(folded):
    assert largest_piece_share(folded, 3) > 0.99


def test_the_mesh_is_the_same_every_time(coarse):
    again = mesh_labels(nested_spheres(), np.eye(4), scale=2.0)
    assert np.array_equal(again.points, coarse.points)
    assert np.array_equal(again.tets, coarse.tets)
    assert np.array_equal(again.tissue, coarse.tissue)


def test_a_rigidly_moved_affine_moves_the_mesh(coarse):
    turn = np.eye(4)
    turn[:3, :3] = [[np.cos(0.3), -np.sin(0.3), 0], [np.sin(0.3), np.cos(0.3), 0], [0, 0, 1]]
    turn[:3, 3] = [5.0, -40.0, 12.0]
    moved = mesh_labels(nested_spheres(), turn, scale=2.0)
    assert np.array_equal(moved.tets, coarse.tets)
    # Rounding of two rigid transforms.
    np.testing.assert_allclose(moved.points, coarse.points @ turn[:3, :3].T + turn[:3, 3], atol=1e-9)


@pytest.mark.parametrize("flips", [(0,), (0, 1), (2,)], ids=["LAS", "LPS", "RAI"])
def test_the_storage_order_of_the_volume_does_not_matter(lopsided, flips):
    labels, affine = lopsided_labels(), np.eye(4)
    for axis in flips:
        labels = np.flip(labels, axis)
        affine[axis, axis], affine[axis, 3] = -1, labels.shape[axis] - 1
    other = mesh_labels(labels.transpose(2, 0, 1), affine[:, [2, 0, 1, 3]], scale=2.0)
    assert np.array_equal(other.tets, lopsided.tets)
    np.testing.assert_allclose(other.points, lopsided.points, atol=1e-9)


def test_oblong_voxels_give_round_spheres():
    offset = distances((60, 60, 30)) * [1, 1, 2]
    r = np.linalg.norm(offset, axis=-1)
    labels = np.where(r < 20, 1, np.where(r < 26, 2, 0))
    head = mesh_labels(labels, np.diag([1.0, 1.0, 2.0, 1.0]))
    assert_sound(head)
    assert np.ptp(head.points, axis=0) == pytest.approx([52, 52, 52], abs=1.5)
    assert head.tissue_volume_mm3(1) == pytest.approx(4 / 3 * np.pi * 20**3, rel=0.03)


def test_labels_that_touch_the_border_of_the_volume_are_closed_there():
    labels = nested_spheres()[:, :, 20:]
    head = mesh_labels(labels, np.eye(4))
    assert_sound(head)
    assert head.volumes.sum() == pytest.approx((labels > 0).sum(), rel=0.03)
    # The cut face lies half a voxel below the first voxel centers; nodes at its sharp rim keep some slack.
    assert head.points[:, 2].min() == pytest.approx(-0.5, abs=0.7)


def test_blocks_that_touch_along_an_edge_give_a_manifold():
    labels = np.zeros((40, 40, 40), dtype=np.uint8)
    labels[4:20, 4:20, 4:36] = 1
    labels[20:36, 20:36, 4:36] = 1
    assert_sound(mesh_labels(labels, np.eye(4), edge_mm={1: 4.0}))


def test_a_cavity_becomes_an_inner_surface():
    labels = nested_spheres()
    labels[labels == 3] = 0
    head = mesh_labels(labels, np.eye(4))
    assert_sound(head)
    assert head.tags == (4, 5)
    assert head.volumes.sum() == pytest.approx(exact_volume(4) + exact_volume(5), rel=0.03)


def test_tags_need_no_order_of_their_own():
    labels = nested_spheres()
    renamed = np.array([0, 0, 0, 501, 8, 2], dtype=np.int64)[labels]
    head = mesh_labels(renamed, np.eye(4), nesting=(501, 8, 2), edge_mm={501: 4.0, 8: 5.0, 2: 7.0})
    plain = mesh_labels(labels, np.eye(4), edge_mm={3: 4.0, 4: 5.0, 5: 7.0})
    assert head.tags == (2, 8, 501)
    assert np.array_equal(head.tets, plain.tets)
    assert np.array_equal(head.tissue == 501, plain.tissue == 3)


def test_refinement_makes_edges_finer_inside_its_sphere_only(spheres):
    center = np.array([29.5 + 22, 29.5, 29.5])
    fine = mesh_labels(nested_spheres(), np.eye(4), refine=[Refinement(center, 8.0, 0.4)])
    assert_sound(fine)

    def edge(head, near):
        gap = np.linalg.norm(head.barycenters - center, axis=1)
        chosen = gap < 7 if near else gap > 30
        return np.median(np.cbrt(6 * np.sqrt(2) * head.volumes[chosen]))

    assert edge(fine, near=True) < 0.55 * edge(spheres, near=True)
    assert edge(fine, near=False) == pytest.approx(edge(spheres, near=False), rel=0.1)


def test_spheres_along_a_path_cover_it():
    path = np.array([[0, 0, 0], [30, 0, 0], [30, 20, 0]])
    strip = Refinement.along(path, radius_mm=10.0, factor=0.5)
    along = np.concatenate([np.linspace(path[0], path[1], 50), np.linspace(path[1], path[2], 50)])
    gaps = np.linalg.norm(along[:, None] - np.array([s.center_mm for s in strip]), axis=2).min(axis=1)
    assert gaps.max() <= 2.5 + 1e-9
    assert {s.radius_mm for s in strip} == {10.0}


def test_progress_names_the_stages_in_order():
    seen = []
    mesh_labels(nested_spheres(), np.eye(4), scale=2.0, progress=lambda *told: seen.append(told))
    assert list(dict.fromkeys(stage for *_, stage in seen)) == ["level sets", "lattice", "interfaces", "smoothing"]
    done = [done for done, *_ in seen]
    assert done == sorted(done)
    assert {total for _, total, _ in seen} == {100}
    assert seen[-1] == (100, 100, "smoothing")
