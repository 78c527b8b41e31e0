"""Each program's axes, by numbers worked out on paper: one coil, described as each would write it.

The coil is held over (-40, -20, 80) mm, RAS, flat on a scalp that faces up there. Its front points to (0.6, 0.8, 0),
forward and to the right, so its handle points back and to the left, as over the left motor cortex.

Ours: y away from the handle = (0.6, 0.8, 0); z into the head = (0, 0, -1);
x = y x z = (0.8 * -1 - 0 * 0, 0 * 0 - 0.6 * -1, 0.6 * 0 - 0.8 * 0) = (-0.8, 0.6, 0).
"""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

from efield.ground.errors import FileFormatError, InputError
from efield.io.poses.pose_table import PoseTable
from efield.io.poses.reading import read_poses

OURS = np.array([[-0.8, 0.6, 0, -40], [0.6, 0.8, 0, -20], [0, 0, -1, 80], [0, 0, 0, 1]])
PRODUCTS = 1e-15  # sums of three products of numbers of two digits

#: Brainsight: y away from the handle (0.6, 0.8, 0), z out of the head (0, 0, 1),
#: x = y x z = (0.8 * 1, -0.6 * 1, 0) = (0.8, -0.6, 0). A row has x, then y, then z.
BRAINSIGHT = (
    "# Version: {version}\n# Coordinate system: {system}\n# Created by: Brainsight\n"
    "# Target Name\tLoc. X\tLoc. Y\tLoc. Z\tm0n0\tm0n1\tm0n2\tm1n0\tm1n1\tm1n2\tm2n0\tm2n1\tm2n2\n"
    "hot\t-40.0\t-20.0\t80.0\t0.8\t-0.6\t0.0\t0.6\t0.8\t0.0\t0.0\t0.0\t1.0\n"
)

#: Localite: x into the head (0, 0, -1), y along the handle (-0.6, -0.8, 0),
#: z = x x y = (0 * 0 - -1 * -0.8, -1 * -0.6 - 0 * 0, 0) = (-0.8, 0.6, 0). Axes are columns.
LOCALITE_RAS = [[0, -0.6, -0.8, -40], [0, -0.8, 0.6, -20], [-1, 0, 0, 80], [0, 0, 0, 1]]
#: In LPS the first two coordinates of everything have the other sign.
LOCALITE_LPS = [[0, 0.6, 0.8, 40], [0, 0.8, -0.6, 20], [-1, 0, 0, 80], [0, 0, 0, 1]]

#: Softaxic: x away from the handle (0.6, 0.8, 0), z into the head (0, 0, -1),
#: y = z x x = (0 * 0 - -1 * 0.8, -1 * 0.6 - 0 * 0, 0) = (0.8, -0.6, 0). Axes are columns.
SOFTAXIC = (
    '<root><fmp id="hot"><fp m00="0.6" m01="0.8" m02="0" m10="0.8" m11="-0.6" m12="0" m20="0" m21="0" m22="-1" '
    'x="-40" y="-20" z="80"/></fmp><fmp id="empty"/></root>'
)

#: InVesalius: x away from the handle (0.6, 0.8, 0), z out of the head (0, 0, 1),
#: y = z x x = (0 * 0 - 1 * 0.8, 1 * 0.6 - 0 * 0, 0) = (-0.8, 0.6, 0). Axes are columns.
INVESALIUS = "0.6 -0.8 0 -40 0.8 0.6 0 -20 0 0 1 80 0 0 0 1\n"

#: SimNIBS: center, z, y, distance, name; our axes.
SIMNIBS = "Electrode,1,2,3,C3\nCoilPos,-40,-20,80,0,0,-1,0.6,0.8,0,4,hot,more\n"


def localite(rows, space):
    cells = " ".join(f'data{i}{j}="{value}"' for i, row in enumerate(rows) for j, value in enumerate(row))
    return (
        f'<InstrumentMarkerList coordinateSpace="{space}"><InstrumentMarker><Marker description="hot">'
        f"<Matrix4D {cells}/></Marker></InstrumentMarker></InstrumentMarkerList>"
    )


