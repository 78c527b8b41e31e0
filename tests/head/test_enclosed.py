"""Tissues that lie inside others without enclosing anything: found as such, kept whole, where they are, by volume."""

import re
import warnings

import numpy as np
import pytest

from efield.ground.errors import EfieldWarning
from efield.head.lattice import mesh_and_volumes, mesh_labels
from efield.head.lattice.enclosed import WANTED_ERROR
from efield.head.lattice.grid import label_grid
from efield.head.quality import mesh_quality

SIZE = 76
EYE_MM = np.array([37.5, 64.0, 37.5])
EDGES = {1: 5.0, 2: 4.0, 3: 4.0, 5: 5.0}


def charm_like():
    """Balls of white and gray matter, CSF, compact bone and scalp; with eye, spongy bone, blood and muscle put in."""
    axes = np.stack(np.meshgrid(*[np.arange(float(SIZE))] * 3, indexing="ij"), axis=-1)
    x, _, z = np.moveaxis(axes - 37.5, -1, 0)
    r = np.linalg.norm(axes - 37.5, axis=-1)
    labels = np.zeros(r.shape, dtype=np.uint8)
    for tag, radius in ((5, 35.0), (7, 29.0), (3, 22.0), (2, 19.0), (1, 14.0)):
        labels[r < radius] = tag
    labels[(np.abs(r - 25.5) < 1.5) & (z > -5)] = 8  # two millimeters of compact bone on both sides
    labels[(np.hypot(np.abs(x) - 1, r - 22) < 2.5) & np.isin(labels, (3, 7)) & (z > 5)] = 9  # a sinus under the bone
    labels[(labels == 5) & (np.abs(x) > 22) & (r < 33)] = 10  # on the bone, under the skin
    labels[(np.linalg.norm(axes - EYE_MM, axis=-1) < 7.0) & (labels > 0)] = 6
    return labels


@pytest.fixture(scope="module")
def labels():
    return charm_like()


@pytest.fixture(scope="module")
def meshed(labels):
    return mesh_and_volumes(labels, np.eye(4), edge_mm=EDGES)


def test_layers_are_told_from_enclosed_tissues_whatever_their_numbers(labels):
    grid = label_grid(labels, np.eye(4), None)
    assert grid.tags[: grid.layers] == (1, 2, 3, 7, 5)
    hosts = {grid.tags[grid.layers + k]: grid.tags[host - 1] for k, host in enumerate(grid.hosts)}
    assert hosts.keys() == {6, 8, 9, 10}
    assert hosts[8] == 7
    assert hosts[10] == 5
    renamed = np.array([0, 31, 7, 22, 0, 3, 1, 40, 2, 5, 9])  # new tag of each
    other = label_grid(renamed[labels], np.eye(4), None)
    assert other.tags == tuple(int(renamed[tag]) for tag in grid.tags)
    assert other.hosts == grid.hosts


def test_each_tissue_keeps_its_volume(meshed):
    head, volumes = meshed
    assert {volume.tag for volume in volumes} == {1, 2, 3, 5, 6, 7, 8, 9, 10} == set(head.tags)
    for volume in volumes:
        assert volume.merged_into is None
        assert volume.mesh_mm3 == pytest.approx(head.tissue_volume_mm3(volume.tag))
        # All but the blood (0.5 cm3) have 1.4 to 90 cm3.
        # Polishing takes 1.5 % from the blood, which is brought back to what is wanted.
        error = WANTED_ERROR if volume.tag == 9 else 0.05
        assert volume.mesh_mm3 == pytest.approx(volume.label_mm3, rel=error), volume.tag


def test_the_mesh_with_enclosed_tissues_is_sound(meshed):
    quality = mesh_quality(meshed[0])
    assert quality.conforming
    assert quality.boundary_closed
    assert quality.boundary_manifold
    assert quality.min_dihedral_deg > 5
    assert quality.p5_radius_ratio > 0.25


def test_an_eye_is_one_piece_and_nowhere_else(meshed):
    head, _ = meshed
    assert mesh_quality(head).pieces[6] == 1
    away = np.linalg.norm(head.barycenters[head.tissue == 6] - EYE_MM, axis=1)
    assert away.max() < 7.5


def test_compact_bone_stays_on_both_sides_of_spongy_bone(meshed):
    head, _ = meshed
    r = np.linalg.norm(head.barycenters - 37.5, axis=1)
    spongy = head.tissue == 8
    # The layer is 24 to 27 mm from the center, compact bone 22 to 29; tetrahedra have edges of about 3 mm.
    strayed = spongy & ((r < 23) | (r > 28))
    assert head.volumes[strayed].sum() < 0.01 * head.volumes[spongy].sum()
    assert r[spongy].min() > 22
    assert r[spongy].max() < 29


def test_layers_can_be_given_and_the_rest_is_cut_out(labels):
    grid = label_grid(labels, np.eye(4), (2, 3, 7, 5))
    assert grid.tags[:4] == (2, 3, 7, 5)
    assert grid.layers == 4
    assert set(grid.tags[4:]) == {1, 6, 8, 9, 10}
    assert grid.tags[grid.hosts[grid.tags[4:].index(1)] - 1] == 2


def test_a_speck_that_no_edge_can_hold_is_merged_by_name():
    labels = np.zeros((50, 50, 50), dtype=np.uint8)
    labels[8:42, 8:42, 8:42] = 5
    labels[14:36, 14:36, 14:36] = 4
    labels[25, 25, 38] = 9
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        head = mesh_labels(labels, np.eye(4), edge_mm={4: 6.0, 5: 6.0, 9: 6.0})
    assert any(re.match(r"blood \(0\.001 cm3\) .* left in scalp", str(one.message)) for one in caught)
    assert head.tags == (4, 5)


def test_a_tissue_that_misses_its_volume_is_told():
    labels = np.zeros((60, 60, 60), dtype=np.uint8)
    labels[5:55, 5:55, 5:55] = 5
    labels[12:48, 12:48, 12:48] = 4
    labels[14:46, 14:46, 14:46] = 3  # a box of bone 2 mm thick, 14 cm3
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        mesh_labels(labels, np.eye(4), edge_mm={3: 14.0, 4: 14.0, 5: 14.0})
    assert any(
        re.match(r"bone must keep the volume of its labels, 13.9 cm3; .* give shorter edges", str(one.message))
        for one in caught
    )
    assert {one.category for one in caught} == {EfieldWarning}
