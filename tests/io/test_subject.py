"""A subject folder becomes a head whose motor targets lie where the folder's map says; damaged folders say so.

The folders are made here, file by file, from a sphere: none is of a person.
"""

from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from numpy.testing import assert_allclose

from efield.ground.errors import EfieldError, FileFormatError, InputError, OutsideHeadError
from efield.head.mni import AffineMap, ReversedMap, WarpMap
from efield.head.spheres import sphere_head
from efield.io.load import load_head
from efield.io.subject import find_subject, load_subject, misses_brain, read_mni_map

SHIFT = np.array([6.0, -25.0, 12.0])
SPACING = 8.0
KNOB = np.array([[-37.0, -21.0, 58.0]])


def bent(mni):
    """From MNI to the made-up subject: a shift and a smooth bend of 3 mm."""
    return mni + SHIFT + 3.0 * np.sin(mni[:, [1, 2, 0]] / 40.0)


def straight(subject):
    """The inverse of `bent`."""
    mni = subject - SHIFT
    for _ in range(60):
        mni = subject - SHIFT - 3.0 * np.sin(mni[:, [1, 2, 0]] / 40.0)
    return mni


def gmsh_text(points, tets, tags):
    """Gmsh 2.2 as text, written from its manual."""
    lines = ["$MeshFormat", "2.2 0 8", "$EndMeshFormat", "$Nodes", str(len(points))]
    lines += [f"{i} {x:.9g} {y:.9g} {z:.9g}" for i, (x, y, z) in enumerate(points, start=1)]
    lines += ["$EndNodes", "$Elements", str(len(tets))]
    rows = zip(tags, tets + 1, strict=True)
    lines += [f"{i} 4 2 {t} {t} {a} {b} {c} {d}" for i, (t, (a, b, c, d)) in enumerate(rows, start=1)]
    return "\n".join([*lines, "$EndElements", ""])


def write_warp(path, function, *, five_axes=False, center=(0, -20, 10)):
    shape = (28, 32, 28)
    affine = np.diag([SPACING, SPACING, SPACING, 1.0])
    affine[:3, 3] = np.array(center) - SPACING * np.array(shape) / 2
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1).reshape(-1, 3)
    field = function(index @ affine[:3, :3].T + affine[:3, 3]).reshape(*shape, 3).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(field[:, :, :, None] if five_axes else field, affine), path)


@pytest.fixture(scope="module")
def ball():
    return sphere_head((77.0, 80.0, 87.0, 94.0), (2, 3, 4, 5), edge_mm=10.0)


@pytest.fixture(scope="module")
def mesh_text(ball):
    return gmsh_text(bent(ball.points), ball.tets, ball.tissue)


@pytest.fixture
def folder(tmp_path, mesh_text):
    """``m2m_made``: a bent sphere, with an electrode cap and a T1 of zeros; no map yet."""
    place = tmp_path / "m2m_made"
    for name in ("toMNI", "eeg_positions", "surfaces"):
        (place / name).mkdir(parents=True)
    (place / "made.msh").write_text(mesh_text)
    (place / "eeg_positions" / "cap.csv").write_text("Electrode,1,2,93,Cz\nFiducial,0,90,0,Nz\n")
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 4, 4), np.uint8), np.eye(4)), place / "T1.nii.gz")
    return place


def test_the_nonlinear_warp_is_preferred_and_leads_to_the_subject(folder, ball):
    write_warp(folder / "toMNI" / "MNI2Conform_nonl.nii.gz", bent)
    np.savetxt(folder / "toMNI" / "MNI2conform_12DOF.txt", AffineMap(np.eye(4)).matrix)
    head = load_head(folder)
    assert isinstance(head.mni, WarpMap)
    assert head.mni.description == "nonlinear warp of m2m_made/toMNI/MNI2Conform_nonl.nii.gz"
    # Trilinear between voxels of 8 mm: 8^2/8 times the bend's curvature, 3/40^2 per mm, on each axis.
    assert_allclose(head.mni.to_head(KNOB), bent(KNOB), atol=SPACING**2 / 8 * 3 / 40**2)
    assert (len(head.points), len(head.tets)) == (len(ball.points), len(ball.tets))


def test_a_warp_with_an_axis_of_one_is_the_same_warp(folder):
    write_warp(folder / "toMNI" / "MNI2Conform_nonl.nii.gz", bent, five_axes=True)
    assert_allclose(load_subject(folder).mni.to_head(KNOB), bent(KNOB), atol=0.05)


def test_the_reverse_warp_alone_leads_to_the_same_place(folder):
    write_warp(folder / "toMNI" / "Conform2MNI_nonl.nii.gz", straight, center=SHIFT + np.array([0, -20, 10]))
    head = load_subject(folder)
    assert isinstance(head.mni, ReversedMap)
    assert_allclose(head.mni.to_head(KNOB), bent(KNOB), atol=0.05)


@pytest.mark.parametrize(
    ("file", "words"), [("MNI2Conform_12DOF.txt", "12 degrees"), ("MNI2conform_6DOF.txt", "rigid")]
)
def test_a_matrix_maps_mni_to_the_subject(folder, file, words):
    matrix = np.eye(4)
    matrix[:3, 3] = SHIFT
    np.savetxt(folder / "toMNI" / file, matrix)
    head = load_subject(folder)
    assert_allclose(head.mni.to_head(KNOB), KNOB + SHIFT)
    assert words in head.mni.description
    assert "MNI to subject" in head.mni.description


def test_a_folder_without_a_map_still_gives_its_head(folder):
    assert load_subject(folder).mni is None
    assert "sphere" not in str(find_subject(folder))