def visor2(axes="simnibs", unit="mm", system="ASSOCIATED_IMAGE"):
    target = {
        "Name": "hot",
        "CoordinateSystem": system,
        "PositionalUnit": unit,
        "CoilAxesConvention": axes,
        "CoilPose": {"RigidTransformMatrix4x4": OURS.tolist()},
    }
    return json.dumps({"TargetMarkers": [{"CoilTarget": target}, {"Line": {}}]})


@pytest.mark.parametrize(
    ("name", "text", "format", "frame"),
    [
        ("a.txt", BRAINSIGHT.format(version=7, system="NIfTI:Aligned"), None, "RAS"),
        ("a.txt", BRAINSIGHT.format(version=13, system="NIfTI:Scanner"), None, "RAS"),
        ("a.txt", BRAINSIGHT.format(version=13, system="NIfTI:MNI-152"), None, "RAS"),
        ("a.txt", BRAINSIGHT.format(version=14, system="NIfTI:Q:Scanner"), None, "RAS"),
        ("a.txt", BRAINSIGHT.format(version=14, system="NIfTI:S:Aligned"), None, "RAS"),
        ("a.txt", BRAINSIGHT.format(version=14, system="NIfTI:S:Other-Template"), None, "RAS"),
        ("a.xml", localite(LOCALITE_RAS, "RAS"), None, "RAS"),
        ("a.xml", localite(LOCALITE_LPS, "LPS"), None, "LPS"),
        ("a.stmpx", SOFTAXIC, None, "RAS"),
        ("a.txt", INVESALIUS, "invesalius", "RAS"),
        ("a.csv", SIMNIBS, None, "RAS"),
        ("a.mrk", visor2(), None, "RAS"),
    ],
)
def test_one_coil_as_each_program_writes_it(tmp_path, name, text, format, frame):
    (tmp_path / name).write_text(text)
    table = read_poses(tmp_path / name, format=format)
    assert_allclose(table.matrices, OURS[None], atol=PRODUCTS)
    assert table.names == ("hot",) if format is None else ("pose 1",)
    assert table.frame == frame
    # The handle points back and to the left, and the current that rises is induced against it.
    assert_allclose(table.handles, [[-0.6, -0.8, 0]], atol=PRODUCTS)
    assert_allclose(table.currents(), [[0.6, 0.8, 0]], atol=PRODUCTS)
    assert_allclose(table.currents((0, -1, 0)), [[-0.6, -0.8, 0]], atol=PRODUCTS)


def test_axes_and_frame_can_be_said_of_any_file(tmp_path):
    # A matrix of Localite in LPS, typed off into a text file.
    np.savetxt(tmp_path / "a.txt", LOCALITE_LPS)
    table = read_poses(tmp_path / "a.txt", axes="localite", frame="lps")
    assert_allclose(table.matrices[0], OURS, atol=PRODUCTS)
    # y along the handle, as NIBS-BIDS may mean it: x and y have the other sign.
    turned = OURS * np.array([-1, -1, 1, 1])
    np.savetxt(tmp_path / "b.txt", turned)
    assert_allclose(read_poses(tmp_path / "b.txt", axes="handle").matrices[0], OURS, atol=PRODUCTS)
    for wrong in ({"axes": "brainsite"}, {"frame": "LAS"}, {"format": "localight"}):
        with pytest.raises(InputError, match="must be one of"):
            read_poses(tmp_path / "a.txt", **wrong)


def test_what_the_user_says_of_a_frame_is_not_called_assumed(tmp_path):
    np.savetxt(tmp_path / "a.txt", LOCALITE_LPS)
    (tmp_path / "a.json").write_text(json.dumps(LOCALITE_LPS))
    for name in ("a.txt", "a.json"):
        assert read_poses(tmp_path / name).said == "RAS assumed"
        assert read_poses(tmp_path / name, frame="LPS").said == ""


