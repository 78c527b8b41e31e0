"""Regions that are no balls: the same elements for every engine, and files that name them."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from efield.basis.reduced_basis import ReducedBasis
from efield.ground.errors import InputError, OutsideHeadError
from efield.head.mesh import HeadMesh
from efield.head.midsurface import mid_surface
from efield.head.mni import AffineMap
from efield.head.spheres import sphere_head
from efield.head.surface import TriangleSurface
from efield.io.surfaces.gifti import read_surface, write_surface
from efield.io.volumes.nifti import write_volume
from efield.reciprocity.reciprocal import reciprocal
from efield.sweeping.sweep import sweep
from efield.targeting.naming import place_of, target_of
from efield.targeting.placement import place_coil
from efield.targeting.targets import Target, m1_hand, named_target, parse_target

CENTER = np.array([-38.0, 2.0, 56.0])


@pytest.fixture(scope="module")
def layered():
    """White matter, gray matter 4 mm thick, and what lies around."""
    return sphere_head((66.0, 70.0, 73.0, 85.0), (1, 2, 3, 5), edge_mm=12.0)


@pytest.fixture(scope="module")
def mask(tmp_path_factory):
    """2 mm voxels: label 3 in the lateral half of a ball around `CENTER`, label 7 in the other half."""
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = (-80, -40, 20)
    x, y, z = (np.arange(n) * 2.0 + o for n, o in zip((60, 45, 35), (-80, -40, 20), strict=True))
    places = np.stack(np.meshgrid(x, y, z, indexing="ij"), axis=-1)
    ball = np.linalg.norm(places - CENTER, axis=-1) <= 14
    labels = np.where(ball & (places[..., 0] < -38), 3, np.where(ball, 7, 0)).astype(np.int16)
    path = tmp_path_factory.mktemp("masks") / "mask.nii.gz"
    write_volume(path, labels, affine, code=1)
    return path


def by_hand(head, label):
    """The gray tetrahedra whose barycenter lies in a voxel of `mask` with a label."""
    voxel = 2.0 * np.round(head.barycenters / 2.0)
    inside = np.linalg.norm(voxel - CENTER, axis=1) <= 14
    side = voxel[:, 0] < -38
    return np.flatnonzero((head.tissue == 2) & inside & (side if label == 3 else ~side))


def test_a_mask_is_the_gray_matter_in_its_voxels(head, mask):
    for label in (3, 7):
        target = Target.from_mask(mask, label)
        assert len(target.tets(head)) > 5
        assert np.array_equal(target.tets(head), by_hand(head, label))
        assert np.array_equal(target_of(head, f"{mask}:{label}").tets(head), target.tets(head))
    assert "label 3 of mask.nii.gz" in repr(Target.from_mask(mask, 3))
    assert place_of(head, f"{mask}:3") == pytest.approx(Target.from_mask(mask, 3).center_mm)


def test_a_mask_in_mni_space_is_moved_by_the_heads_map(head, mask):
    shift = np.eye(4)
    shift[:3, 3] = (4.0, -6.0, 2.0)  # whole voxels
    there = HeadMesh(head.points + shift[:3, 3], head.tets, head.tissue, mni=AffineMap(shift))
    own = Target.from_mask(mask, 3)
    moved = Target.from_mask(mask, 3, mni_of=there)
    assert moved.center_mm == pytest.approx(own.center_mm + shift[:3, 3])
    assert np.array_equal(moved.tets(there), own.tets(head))
    assert np.array_equal(named_target(there, f"{mask}:3,mni").tets(there), own.tets(head))
    with pytest.raises(InputError, match="map from MNI"):
        named_target(head, f"{mask}:3,mni")


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("", "holds 2 labels.*3, 7"),
        (":5", "must hold the label 5.*3, 7"),
        (":hand", "whole number"),
        (":3,talairach", "may stand ,mni"),
    ],
)
def test_a_label_that_a_mask_lacks_is_answered_with_those_it_has(mask, word, message):
    with pytest.raises(InputError, match=message):
        parse_target(f"{mask}{word}")


def test_a_mask_away_from_the_head_says_where_it_lies_and_what_space_it_might_be_in(mask):
    small = sphere_head((20.0, 22.0, 25.0, 30.0), (2, 3, 4, 5), edge_mm=9.0)
    with pytest.raises(OutsideHeadError, match=r"label lies within.*if it is in MNI152"):
        Target.from_mask(mask, 3).tets(small)
    with pytest.raises(InputError, match="does not exist"):
        parse_target("nowhere.nii.gz:3")


def test_a_function_is_asked_of_points_near_the_center(head):
    target = Target.where(lambda p: p[:, 0] > 0, center_mm=(0, 0, 65), radius_mm=15)
    ball = Target.sphere(center_mm=(0, 0, 65), radius_mm=15).tets(head)
    assert np.array_equal(target.tets(head), ball[head.barycenters[ball, 0] > 0])
    with pytest.raises(InputError, match=r"one bool for each.*float64"):
        Target.where(lambda p: p[:, 0], center_mm=(0, 0, 65)).tets(head)


def test_a_disc_is_what_hangs_together_on_the_middle_of_the_cortex(layered):
    disc = Target.disc((0, 0, 60.0), 14.0)
    surface = mid_surface(layered)
    top = surface.points_mm[disc.among(layered, surface.points_mm)]
    # The center goes to the middle of the cortex, 68 mm up; a chord of 14 mm there.
    assert np.linalg.norm(top - (0, 0, 68), axis=1).max() <= 14.3
    assert len(top) == np.sum(np.linalg.norm(surface.points_mm - (0, 0, 68), axis=1) <= 14.0)
    assert set(layered.tissue[disc.tets(layered)]) == {2}


def test_the_other_bank_of_a_sulcus_does_not_belong_to_a_disc(layered, monkeypatch):
    # Two sheets 3 mm apart, as the banks of a sulcus: the center lies on one of them.
    x, y = (axis.ravel() for axis in np.meshgrid(np.arange(-20.0, 21.0), np.arange(-20.0, 21.0)))
    corner = np.arange(41 * 40)
    corner = corner[corner % 41 < 40]
    faces = np.concatenate(
        [np.stack([corner, corner + 1, corner + 42], 1), np.stack([corner, corner + 42, corner + 41], 1)]
    )
    sheets = [np.column_stack([x, y, np.full_like(x, z)]) for z in (0.0, 3.0)]
    surface = TriangleSurface(np.concatenate(sheets), np.concatenate([faces, faces + len(x)]).astype(np.int32))
    monkeypatch.setattr("efield.targeting.regions.mid_surface", lambda head: surface)
    disc = Target.disc((0.3, 0, 1.0), 8.0)
    found = surface.points_mm[disc.among(layered, surface.points_mm)]
    assert set(found[:, 2]) == {0.0}
    assert len(found) == np.sum(np.hypot(x - 0.3, y) <= 8.0)
    points = np.array([[0, 0, 1.4], [0, 0, 1.6], [9.0, 0, 0]])
    assert disc.among(layered, points).tolist() == [0]
    with pytest.raises(OutsideHeadError, match="within 10 mm of the middle of the cortex"):
        Target.disc((0, 0, 30.0), 8.0).among(layered, points)
    with pytest.raises(OutsideHeadError, match="enlarge radius_mm"):
        Target.disc((0.5, 0.5, 0.0), 0.5).among(layered, points)


def test_the_summary_of_a_disc_holds_its_means_on_the_middle_of_the_cortex(layered, sim_layered, coil):
    disc = Target.disc(m1_hand(layered).center_mm, 15.0, direction=m1_hand(layered).direction)
    field = sim_layered.solve(coil, place_coil(layered, disc, coil=coil))
    summary = field.summary(disc)
    surface = mid_surface(layered)
    chosen = disc.among(layered, surface.points_mm)
    area = np.bincount(surface.triangles.ravel(), np.repeat(surface.areas / 3, 3), len(surface.points_mm))[chosen]
    size = np.linalg.norm(field.at(surface.points_mm[chosen]), axis=1)
    assert summary["midsurface_mean_magnitude"] == pytest.approx(np.average(size, weights=area), rel=1e-9)
    assert summary["mean_magnitude"] == pytest.approx(summary["midsurface_mean_magnitude"], rel=0.1)
    assert "midsurface_mean_magnitude" not in field.summary("m1-hand-left")


@pytest.fixture(scope="module")
def sim_layered(layered):
    from efield.targeting.simulate import Simulator

    return Simulator(layered, tol=1e-8)


def annotation(labels, names):
    """Bytes of an annotation with the numbered table that FreeSurfer writes."""
    out = [len(labels)]
    for vertex, color in enumerate(labels):
        out += [vertex, color]
    data = np.array([*out, 1, -2, len(names)], ">i4").tobytes() + np.array([2], ">i4").tobytes() + b"x\0"
    data += np.array([len(names)], ">i4").tobytes()
    for number, (name, color) in enumerate(names.items()):
        text = name.encode() + b"\0"
        data += np.array([number, len(text)], ">i4").tobytes() + text
        data += np.array([color & 255, color >> 8 & 255, color >> 16, 0], ">i4").tobytes()
    return data


def split(vertices):
    """Vertices in front, and those that are not."""
    return vertices[:, 1] > 0, vertices[:, 1] <= 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory, layered):
    """As FreeSurfer lays it out: a surface in surf/, and labels of its vertices in label/."""
    place = tmp_path_factory.mktemp("subject")
    (place / "surf").mkdir()
    (place / "label").mkdir()
    surface = mid_surface(layered)
    write_surface(place / "surf" / "lh.central.gii", surface)
    front, _ = split(surface.points_mm)
    labels = np.where(front, 220 + (20 << 8) + (60 << 16), 25)
    names = {"unknown": 25, "precentral": 220 + (20 << 8) + (60 << 16), "nowhere": 7}
    (place / "label" / "lh.aparc.annot").write_bytes(annotation(labels, names))
    rows = "\n".join(f"{v} 0.0 0.0 0.0 0.0" for v in np.flatnonzero(front))
    (place / "label" / "lh.hand.label").write_text(f"#!ascii label , from subject x\n{front.sum()}\n{rows}\n")
    return place / "label"


def test_a_label_of_a_surface_is_the_gray_matter_along_it(layered, folder):
    target = named_target(layered, f"{folder}/lh.aparc.annot:Precentral")
    own = target.tets(layered)
    gray = np.flatnonzero(layered.tissue == 2)
    vertices = mid_surface(layered).points_mm
    ahead, behind = (cKDTree(vertices[side]).query(layered.barycenters[gray])[0] for side in split(vertices))
    sure = np.abs(ahead - behind) > 1e-3  # on a symmetric sphere there are ties
    assert np.array_equal(np.isin(gray, own)[sure], (ahead < behind)[sure])
    assert np.array_equal(own, named_target(layered, f"{folder}/lh.hand.label").tets(layered))
    surface = read_surface(folder.parent / "surf" / "lh.central.gii")
    given = Target.from_labels(folder / "lh.aparc.annot", "precentral", surface=surface)
    assert np.array_equal(own, given.tets(layered))
    assert (target.direction is not None, given.direction is None) == (True, True)
    word = f"{folder}/lh.aparc.annot:precentral,surface={folder.parent}/surf/lh.central.gii"
    assert np.array_equal(own, named_target(layered, word).tets(layered))


def test_labels_of_surfaces_that_cannot_be_used_are_refused_with_the_remedy(layered, folder, tmp_path):
    annot = folder / "lh.aparc.annot"
    for word, message in {
        "": "holds 2 labels: name one.*precentral",
        ":precentrl": "did you mean 'precentral'",
        ":nowhere": "label of lh.aparc.annot must be one of",
        ":precentral,mni": "surface=FILE",
    }.items():
        with pytest.raises(InputError, match=message):
            parse_target(f"{annot}{word}")
    (tmp_path / "lh.aparc.annot").write_bytes(annot.read_bytes())
    with pytest.raises(InputError, match="no surface lies beside it"):
        parse_target(f"{tmp_path}/lh.aparc.annot:precentral")
    write_surface(tmp_path / "lh.central.gii", TriangleSurface(np.eye(3) * 50, np.array([[0, 1, 2]], np.int32)))
    with pytest.raises(InputError, match=r"lh\.central\.gii with 3"):
        parse_target(f"{tmp_path}/lh.aparc.annot:precentral")
    with pytest.raises(InputError, match="is one label"):
        parse_target(f"{folder}/lh.hand.label:x")
    data = annot.read_bytes()
    for damaged in (data[:2], data[:40], data[:-9], b"\x7f" * 4 + data[4:], data[:12] + data[4:8] + data[16:]):
        (tmp_path / "lh.aparc.annot").write_bytes(damaged)
        with pytest.raises(InputError, match=r"lh\.aparc\.annot"):
            parse_target(f"{tmp_path}/lh.aparc.annot:precentral")


def regions_of(head, mask):
    """A mask and a function within the region of the shared basis."""
    hand = m1_hand(head)
    return {
        "mask": Target.from_mask(mask, 3, direction=hand.direction),
        "function": Target.where(lambda p: p[:, 1] > 0, center_mm=hand.center_mm, direction=hand.direction),
    }


def check_engines(sim, coil, region):
    """A summary, a sweep of full solves and one by reciprocity agree; the pose and the summary."""
    hand = m1_hand(sim.head)
    pose = place_coil(sim.head, hand, 40.0, 4.5, coil=coil)
    summary = sim.solve(coil, pose).summary(region)
    full = sweep(sim, coil, [pose], target=region, exact=True)
    assert full.attrs["target_region"] == region.region.words
    assert float(full["mean_magnitude"][0]) == pytest.approx(summary["mean_magnitude"], rel=1e-6)
    adjoint = sweep(reciprocal(sim, region, axes=True), coil, [pose], target=region, exact=True)
    assert float(adjoint["along"][0]) == pytest.approx(summary["along"], rel=1e-5)
    return pose, summary


@pytest.mark.parametrize("name", ["mask", "function"])
def test_every_engine_measures_the_same_region(head, sim, coil, mask, basis, name):
    region = regions_of(head, mask)[name]
    pose, summary = check_engines(sim, coil, region)
    own = basis.measures([pose], target=region)
    assert own["mean_magnitude"][0] == pytest.approx(summary["mean_magnitude"], rel=0.01)
    assert own["normal_mean"][0] == pytest.approx(summary["normal_mean"], rel=0.02)


def test_a_disc_is_measured_by_full_solves_and_by_reciprocity(sim_layered, coil):
    hand = m1_hand(sim_layered.head)
    check_engines(sim_layered, coil, Target.disc(hand.center_mm, 9.0, direction=hand.direction))


def test_reciprocity_for_another_region_around_the_same_center_is_refused(head, sim, coil):
    hand = m1_hand(head)
    part = Target.where(lambda p: p[:, 1] > 0, center_mm=hand.center_mm, direction=hand.direction)
    pose = place_coil(head, hand, coil=coil)
    with pytest.raises(InputError, match="must be the one of the adjoint problems"):
        sweep(reciprocal(sim, part), coil, [pose], target=hand)


def test_a_basis_keeps_a_region_that_no_file_names(head, sim, coil, mask, basis, tmp_path):
    for name, region in regions_of(head, mask).items():
        replace(basis, target=region).save(tmp_path / name)
        again = ReducedBasis.load(tmp_path / name, sim, coil)
        assert np.array_equal(again.target.tets(head), region.tets(head))
        pose = place_coil(head, "m1-hand-left", 40.0, 4.5, coil=coil)
        before, after = basis.measures([pose], target=region), again.measures([pose])
        assert all(np.array_equal(before[name], after[name]) for name in before)
        assert again.target.extent == region.extent
        again.save(tmp_path / f"{name} again")
        last = ReducedBasis.load(tmp_path / f"{name} again", sim, coil)
        assert np.array_equal(last.target.tets(head), region.tets(head))


def test_a_region_that_reaches_out_of_a_basis_is_refused(head, coil, basis):
    opposite = Target.where(lambda p: p[:, 0] > 0, center_mm=(0, 0, 65), radius_mm=60)
    pose = place_coil(head, "m1-hand-left", 40.0, 4.5, coil=coil)
    with pytest.raises(InputError, match="enlarge region_radius_mm"):
        basis.measures([pose], target=opposite)