def test_a_map_that_leads_away_from_the_brain_is_refused(folder):
    matrix = np.eye(4)
    matrix[:3, 3] = (0, 90, -80)
    np.savetxt(folder / "toMNI" / "MNI2Conform_12DOF.txt", matrix)
    with pytest.raises(FileFormatError, match="maps the other way"):
        load_subject(folder)
    write_warp(folder / "toMNI" / "MNI2Conform_nonl.nii.gz", bent, center=(0, 0, 600))
    with pytest.raises(FileFormatError, match="cover the brain"):
        load_subject(folder)


@pytest.mark.parametrize("shift", [(0, 0, 30), (0, -30, 0), (30, 0, 0), (0, 0, -30)])
def test_a_map_into_the_brain_that_leaves_its_outline_maps_the_other_way(folder, shift):
    """Every place it is asked about may lie in the brain, or a few millimeters from it, and be centimeters wrong."""
    matrix = np.eye(4)
    matrix[:3, 3] = SHIFT + np.array(shift)
    np.savetxt(folder / "toMNI" / "MNI2Conform_12DOF.txt", matrix)
    with pytest.raises(FileFormatError, match="maps the other way"):
        load_subject(folder)


def test_a_right_map_of_a_brain_that_lacks_a_part_is_taken(ball):
    """A lesion: the brain ends 40 mm short of where the map puts its end, on one side."""
    same, x = AffineMap(np.eye(4), "its own"), ball.barycenters[:, 0]
    part = replace(ball, tissue=np.where((x > 30) & (ball.tissue == 2), 3, ball.tissue))
    assert misses_brain(ball, same) == misses_brain(part, same) == ""
    matrix = np.eye(4)
    matrix[0, 3] = -30.0
    assert "outline" in misses_brain(ball, AffineMap(matrix, "shifted"))


def test_a_right_warp_may_twist_near_the_brain_s_end_and_may_end_there(ball, folder):
    same = AffineMap(np.eye(4), "its own")

    class Twisted:
        def to_head(self, points):
            points = np.asarray(points, dtype=np.float64)
            near = np.exp(-(((points - (-71, -34, -2)) / 12.0) ** 2).sum(axis=1))
            return points + np.column_stack([0 * near, 9.0 * near, 0 * near])

    class Ending:
        def to_head(self, points):
            if np.abs(points).max() > 95:
                raise OutsideHeadError("the map ends here")
            return same.to_head(points)

    assert misses_brain(ball, Twisted()) == misses_brain(ball, Ending()) == ""


def test_the_folder_knows_its_files(folder):
    subject = find_subject(folder)
    assert subject.name == "made"
    assert subject.t1 == folder / "T1.nii.gz"
    assert_allclose(subject.positions()["Cz"], (1, 2, 93))
    assert list(subject.positions("cap.csv")) == ["Cz", "Nz"]
    with pytest.raises(InputError, match="did you mean 'cap'"):
        subject.positions("cup")
    with pytest.raises(FileFormatError, match=r"rh\.pial\.gii does not exist"):
        subject.surface("rh", "pial")
    with pytest.raises(InputError, match="hemisphere"):
        subject.surface("left")


def test_a_renamed_folder_is_read_by_its_only_mesh(folder):
    renamed = folder.rename(folder.with_name("m2m_other"))
    assert find_subject(renamed).mesh.name == "made.msh"
    (renamed / "second.msh").write_text("")
    with pytest.raises(FileFormatError, match=r"must hold other\.msh; instead it holds made\.msh, second\.msh"):
        load_subject(renamed)


def test_folders_that_are_no_subject_say_what_is_missing(folder, tmp_path):
    with pytest.raises(FileFormatError, match=r"no \.msh file; did you mean the folder m2m_made in it"):
        load_head(tmp_path)
    with pytest.raises(FileFormatError, match="existing folder"):
        load_subject(tmp_path / "m2m_none")
    with pytest.raises(InputError, match="must be a folder that exists"):
        load_head("m2m_none")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"1 2 3", "16 numbers"),
        (b"a matrix", "16 numbers"),
        (b"", "empty"),
        (b"nan " * 16, "finite"),
        (b"0 " * 16, "inv"),
    ],
)
def test_a_damaged_matrix_is_not_passed_over(folder, content, words):
    (folder / "toMNI" / "MNI2Conform_12DOF.txt").write_bytes(content)
    np.savetxt(folder / "toMNI" / "MNI2Conform_6DOF.txt", np.eye(4))
    with pytest.raises(FileFormatError, match=words):
        load_subject(folder)


def test_a_warp_of_another_shape_and_a_file_of_another_name_are_refused(folder, tmp_path):
    nibabel.save(nibabel.Nifti1Image(np.zeros((5, 5, 5), np.float32), np.eye(4)), tmp_path / "MNI2Conform_nonl.nii.gz")
    with pytest.raises(FileFormatError, match="three numbers per voxel"):
        read_mni_map(tmp_path / "MNI2Conform_nonl.nii.gz")
    with pytest.raises(FileFormatError, match="must be named like"):
        read_mni_map(tmp_path / "other.nii.gz")


@pytest.mark.parametrize("name", ["MNI2Conform_nonl.nii.gz", "MNI2Conform_nonl.nii"])
def test_damaged_warps_are_refused_or_read_in_bounded_memory(tmp_path, damaged, survives, name):
    path = tmp_path / name
    write_warp(path, bent)
    for data in damaged(path.read_bytes(), 60):
        path.write_bytes(data)
        survives(lambda: read_mni_map(Path(path)))
    path.write_bytes(b"")
    with pytest.raises(EfieldError, match="empty"):
        read_mni_map(path)
