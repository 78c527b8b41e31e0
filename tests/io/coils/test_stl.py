"""Casings from STL drawings, text and binary; damaged files are refused."""

import meshio
import numpy as np
import pytest

from efield.io.coils.stl import read_stl

POINTS = np.array([[0.0, 0, 0], [80, 0, 0], [0, 60, 0], [0, 0, -20]])
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])


@pytest.fixture(params=["text", "binary"])
def stl(request, tmp_path):
    path = tmp_path / "casing.stl"
    meshio.write(path, meshio.Mesh(POINTS, [("triangle", FACES)]), file_format="stl", binary=request.param == "binary")
    return path


def test_an_independent_writer_is_understood(stl):
    casing = read_stl(stl)
    assert len(casing.points_mm) == 4
    key = sorted(map(tuple, np.sort(casing.corners_mm.reshape(4, 9), axis=1).tolist()))
    assert key == sorted(map(tuple, np.sort(POINTS[FACES].reshape(4, 9), axis=1).tolist()))


def test_a_binary_file_whose_title_starts_like_text_is_binary(stl):
    data = stl.read_bytes()
    if data.lstrip().startswith(b"solid"):
        return
    stl.write_bytes(b"solid casing".ljust(80) + data[80:])
    assert len(read_stl(stl)) == 4


def test_a_drawing_in_meters_is_refused(tmp_path, refuses):
    path = tmp_path / "small.stl"
    meshio.write(path, meshio.Mesh(POINTS / 1000, [("triangle", FACES)]), file_format="stl", binary=True)
    assert "millimeters" in refuses(lambda: read_stl(path))


@pytest.mark.parametrize("content", [b"", b"solid x\nendsolid x\n", b"\0" * 84, b"PK\x03\x04" * 40, b"\xff" * 134])
def test_files_without_triangles_are_refused(tmp_path, refuses, content):
    (tmp_path / "bad.stl").write_bytes(content)
    assert "bad.stl" in refuses(lambda: read_stl(tmp_path / "bad.stl"))


def test_a_count_far_beyond_the_file_costs_no_memory(tmp_path, refuses):
    (tmp_path / "bad.stl").write_bytes(b"\0" * 80 + (2**32 - 1).to_bytes(4, "little") + b"\0" * 50)
    refuses(lambda: read_stl(tmp_path / "bad.stl"))


def test_damage_never_does_more_than_refuse(stl, survives, damaged):
    data = stl.read_bytes()
    for changed in damaged(data, 60):
        stl.write_bytes(changed)
        survives(lambda: read_stl(stl))


def test_a_file_cut_short_is_refused(stl, refuses):
    data = stl.read_bytes()
    stl.write_bytes(data[: len(data) * 2 // 3])
    refuses(lambda: read_stl(stl))
