"""Matrices as people and programs type them, and what is refused, with its name and its size."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.io import savemat
from scipy.spatial.transform import Rotation

from efield.ground.errors import EfieldWarning, FileFormatError
from efield.ground.pose import Pose
from efield.io.poses.reading import load_pose, opened, read_poses

POSES = np.tile(np.eye(4), (3, 1, 1))
POSES[:, :3, :3] = Rotation.from_euler("xyz", [(170, 5, 20), (160, -20, 30), (185, 10, -45)], degrees=True).as_matrix()
POSES[:, :3, 3] = (-40.5, 10.25, 80.125), (30, -20, 85), (-50, 0, 70)
ONE = POSES[0]
DIGITS = 1e-7


def rows(matrix, separator=" "):
    return "\n".join(separator.join(f"{value:.9g}" for value in row) for row in matrix) + "\n"


def matlab(matrix):
    return "; ".join(" ".join(f"{value:.9g}" for value in row) for row in matrix)


TEXTS = {
    "blanks": rows(ONE),
    "commas": rows(ONE, ", "),
    "semicolons": rows(ONE, ";"),
    "tabs": rows(ONE, "\t"),
    "Windows": rows(ONE).replace("\n", "\r\n"),
    "3x4": rows(ONE[:3]),
    "one line": " ".join(map(str, ONE.ravel())),
    "12 on a line": " ".join(map(str, ONE[:3].ravel())),
    "# comments": f"# coil to head\n{rows(ONE)}# the end\n",
    "% comments": f"% coil to head 4 4\n{rows(ONE)}",
    "column names": f"m11 m12 m13 m14\n{rows(ONE)}",
    "numpy print": str(ONE),
    "numpy repr": repr(ONE),
    "numpy list": f"coil = np.array({ONE.tolist()})\n",
    "MATLAB": f"coil = [{matlab(ONE)}];",
    "MATLAB lines": "matsimnibs = [" + rows(ONE).replace("\n", "; ...\n") + "];\n",
    "a log": f"Best position\ncenter = [-40.5, 10.25, 80.125]\nmatsimnibs =\n{ONE.tolist()}\nmagnE: [1.5]\ndone.\n",
}


@pytest.mark.parametrize("kind", TEXTS)
def test_a_matrix_is_read_however_it_is_typed(tmp_path, kind):
    (tmp_path / "a.txt").write_text(TEXTS[kind], newline="")
    assert_allclose(load_pose(tmp_path / "a.txt").matrix, ONE, atol=DIGITS)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_passed_over(tmp_path, encoding):
    (tmp_path / "a.csv").write_text(rows(ONE, ","), encoding=encoding)
    assert_allclose(load_pose(tmp_path / "a.csv").matrix, ONE, atol=DIGITS)


@pytest.mark.parametrize(
    "text",
    [
        "".join(rows(pose) + "\n" for pose in POSES),
        "".join(rows(pose[:3]) for pose in POSES),
        "\n".join(",".join(map(str, pose.ravel())) for pose in POSES),
        "\n".join(",".join(map(str, pose[:3].ravel())) for pose in POSES),
        repr(POSES),
        "".join(f"p{k} = [{matlab(pose)}];\n" for k, pose in enumerate(POSES)),
    ],
)
def test_several_matrices_are_several_poses(tmp_path, text):
    (tmp_path / "a.txt").write_text(text)
    assert_allclose(read_poses(tmp_path / "a.txt").matrices, POSES, atol=DIGITS)


def test_four_3x4_matrices_are_not_three_4x4(tmp_path):
    four = np.concatenate([POSES, ONE[None]])
    (tmp_path / "a.txt").write_text("".join(rows(pose[:3]) for pose in four))
    assert_allclose(read_poses(tmp_path / "a.txt").matrices, four, atol=DIGITS)


def test_names_stand_before_matrices(tmp_path):
    (tmp_path / "a.txt").write_text(f"hot = [{matlab(ONE)}]; cold = [{matlab(POSES[1])}];")
    assert read_poses(tmp_path / "a.txt").names == ("hot", "cold")
    (tmp_path / "a.txt").write_text(f"# pose: my spot\n{rows(ONE)}# pose: b\n{rows(POSES[1])}")
    assert read_poses(tmp_path / "a.txt").names == ("my spot", "b")


@pytest.mark.parametrize("shape", ["one", "stack", "rows", "3x4"])
def test_array_files(tmp_path, shape):
    array = {"one": ONE, "stack": POSES, "rows": POSES.reshape(3, 16), "3x4": POSES[:, :3]}[shape]
    np.save(tmp_path / "a.npy", array)
    last = {"stack": np.moveaxis(POSES, 0, 2), "3x4": np.moveaxis(POSES[:, :3], 0, 2)}.get(shape, array)
    savemat(tmp_path / "a.mat", {"x": last, "text": "hello", "n": 5.0}, do_compression=True)
    savemat(tmp_path / "b.mat", {"other": np.eye(4), "matsimnibs": last})
    for name in ("a.npy", "a.mat", "b.mat"):
        assert_allclose(read_poses(tmp_path / name).matrices, POSES[:1] if shape == "one" else POSES, atol=1e-15)


def test_matlab_files_that_leave_doubt_or_are_too_new_are_refused(tmp_path):
    savemat(tmp_path / "a.mat", {"a": np.eye(4), "b": np.eye(4)})
    with pytest.raises(FileFormatError, match=r"some called poses.*a, b"):
        read_poses(tmp_path / "a.mat")
    savemat(tmp_path / "a.mat", {"a": np.array([{}], object), "b": "text", "c": np.eye(4) * 1j})
    with pytest.raises(FileFormatError, match="none"):
        read_poses(tmp_path / "a.mat")
    (tmp_path / "a.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(512, b" "))
    with pytest.raises(FileFormatError, match="-v7"):
        read_poses(tmp_path / "a.mat")


def test_poses_inside_the_structures_of_a_matlab_session(tmp_path):
    positions = np.array([{"matsimnibs": pose, "didt": 1e6, "name": "x"} for pose in POSES], object)
    savemat(tmp_path / "a.mat", {"poslist": {"fnamecoil": "d70", "pos": positions}, "other": np.eye(4)})
    found = read_poses(tmp_path / "a.mat")
    assert_allclose(found.matrices, POSES, atol=1e-15)
    assert found.names == ("poslist.pos.matsimnibs",) * 3


def test_a_matlab_variable_that_unpacks_without_end_is_refused(tmp_path, refuses):
    savemat(tmp_path / "a.mat", {"poses": np.zeros((4, 4, 300_000))}, do_compression=True)
    assert (tmp_path / "a.mat").stat().st_size < 1 << 20
    assert "unpack" in refuses(lambda: read_poses(tmp_path / "a.mat"))


SHEARED = ONE.copy()
SHEARED[:3, 0] += 0.1 * SHEARED[:3, 1]


@pytest.mark.parametrize(
    ("matrix", "says"),
    [
        (SHEARED, r"pose 2: its matrix .*sheared"),
        (ONE * [1.5, 1.5, 1.5, 1], r"pose 2: .*scaled \(lengths 1\.5, 1\.5, 1\.5\)"),
        (ONE * [-1, 1, 1, 1], "pose 2: .*mirrored"),
        (ONE.T, "last row .*transposed"),
        (ONE * np.nan, "pose 2: .*finite"),
    ],
)
def test_what_is_not_rigid_is_refused_with_its_name_and_size(tmp_path, matrix, says):
    (tmp_path / "a.txt").write_text("\n".join(" ".join(map(str, m.ravel())) for m in (ONE, matrix)))
    with pytest.raises(FileFormatError, match=says):
        read_poses(tmp_path / "a.txt")


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 3, 6]))
def test_rounding_is_put_right_and_reported_in_degrees(tmp_path_factory, seed, decimals):
    turn = Rotation.random(40, random_state=seed).as_matrix()
    file = tmp_path_factory.mktemp("rounded") / "a.txt"
    file.write_text("\n".join(" ".join(f"{v:.{decimals}f}" for v in np.c_[t, [1, 2, 3]].ravel()) for t in turn))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the table says it: no warning beside it
        table = read_poses(file)
    error = np.abs(np.einsum("nji,njk->nik", table.matrices[:, :3, :3], turn) - np.eye(3)).max(axis=(1, 2))
    # Half of the last decimal in each of three numbers of an axis; the nearest rotation is at most as wrong again.
    assert error.max() <= 2 * np.sqrt(3) * 0.5 * 10.0**-decimals * np.sqrt(3)
    assert 0 < table.turned_deg.max() <= np.degrees(3 * 0.5 * 10.0**-decimals * np.sqrt(3))
    if decimals == 2:  # where only the matrices are taken it is said
        with pytest.warns(EfieldWarning, match=f"turned by up to {table.turned_deg.max():.2g} degrees"):
            opened(file)
    assert [Pose(m).matrix.tobytes() for m in table.matrices] == [m.tobytes() for m in table.matrices]
