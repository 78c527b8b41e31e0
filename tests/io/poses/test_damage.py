"""Damaged and hostile files are read or refused with an error of ours, in bounded memory."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from efield.ground.errors import EfieldError, FileFormatError, InputError
from efield.ground.pose import Pose
from efield.io.poses.formats import FORMATS, WRITTEN
from efield.io.poses.pose_table import PoseTable
from efield.io.poses.reading import load_pose, read_poses

MATRIX = Pose.from_axes((-40.5, 10.25, 80.125), (1, 2, 0.5), (0.3, -0.2, -1)).matrix


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A small file of every format that is written."""
    table = PoseTable(
        [MATRIX, np.roll(np.eye(4)[:, [1, 2, 0, 3]], 0)], ["a", "b"], {"time_s": [0, 1], "didt": [1e6, 2e6]}
    )
    found = {}
    for name in WRITTEN:
        folder = tmp_path_factory.mktemp(name)
        path = folder / f"a{(FORMATS[name].suffixes or ('.txt',))[0]}"
        table.write(path, name)
        found[name] = path
    return found


@pytest.mark.parametrize("name", WRITTEN)
def test_damaged_files_are_read_or_refused(good, survives, damaged, name):
    path = good[name]
    data = path.read_bytes()
    bad = path.with_name(f"bad{path.name[1:]}")
    refused = 0
    for copy in damaged(data, 32):
        bad.write_bytes(copy)
        refused += not survives(lambda: read_poses(bad, format=name))
    assert refused > 2


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"", "empty"),
        ("a.txt", b"1 2 3", "16 numbers"),
        ("a.txt", b"hello", "16 numbers"),
        ("a.txt", b"1 " * 40000, "last row|finite|rigid"),
        ("a.txt", b"[" * 100000, "16 numbers"),
        ("a.txt", b"x = " + b"[1 2 3]; " * 2000, "16 numbers"),
        ("a.txt", b"1_0 " * 16, "16 numbers"),
        ("a.csv", b"nan," * 16, "finite"),
        ("a.csv", b"CoilPos,1,2,3\n", "position, z and y axis"),
        ("a.csv", b"CoilPos,1,2,3," + b'"' + b"x" * 200000, "comma-separated"),
        ("a.json", b"[[[[" * 2000, "JSON"),
        ("a.json", b'{"pose": [1]}', "16 numbers"),
        ("a.json", b'[[1, 2], ["x"]]', "16 numbers"),
        ("a.json", b"[1e999, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 1]", "finite"),
        ("a.json", b"[" + b"9" * 5000 + b"]", "JSON|16 numbers"),
        ("a.npy", b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (4,4), }", "npy"),
        ("a.npy", b"junk", "npy"),
        ("a.mat", b"junk", "MATLAB"),
        ("a.mrk", b"{}", "TargetMarkers"),
        ("a.mrk", b'{"TargetMarkers": [{"CoilTarget": {"CoilPose": {"RigidTransformMatrix4x4": [[1]]}}}]}', "shape"),
        ("a.xml", b"<a/>", "TriggerMarkerList"),
        (
            "a.xml",
            b"<InstrumentMarkerList coordinateSpace='RAS'><InstrumentMarker/></InstrumentMarkerList>",
            "Matrix4D",
        ),
        ("a.xml", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "document type"),
        ("a.xml", b"<a>" * 100000, "deep"),
        ("a.xml", b"<?xml version='1.0' encoding='zzz'?><a/>", "XML"),
        ("a.stmpx", b"<a><fmp id='x'><fp m00='1'/></fmp></a>", "m00 to m22"),
        ("a.stmpx", b"<a/>", "fmp"),
        ("a_markers.tsv", b"nibs_position_id\nx\n", "element_centre_x"),
        ("a_markers.tsv", b"\n", "rows"),
        ("a.docx", b"PK", "must end in"),
    ],
)
def test_what_is_no_pose_is_refused(tmp_path, refuses, name, content, message):
    import re

    (tmp_path / name).write_bytes(content)
    said = refuses(lambda: load_pose(tmp_path / name))
    assert re.search(message, said), said
    assert name in said


def test_what_is_not_there_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "no.txt"):
        with pytest.raises(InputError):
            read_poses(path)
    with pytest.raises(FileFormatError, match="does not exist"):
        read_poses(tmp_path / "no.txt")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(alphabet='01.-e[](),;:=# %\t\nanx"{}<>/', max_size=300), st.sampled_from([".txt", ".json", ".csv", ".xml"])
)
def test_any_text_is_read_or_refused(tmp_path, text, suffix):
    (tmp_path / f"a{suffix}").write_text(text)
    try:
        read_poses(tmp_path / f"a{suffix}")
    except EfieldError as error:
        assert "a" + suffix in str(error)


def test_a_list_of_many_poses_in_json_is_read(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"poses": [{"matrix": MATRIX.tolist()}] * 3}))
    assert read_poses(tmp_path / "a.json").names == ("pose 1", "pose 2", "pose 3")
