"""The shipped head is sound, faithful to its label volume, and fine where it matters."""

import json

import numpy as np
import pytest
from scipy.spatial import cKDTree

from efield.ground.errors import FileFormatError, InputError
from efield.head import template
from efield.head.quality import face_neighbors, mesh_quality, outer_faces, tissue_pieces
from efield.head.template import load_template, template_path

HAND_KNOB_MM = np.array([-37.0, -21.0, 58.0])  # a Talairach coordinate (Mayka 2006) that lies in the knob here
WHITE, GRAY, CSF = 1, 2, 3


@pytest.fixture(scope="module")
def head():
    return load_template("mni152")


@pytest.fixture(scope="module")
def facts():
    return json.loads(template_path("mni152").with_suffix(".json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def quality(head):
    return mesh_quality(head)


@pytest.fixture(scope="module")
def neighbors(head):
    return face_neighbors(head.tets, len(head.points))


@pytest.fixture(scope="module")
def in_strips(head, facts):
    spheres = np.array(facts["refined_spheres_mm"])
    low, high = (spheres[:, :3] - spheres[:, 3:]).min(axis=0), (spheres[:, :3] + spheres[:, 3:]).max(axis=0)
    near = np.flatnonzero(((head.barycenters >= low) & (head.barycenters <= high)).all(axis=1))
    inside = np.zeros(len(head.tets), dtype=bool)
    for *center, radius in spheres:
        inside[near] |= ((head.barycenters[near] - center) ** 2).sum(axis=1) <= radius**2
    return inside


def face_centers(head, neighbors, inner, outer):
    """Centers of the faces between the tissues `inner` and the tissues `outer`."""
    beyond = np.where(neighbors >= 0, head.tissue[neighbors], 0)
    t, k = np.nonzero(np.isin(head.tissue, inner)[:, None] & np.isin(beyond, outer))
    corners = np.stack([head.tets[t, (k + step) % 4] for step in (1, 2, 3)], axis=1)
    return head.points[corners].mean(axis=1)


def test_the_head_has_five_tissues_and_a_usable_size(head):
    assert head.tags == (1, 2, 3, 4, 5)
    assert 1_200_000 <= len(head.tets) <= 1_850_000
    assert len(np.unique(head.tets)) == len(head.points)
    assert head.mni.is_identity


def test_the_file_is_small():
    assert template_path("mni152").stat().st_size < 20e6


def test_no_tetrahedron_is_flat_or_inverted(head, quality):
    assert head.volumes.min() > 0
    assert quality.min_dihedral_deg > 5
    assert quality.p5_radius_ratio > 0.25


def test_the_mesh_conforms_and_the_scalp_is_a_closed_manifold(quality):
    assert quality.conforming
    assert quality.boundary_closed
    assert quality.boundary_manifold


def test_only_scalp_is_at_the_surface(head, neighbors):
    assert set(head.tissue[(neighbors == -1).any(axis=1)]) == {5}


@pytest.mark.parametrize("tag", [1, 2, 3, 4, 5])
def test_every_tissue_keeps_the_volume_of_its_labels(head, facts, tag):
    assert head.tissue_volume_mm3(tag) == pytest.approx(facts["label_volume_mm3"]["overall"][str(tag)], rel=0.12)


@pytest.mark.parametrize("tag", [WHITE, GRAY, CSF])
def test_along_the_motor_strips_the_volumes_are_closer(head, facts, in_strips, tag):
    volume = head.volumes[in_strips & (head.tissue == tag)].sum()
    assert volume == pytest.approx(facts["label_volume_mm3"]["refined"][str(tag)], rel=0.05)


def test_gray_edges_along_the_motor_strips_are_1_to_1_5_mm(head, in_strips):
    gray = in_strips & (head.tissue == GRAY)
    corners = head.points[head.tets[gray]]
    pairs = [(i, j) for i in range(3) for j in range(i + 1, 4)]
    edges = np.concatenate([np.linalg.norm(corners[:, i] - corners[:, j], axis=1) for i, j in pairs])
    assert 1.0 <= np.median(edges) <= 1.5
    away = head.points[head.tets[~in_strips & (head.tissue == 5)]]
    assert np.median(np.linalg.norm(away[:, 0] - away[:, 1], axis=1)) > 3.0


@pytest.mark.parametrize("side", [1, -1])
def test_both_hand_knobs_are_refined(in_strips, head, side):
    near = np.linalg.norm(head.barycenters - HAND_KNOB_MM * [side, 1, 1], axis=1) < 10
    assert near.any()
    assert in_strips[near].all()


def test_gray_matter_is_2_to_3_5_mm_thick(head, neighbors):
    pial = face_centers(head, neighbors, [WHITE, GRAY], [CSF, 4, 5])
    white = face_centers(head, neighbors, [WHITE], [GRAY])
    # Above the temporal lobes and the cerebellum gray matter is cortex, but for the nuclei, whose gray has no CSF.
    cortex = pial[pial[:, 2] > 30]
    thickness, _ = cKDTree(white).query(cortex)
    assert 2.0 <= np.median(thickness) <= 3.5


def test_sulcal_fluid_at_the_hand_knob_is_connected_with_the_fluid_outside(head, neighbors):
    piece = tissue_pieces(head, neighbors)
    fluid = head.tissue == CSF
    largest = np.argmax(np.bincount(piece[fluid], head.volumes[fluid]))
    skull = face_centers(head, neighbors, [CSF], [4])
    for side in (1, -1):
        near = fluid & (np.linalg.norm(head.barycenters - HAND_KNOB_MM * [side, 1, 1], axis=1) < 18)
        depth, _ = cKDTree(skull).query(head.barycenters[near])
        sulcal, volumes = depth > 6.0, head.volumes[near]
        connected = piece[near] == largest
        assert volumes[sulcal].sum() > 300
        assert volumes[sulcal & connected].sum() > 0.99 * volumes[sulcal].sum()
        # The fluid reaches down to the fundus of the sulcus in one piece, 15 mm and more under the skull.
        assert depth[connected].max() > 15.0


def test_the_crown_of_the_hand_knob_lies_at_its_known_depth(head, neighbors):
    scalp = head.points[np.unique(outer_faces(head.tets, neighbors))]
    pial = face_centers(head, neighbors, [WHITE, GRAY], [CSF])
    near = pial[np.linalg.norm(pial - HAND_KNOB_MM, axis=1) < 18]
    depth, _ = cKDTree(scalp).query(near)
    # Scalp to cortex over M1 is 10 to 20 mm (Stokes et al. 2005, J Neurophysiol 94:4520: about 15 mm).
    assert 10.0 < depth.min() < 20.0


def test_a_misspelled_name_is_answered_with_the_nearest():
    with pytest.raises(InputError, match="did you mean 'mni152'"):
        load_template("mni125")


def test_a_missing_file_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setattr(template, "_PACKAGE", tmp_path / "efield")
    with pytest.raises(FileFormatError, match="install efield again"):
        load_template("mni152")


def test_a_damaged_file_says_how_to_replace_it(monkeypatch, tmp_path):
    (tmp_path / "meshes").mkdir()
    (tmp_path / "meshes" / "mni152.npz").write_bytes(b"PK\x03\x04 and nothing more")
    monkeypatch.setattr(template, "_PACKAGE", tmp_path)
    with pytest.raises(FileFormatError, match=r"damaged.*install efield again"):
        load_template("mni152")
