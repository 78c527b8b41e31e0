"""Names and files become heads, coils and poses; anything else is answered with what would work."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from efield.ground.errors import FileFormatError, InputError
from efield.ground.pose import Pose
from efield.io import load
from efield.io.meshes import gmsh, vtu

POSE = Pose.from_axes((-40.5, 10.25, 80.125), (1, 2, 0.5), (0.3, -0.2, -1))


def write(path, matrix):
    if path.suffix == ".npy":
        np.save(path, matrix)
    elif path.suffix == ".json":
        path.write_text(json.dumps({"matsimnibs": matrix.tolist()}))
    else:
        np.savetxt(path, matrix, delimiter="," if path.suffix == ".csv" else " ", header="coil to head", fmt="%.17g")
    return path


@pytest.mark.parametrize("suffix", load.POSE_SUFFIXES)
def test_a_pose_is_read_from_every_kind_of_file(tmp_path, suffix):
    pose = load.load_pose(write(tmp_path / f"pose{suffix}", POSE.matrix))
    assert_allclose(pose.matrix, POSE.matrix, atol=1e-12)


def test_a_json_list_and_one_line_of_text_are_poses(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(POSE.matrix.tolist()))
    (tmp_path / "a.txt").write_text(";".join(map(str, POSE.matrix.ravel())))
    for name in ("a.json", "a.txt"):
        assert_allclose(load.load_pose(tmp_path / name).matrix, POSE.matrix, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"", "empty"),
        ("a.txt", b"1 2 3", "16 numbers"),
        ("a.txt", b"hello", "16 numbers"),
        ("a.txt", b"1 " * 40000, "16 numbers"),
        ("a.csv", b"nan," * 16, "finite"),
        ("a.json", b"[[[[" * 2000, "16 numbers"),
        ("a.json", b'{"pose": [1]}', "16 numbers"),
        ("a.json", b'[[1, 2], ["x"]]', "16 numbers"),
        ("a.npy", b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (4,4), }", "16 numbers"),
        ("a.npy", b"junk", "16 numbers"),
        ("a.xml", b"<a/>", r"\.txt or \.csv"),
    ],
)
def test_what_is_no_pose_is_refused(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        load.load_pose(tmp_path / name)


def test_a_mirrored_or_scaled_pose_file_is_refused_with_its_name(tmp_path):
    for matrix, reason in ((POSE.matrix @ np.diag([-1, 1, 1, 1]), "mirrored"), (POSE.matrix * 2, "last row")):
        with pytest.raises(FileFormatError, match=rf"pose\.txt.*{reason}"):
            load.load_pose(write(tmp_path / "pose.txt", matrix))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(load.POSE_SUFFIXES), st.integers(0, 2**32 - 1))
def test_damaged_pose_files_only_ever_give_our_errors(tmp_path, suffix, seed):
    rng = np.random.default_rng(seed)
    data = bytearray(write(tmp_path / f"pose{suffix}", POSE.matrix).read_bytes())
    for place in rng.integers(0, len(data), 3):
        data[place] = rng.integers(0, 256)
    (tmp_path / f"bad{suffix}").write_bytes(bytes(data[: rng.integers(1, len(data) + 1)]))
    try:
        load.load_pose(tmp_path / f"bad{suffix}")
    except FileFormatError as error:
        assert f"bad{suffix}" in str(error)  # noqa: PT017


def test_heads_are_read_by_suffix(mesh, tmp_path):
    head = mesh.head()
    gmsh.write_head(tmp_path / "a.MSH", head)
    vtu.write_vtu(tmp_path / "a.vtu", head, cell_data={})
    for name in ("a.MSH", "a.vtu"):
        assert_array_equal(load.load_head(tmp_path / name).tissue, head.tissue)


def test_the_sphere_is_a_head_by_name():
    assert len(load.load_head("sphere").tags) >= 3


@pytest.mark.parametrize(("name", "suggestion"), [("mni125", "mni152"), ("spere", "sphere"), ("MNI152", "mni152")])
def test_a_misspelled_head_is_answered_with_the_nearest(name, suggestion):
    with pytest.raises(InputError, match=rf"did you mean '{suggestion}'"):
        load.load_head(name)


@pytest.mark.parametrize("loader", [load.load_head, load.load_coil, load.load_pose])
def test_folders_and_unknown_suffixes_list_what_is_accepted(tmp_path, loader):
    with pytest.raises(InputError, match="folder"):
        loader(tmp_path)
    with pytest.raises(InputError, match="a file that ends in"):
        loader(tmp_path / "thing.stl")


@pytest.mark.parametrize("name", ["none.ccd", "none.tcd", "none.nii.gz", "none.nii"])
def test_missing_coil_files_are_named(tmp_path, name):
    with pytest.raises(FileFormatError, match=f"{name} does not exist"):
        load.load_coil(tmp_path / name)