def test_json_names_the_frame_of_its_matrices_not_that_of_the_file_they_came_from(tmp_path):
    table = PoseTable(OURS[None], frame="LPS", axes="localite", said="LPS")
    table.write(tmp_path / "a.json")
    whole = json.loads((tmp_path / "a.json").read_text())
    assert_allclose(whole["poses"][0]["matrix"], OURS)
    assert (whole["frame"], whole["said"]) == ("RAS", "LPS")
    assert read_poses(tmp_path / "a.json").said == "LPS"
    # Versions that wrote the old file's frame said in words that theirs is RAS; others' lists leave it open.
    (tmp_path / "b.json").write_text(json.dumps(whole | {"frame": "LPS"}))
    assert_allclose(read_poses(tmp_path / "b.json").matrices[0], OURS, atol=PRODUCTS)
    one = {"frame": "LPS", "matrix": LOCALITE_LPS}
    for open_question in ({"poses": [one]}, [one], one, {"frame": "lps", "poses": [LOCALITE_LPS]}):
        (tmp_path / "c.json").write_text(json.dumps(open_question))
        with pytest.raises(FileFormatError, match="say --frame LPS"):
            read_poses(tmp_path / "c.json")
    told = read_poses(tmp_path / "c.json", frame="LPS", axes="localite")
    assert_allclose(told.matrices[0], OURS, atol=PRODUCTS)


@pytest.mark.parametrize("system", ["World", "Brainsight", "NIfTI:Alinged", ""])
def test_brainsights_own_coordinates_need_a_word_of_the_user(tmp_path, system):
    (tmp_path / "a.txt").write_text(BRAINSIGHT.format(version=7, system=system))
    with pytest.raises(FileFormatError, match=r"must be that of a NIfTI image.*--frame"):
        read_poses(tmp_path / "a.txt")
    table = read_poses(tmp_path / "a.txt", frame="RAS")
    assert_allclose(table.matrices[0], OURS, atol=PRODUCTS)


@pytest.mark.parametrize("wrong", [{"axes": "ant"}, {"unit": "m"}, {"system": "HEAD"}])
def test_visor2_in_other_conventions_is_refused(tmp_path, wrong):
    (tmp_path / "a.mrk").write_text(visor2(**wrong))
    with pytest.raises(FileFormatError, match="must be"):
        read_poses(tmp_path / "a.mrk")


def test_a_localite_file_that_does_not_say_its_axes_is_refused(tmp_path):
    (tmp_path / "a.xml").write_text(localite(LOCALITE_LPS, ""))
    with pytest.raises(FileFormatError, match=r"coordinateSpace must be RAS or LPS.*--frame"):
        read_poses(tmp_path / "a.xml")
    assert_allclose(read_poses(tmp_path / "a.xml", frame="LPS").matrices[0], OURS, atol=PRODUCTS)


def bids(folder, system, unit, center):
    header = ["nibs_position_id", *(f"element_centre_{a}" for a in "xyz")]
    header += [f"element_{c}dir_{a}" for c in "xyz" for a in "xyz"]
    axes = OURS[:3, :3].T.ravel()
    rows = [
        "\t".join(header),
        "\t".join(["hot", *map(str, center), *map(str, axes)]),
        "\t".join(["off", *["n/a"] * 12]),
    ]
    (folder / "sub-01_markers.tsv").write_text("\n".join(rows) + "\n")
    said = {"NIBSCoordinateSystem": system, "NIBSCoordinateUnits": unit}
    (folder / "sub-01_coordsystem.json").write_text(json.dumps(said))
    return folder / "sub-01_markers.tsv"


def test_nibs_bids_by_hand(tmp_path):
    table = read_poses(bids(tmp_path, "ScanRAS", "cm", (-4, -2, 8)))
    assert_allclose(table.matrices[0], OURS, atol=1e-14)
    assert [(one.name, "n/a" in one.reason) for one in table.dropped] == [("off", True)]
    assert "leaves open where y points" in table.notes[0]
    turned = read_poses(tmp_path / "sub-01_markers.tsv", axes="handle")
    assert_allclose(turned.matrices[0, :3, 1], -OURS[:3, 1], atol=1e-15)
    assert "along the handle" in turned.notes[0]


def test_nibs_bids_in_unknown_coordinates_needs_a_word_of_the_user(tmp_path):
    file = bids(tmp_path, "CTF", "mm", (40, 20, 80))
    with pytest.raises(FileFormatError, match="RAS or LPS"):
        read_poses(file)
    assert_allclose(read_poses(file, frame="LPS").matrices[0, :3, 3], (-40, -20, 80))
    with pytest.raises(FileFormatError, match="NIBSCoordinateUnits"):
        read_poses(bids(tmp_path, "ScanRAS", "inch", (0, 0, 0)))
